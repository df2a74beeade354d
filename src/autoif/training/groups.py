"""Pairs of one prompt as a group in which each completion stands once; groups dealt to steps and forward passes."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from autoif.training.pairs import Row


@dataclass(slots=True)
class Group:
    """The token ids of one prompt and of its different completions; `pairs` are (chosen, rejected) indices of them."""

    prompt: list[int]
    completions: list[list[int]] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        return len(self.prompt) + sum(map(len, self.completions))


def group_pairs(rows: Iterable[Row], most_pairs: int, most_tokens: int) -> Iterator[Group]:
    """Rows in a row with the same prompt become a group, or several of at most so many pairs and tokens."""
    for _, same in groupby(rows, key=lambda row: row["prompt_ids"]):
        group, places = Group([]), dict[tuple[int, ...], int]()
        for row in same:
            new = {tuple(row[side]) for side in ("chosen_ids", "rejected_ids")} - places.keys()
            full = len(group.pairs) == most_pairs or group.tokens + sum(map(len, new)) > most_tokens
            if not group.pairs or full:
                if group.pairs:
                    yield group
                group, places = Group(row["prompt_ids"]), {}
            group.pairs.append((_place(row["chosen_ids"], group, places), _place(row["rejected_ids"], group, places)))
        yield group


def _place(completion: list[int], group: Group, places: dict[tuple[int, ...], int]) -> int:
    key = tuple(completion)
    if key not in places:
        places[key] = len(group.completions)
        group.completions.append(completion)
    return places[key]


def deal(pairs: Sequence[int], batch_size: int, seed: int) -> list[list[int]]:
    """Groups (by index; `pairs` has the number of each) dealt in a random order to steps of about `batch_size` pairs.

    A group is never split, so a step ends where one more would take it further from `batch_size` than it is.
    """
    order = list(range(len(pairs)))
    random.Random(seed).shuffle(order)
    steps: list[list[int]] = []
    held = batch_size
    for index in order:
        if held + pairs[index] - batch_size > max(batch_size - held, 0):
            steps.append([])
            held = 0
        steps[-1].append(index)
        held += pairs[index]
    return steps


def rows(groups: Iterable[Group], most_tokens: int) -> Iterator[list[Group]]:
    """Groups put into forward passes of at most `most_tokens`, in order."""
    row: list[Group] = []
    held = 0
    for group in groups:
        if row and held + group.tokens > most_tokens:
            yield row
            row, held = [], 0
        row.append(group)
        held += group.tokens
    if row:
        yield row
