"""The policy against the reference, as scores.json says it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from autoif.evaluation.answers import SIDES, Answer
from autoif.evaluation.bootstrap import average_interval, mean_interval, paired_difference

T = TypeVar("T")
Scores = Mapping[str, Sequence[float]]
"""Of each side; entry i of both is about the same thing."""


def by_side(value: Callable[[str], T]) -> dict[str, T]:
    return {side: value(side) for side in SIDES}


def contrast(scores: Scores, seed: int, weights: Sequence[float] | None = None) -> dict[str, Any]:
    """Both means, their 95 % bootstrap intervals, and the interval of the paired difference policy - reference.

    With `weights`, entry i is a total over weights[i] parts that are drawn together, and the means are over parts.
    """
    intervals = by_side(lambda side: mean_interval(scores[side], seed, weights=weights))
    return {
        **by_side(lambda side: intervals[side].mean),
        "difference": paired_difference(scores["policy"], scores["reference"], seed, weights=weights).as_dict(),
        **{f"{side}_interval": interval.as_dict() for side, interval in intervals.items()},
        "n": len(scores["policy"]),
    }


def average(parts: Sequence[tuple[Scores, Sequence[float] | None]], seed: int) -> dict[str, Any]:
    """The average of several contrasts, each of (scores, weights) over the same things."""
    means = [contrast(scores, seed, weights) for scores, weights in parts]
    differences = [([p - r for p, r in zip(s["policy"], s["reference"], strict=True)], weights) for s, weights in parts]
    return {
        **by_side(lambda side: mean([part[side] for part in means])),
        "difference": average_interval(differences, seed).as_dict(),
        "n": means[0]["n"],
    }


def table(groups: Mapping[str, Scores]) -> dict[str, dict[str, Any]]:
    """Both means of each group, what got worse first."""
    rows: dict[str, dict[str, Any]] = {
        name: {**{side: mean(scores[side]) for side in SIDES}, "n": len(scores["policy"])}
        for name, scores in sorted(groups.items())
    }
    return dict(sorted(rows.items(), key=lambda row: row[1]["policy"] - row[1]["reference"]))


def lengths(answers: Mapping[str, Sequence[Answer]]) -> dict[str, Any]:
    """Words an answer and the share of answers that were cut: what shows a policy that only writes more."""
    return {
        "mean_words": by_side(lambda side: mean([len(answer.text.split()) for answer in answers[side]])),
        "truncated": by_side(lambda side: mean([answer.truncated for answer in answers[side]])),
    }


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def grouped(items: Iterable[T], name: Callable[[T], str]) -> dict[str, list[T]]:
    """Items by name, in their order."""
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(name(item), []).append(item)
    return groups


def save_samples(path: Path, samples: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        for sample in samples:
            file.write(json.dumps(sample, ensure_ascii=False) + "\n")
    new.replace(path)
