"""Text that several seeds share."""

SENTENCES = r"""    def sentences(text):
        # A sentence ends with . ! or ? before a blank or the end. These dots do not end one: list
        # numbers ("1."), "Dr.", "e.g.", initials, and "etc." or "..." when lower case follows.
        text = re.sub(r"(?m)^([ \t]*\d{1,3})\.(?=\s)", r"\1", text)
        text = re.sub(r"\b(Mr|Mrs|Ms|Dr|St|Prof|vs|[Ee]\.g|[Ii]\.e)\.", r"\1", text)
        lower = r"(\b(?:etc|approx|Jr|Inc|[ap]\.m|(?:[A-Z]\.){0,3}[A-Z])\.|\.\.\.)(?= [a-z])"
        text = re.sub(lower, lambda m: m[0].replace(".", ""), text)
        text = re.sub(r"\b([A-Z](?=\. ?[A-Z]\.)|(?<=[A-Z]\. )[A-Z])\.", r"\1", text)
        # A closing quotation mark or bracket may follow the stop: "Stop!" she said. is one sentence.
        parts = re.split(r"(?<=[.!?])(?:\s+|[\"'”’)\]*_]+\s+(?![a-z]))", text)
        return [part for part in parts if any(c.isalnum() for c in part)]"""
"""Verifier lines that define `sentences(text)`; `re` must be imported before."""


def words(text: str, count: int) -> str:
    """The first `count` words of `text`, ended with a full stop."""
    return " ".join(text.split()[:count]).rstrip(".,;:") + "."
