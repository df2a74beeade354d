"""Streams units through something that answers their parts in any order, and hands each unit back whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar


class Identified(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T")
Part = TypeVar("Part", bound=Any)
Answer = TypeVar("Answer", bound=Identified)
Unit = tuple[int, T]


@dataclass(slots=True)
class _Open(Generic[T, Answer]):
    item: T
    missing: int
    answers: list[Answer | None] = field(default_factory=list)


def gather(
    units: Iterable[Unit[T]],
    parts: Callable[[int, T], Sequence[Part]],
    run: Callable[[Iterable[Part]], Iterator[Answer]],
) -> Iterator[tuple[int, T, list[Answer]]]:
    """Yields (unit, item, answers in the order of the parts) as each unit is completed, in any order of units.

    `parts(unit, item)` gives a unit's parts, frozen dataclasses whose `id` is replaced by one that leads back here;
    `run` answers every part once, pulling parts lazily, so that no more units are open than it looks ahead.
    """
    waiting: dict[int, _Open[T, Answer]] = {}
    ready: list[tuple[int, T, list[Answer]]] = []

    def feed() -> Iterator[Part]:
        for unit, item in units:
            wanted = parts(unit, item)
            if not wanted:
                ready.append((unit, item, []))
                continue
            waiting[unit] = _Open(item, len(wanted), [None] * len(wanted))
            for index, part in enumerate(wanted):
                yield replace(part, id=f"{unit}.{index}")

    for answer in run(feed()):
        unit, index = map(int, answer.id.split("."))
        place = waiting[unit]
        place.answers[index] = answer
        place.missing -= 1
        if not place.missing:
            del waiting[unit]
            yield unit, place.item, [a for a in place.answers if a is not None]
        while ready:
            yield ready.pop()
    yield from ready
