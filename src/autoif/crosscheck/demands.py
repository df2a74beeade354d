"""What an instruction asks for must matter to its verifiers: texts with it and texts without.

A weak writer's functions often share a misreading: they check a part of what was asked, and agree. So each quoted word,
and each thing that an instruction asks for in the common words for it, is changed in texts that pass; verifiers that
pass all that comes of it do not check it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from autoif.crosscheck.probes import EXAMPLES, QUOTED, Change, quoted, spoken


def _dotted(text: str) -> str:
    """A full stop after every fourth word."""
    words = count(1)
    return re.sub(r"(?<=\w)(?=\s)", lambda _: "." if next(words) % 4 == 0 else "", text)


MORE = (
    "\n\nBesides, 7 ZEBRAS (and a Heron) ran on and on, over hills and through rivers, until all of them, tired as "
    "they were by then, lay down under an old tree and slept; who would not? Nobody knows, of course!"
)
MARKS = ',;:.!?-"()'
A_NUMBER = r"(?:\d+|one|once|two|twice|three|four|five|six|seven|eight|nine|ten|twelve|a dozen|a hundred)"

DEMANDS: tuple[tuple[str, str, tuple[Change, ...]], ...] = (
    ("case", r"lower ?-?case|upper ?-?case|\bcapital|\bcaps\b", (str.lower, str.upper)),
    (
        "place",
        r"\bstart|\bbegin|\bend(?:s|ing)?\b|\bfinish|\bfirst\b|\blast\b",
        (lambda text: f"zebras zigzag.\n{text}", lambda text: f"{text}\nzebras zigzag"),
    ),
    (
        "order",
        r"\border\b|\balphabetic|followed by|\bbefore\b|\bafter\b",
        (
            lambda text: " ".join(reversed(text.split())),
            lambda text: "\n".join(" ".join(reversed(line.split())) for line in text.splitlines()),
            lambda text: "\n".join(reversed(text.splitlines())),
        ),
    ),
    (
        "nothing else",
        r"(?<!and )\bonly\b|\bjust\b|\bnothing (?:else|but)|\bno other|\bsolely\b|\bexclusively\b",
        (lambda text: text + MORE, lambda text: f"{text} {text}"),
    ),
    (
        "sentences",
        r"\bsentences?\b(?! (?:with|by)\b)",
        (lambda text: re.sub(r"[.!?]+", "", text), _dotted),
    ),
    (
        "marks",
        r"punctuation|\bcommas?\b|\bperiods?\b|full stop|exclamation|question mark|semicolon",
        (lambda text: re.sub(r"[^\w\s]+", "", text), lambda text: text + MARKS, lambda text: MARKS + text),
    ),
    (
        "lines",
        r"\blines?\b|\bparagraph|\bbullet|\bstanza",
        (
            lambda text: " ".join(text.split()),
            lambda text: re.sub(r"(?<=[.!?,]) +", "\n\n", text),
            lambda text: re.sub(r"\W{3,}", " ", text),
        ),
    ),
    (
        "no more",
        rf"\b(?:exactly|around|about|roughly|approximately) {A_NUMBER}\b",
        (lambda text: f"{text}\n\n{text}", lambda text: text + MORE),
    ),
    (
        "no fewer",
        rf"\b(?:exactly|around|about|roughly|approximately) {A_NUMBER}\b",
        (lambda text: text[: len(text) // 2], lambda text: text[len(text) // 2 :]),
    ),
)
"""Case, place, order, nothing else, sentences, marks, lines (or other dividers), neither more nor fewer: the words by
which an instruction asks for each, and changes, one of which must turn some answer that follows it into one that does
not."""

INDIFFERENT = (
    r"small or (?:a )?capital|capital or small|upper ?-?(?:case)? or lower|lower ?-?(?:case)? or upper|either case"
)

NEGATIVE = r"\bnot\b|never|without|avoid|\bno\b|n't\b|refrain|exclude"
EITHER = r"\bor\b|either|\bany\b|one of"
BASES = 8
"""Answers that quoted words are put into."""


@dataclass(frozen=True, slots=True)
class Toggle:
    """Two texts that differ in what a word of the instruction asks for. A verifier that minds it parts some of them."""

    word: str
    passes: str
    fails: str


def demands(instruction: str, texts: Sequence[str]) -> list[Toggle]:
    """Texts with and without what the instruction asks for in the common words for it."""
    asked = re.sub(INDIFFERENT, "", QUOTED.sub("", EXAMPLES.sub("", instruction)), flags=re.IGNORECASE)
    found = [(re.search(rf"(?:{words})\w*", asked, re.IGNORECASE), name, changes) for name, words, changes in DEMANDS]
    return [
        Toggle(f'"{word.group()}" ({name})', text, change(text))
        for word, name, changes in found
        if word
        for change in changes
        for text in texts
    ]


def toggles(instruction: str, answers: Sequence[str]) -> list[Toggle]:
    """Answers with and without each of the quoted words, all others held; none when one of several will do."""
    words = quoted(instruction)
    if not words or spoken(EITHER, instruction):
        return []
    bases = [answer for answer in answers if not any(word.lower() in answer.lower() for word in words)][:BASES]
    if spoken(NEGATIVE, instruction):
        return [Toggle(f'"{word}"', base, f"{base} {word}") for word in words for base in bases]
    return [
        Toggle(f'"{word}"', " ".join([base, *words]), " ".join([base, *(other for other in words if other != word)]))
        for word in words
        for base in bases
    ]
