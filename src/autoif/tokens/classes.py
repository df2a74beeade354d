"""Which class a token is of, from its text and what stands before it."""

from __future__ import annotations

from collections.abc import Iterator

from autoif.tokens.nouns import Comparison

END = "end of turn"
BULLETS = frozenset("-*•‣◦▪●+")
SENTENCE_ENDS = frozenset(".?!…")


def classified(comparison: Comparison) -> Iterator[str]:
    """The class of each span."""
    before, last = "\n", len(comparison.spans) - 1
    for place, span in enumerate(comparison.spans):
        yield END if comparison.ended and place == last else class_of(span.text, before)
        before += span.text


def class_of(text: str, before: str) -> str:
    """One of: line break, space, bullet, digit, upper case, capitalised, lower case, comma, sentence end, other mark.

    Letters without case count as lower case. A bullet stands first on its line; a single capital letter is upper case
    when it goes on with a word that is.
    """
    letters = [sign for sign in text if sign.isalpha()]
    signs = text.strip()
    if letters:
        return _case(letters, inside=not text[0].isspace() and before[-1:].isupper())
    if any(sign.isnumeric() for sign in signs):
        return "digit"
    if signs and set(signs) <= BULLETS and not before.rpartition("\n")[2].strip() and len(signs) == 1:
        return "bullet"
    if "\n" in text:
        return "line break"
    if not signs:
        return "space"
    return "comma" if "," in signs else "sentence end" if set(signs) & SENTENCE_ENDS else "other mark"


def _case(letters: list[str], inside: bool) -> str:
    if all(letter.isupper() for letter in letters) and (inside or len(letters) > 1):
        return "upper case"
    return "capitalised" if letters[0].isupper() else "lower case"
