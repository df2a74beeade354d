"""The child side of the sandbox. It imports the standard library alone, and nothing else of this package."""
