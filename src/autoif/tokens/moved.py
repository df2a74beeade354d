"""Which tokens a training moved, over many answers: did the model learn the pattern, or something else?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from autoif.tokens.classes import classified
from autoif.tokens.nouns import Comparison

TIMES = 5
"""What occurs so often is listed ..."""
ANSWERS, ANSWERS_OF_TYPE = 3, 2
"""... if it does in so many answers: one that repeats itself shows nothing."""
LISTED, LISTED_OF_TYPE = 12, 3
"""Most tokens listed on each side, over all answers and of one type."""


@dataclass(slots=True)
class Movement:
    """Of one token, or of a class of tokens: how often it occurs, in which answers, and the sum of its differences."""

    count: int = 0
    total: float = 0.0
    answers: set[int] = field(default_factory=set)

    def add(self, answer: int, difference: float) -> None:
        self.count += 1
        self.total += difference
        self.answers.add(answer)

    @property
    def mean(self) -> float:
        return self.total / self.count

    def as_dict(self) -> dict[str, Any]:
        return {
            "count": self.count,
            "answers": len(self.answers),
            "sum": round(self.total, 3),
            "mean": round(self.mean, 4),
        }


@dataclass(slots=True)
class Moved:
    """The movements of some answers, by token and by class. A character of several tokens counts as one token."""

    whole: Movement = field(default_factory=Movement)
    tokens: dict[str, Movement] = field(default_factory=dict)
    classes: dict[str, Movement] = field(default_factory=dict)

    def add(self, answer: int, comparison: Comparison) -> None:
        """The answer with this number."""
        for name, span in zip(classified(comparison), comparison.spans, strict=True):
            token = self.tokens.setdefault(span.text, Movement())
            for movement in (self.whole, token, self.classes.setdefault(name, Movement())):
                movement.add(answer, span.difference)

    def as_dict(self, answers: int, listed: int) -> dict[str, Any]:
        """The whole, and what moved up and down in at least so many answers, the farthest first: classes, and at most
        `listed` tokens."""

        def sides(movements: dict[str, Movement]) -> dict[str, list[dict[str, Any]]]:
            return {name: _farthest(movements, sign, answers) for name, sign in (("up", 1), ("down", -1))}

        tokens = {side: found[:listed] for side, found in sides(self.tokens).items()}
        return self.whole.as_dict() | {"classes": sides(self.classes), "tokens": tokens}


class MovedByType:
    """What moved over all answers, and over those to each type of instruction."""

    def __init__(self) -> None:
        self.all = Moved()
        self.types: dict[str, Moved] = {}
        self.answers = 0

    def add(self, type: str, comparison: Comparison) -> None:
        for moved in (self.all, self.types.setdefault(type, Moved())):
            moved.add(self.answers, comparison)
        self.answers += 1

    def as_dict(self) -> dict[str, Any]:
        """moved.json. The types with most answers come first."""
        types = sorted(self.types.items(), key=lambda item: (-len(item[1].whole.answers), item[0]))
        return {
            "least": {"count": TIMES, "answers": ANSWERS, "answers_of_type": ANSWERS_OF_TYPE},
            "all": self.all.as_dict(ANSWERS, LISTED),
            "types": {type: moved.as_dict(ANSWERS_OF_TYPE, LISTED_OF_TYPE) for type, moved in types},
        }


def _farthest(movements: dict[str, Movement], sign: int, answers: int) -> list[dict[str, Any]]:
    """Those that moved up (1) or down (-1), by their mean."""
    told = [
        (-sign * m.mean, name)
        for name, m in movements.items()
        if m.count >= TIMES and len(m.answers) >= answers and sign * m.total > 0
    ]
    return [{"text": name, **movements[name].as_dict()} for _, name in sorted(told)]
