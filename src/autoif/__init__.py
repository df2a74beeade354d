"""AutoIF: instruction-following training data with no human labels (arXiv 2406.13542)."""

from importlib.metadata import version

__version__ = version("autoif")
