"""Answers that say the same again and again."""

import re
from collections import Counter

from autoif.contamination import grams

WORDS = 3
LOOPED = 4
SHARE = 0.25


def loops(text: str) -> bool:
    """Whether runs of WORDS words that come LOOPED times or more make up SHARE of all runs."""
    runs = Counter(grams(text, WORDS))
    looped = sum(times for times in runs.values() if times >= LOOPED)
    return looped >= SHARE * runs.total() > 0


def looping_part(text: str) -> str:
    """A text that loops, up to the word by which it does: the shortest beginning that loops. Others stay whole."""
    ends = [word.end() for word in re.finditer(r"\w+", text)]
    return next((text[:end] for end in ends if loops(text[:end])), text)
