"""What a benchmark of verifiable instructions gives: its prompts, and how one answer is checked."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt of the benchmark with its instructions and what each is parametrised with, in the same order."""

    text: str
    key: Any
    instructions: tuple[str, ...]
    kwargs: tuple[dict[str, Any], ...]

    def only(self, places: list[int]) -> Prompt:
        """The same prompt with some of its instructions."""
        return replace(
            self,
            instructions=tuple(self.instructions[i] for i in places),
            kwargs=tuple(self.kwargs[i] for i in places),
        )


Verdicts = list[tuple[bool, bool]]
"""Whether each instruction is followed, by the strict and by the loose reading, in the order of the instructions."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """A library's own checkers. `name` says which library and version, since their figures differ."""

    name: str
    known: AbstractSet[str]
    check: Callable[[Prompt, str], Verdicts]


@dataclass(frozen=True, slots=True)
class Scored:
    """One prompt's verdicts. An unknown instruction, and one whose checker broke, is not followed."""

    prompt: Prompt
    verdicts: Verdicts
    broken: tuple[str, ...] = ()


def score(scorer: Scorer, prompt: Prompt, response: str) -> Scored:
    """Checks one answer, with the random draws of some checkers always the same."""
    places = [i for i, id in enumerate(prompt.instructions) if id in scorer.known]
    verdicts = [(False, False)] * len(prompt.instructions)
    if not response.strip():
        return Scored(prompt, verdicts)
    broken: list[str] = []
    try:
        checked = _check(scorer, prompt.only(places), response)
    except Exception:  # a checker that breaks on an odd answer must not take its neighbours along
        checked, broken = _check_each(scorer, prompt, places, response)
    for place, verdict in zip(places, checked, strict=True):
        verdicts[place] = verdict
    return Scored(prompt, verdicts, tuple(broken))


def _check(scorer: Scorer, prompt: Prompt, response: str) -> Verdicts:
    """Seeded as IFEval needs: two of its prompts draw letters, and langdetect draws what it looks at.

    Silent: the checkers log an answer whose language cannot be told, however long it is.
    """
    from langdetect import DetectorFactory

    state, DetectorFactory.seed = random.getstate(), 0
    random.seed(0)
    disabled = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        return scorer.check(prompt, response)
    finally:
        logging.disable(disabled)
        random.setstate(state)


def _check_each(scorer: Scorer, prompt: Prompt, places: list[int], response: str) -> tuple[Verdicts, list[str]]:
    """One instruction at a time; with the ids of those whose checker broke."""
    verdicts: Verdicts = []
    broken = []
    for place in places:
        try:
            verdicts += _check(scorer, prompt.only([place]), response)
        except Exception:
            verdicts.append((False, False))
            broken.append(prompt.instructions[place])
    return verdicts, broken
