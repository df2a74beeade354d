"""Answers that say the same again and again."""

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
