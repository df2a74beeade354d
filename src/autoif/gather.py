"""Streams units through something that answers their parts in any order, and hands each unit back whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from autoif.errors import AutoIFError


class Identified(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T")
Part = TypeVar("Part", bound=Any)
Answer = TypeVar("Answer", bound=Identified)
Unit = tuple[int, T]

AT_REST = 4096
"""How many finished units may wait for the next answer (units with no part at all can come in long rows)."""


def gather(
    units: Iterable[Unit[T]],
    parts: Callable[[int, T], Sequence[Part]],
    run: Callable[[Iterable[Part]], Iterator[Answer]],
) -> Iterator[tuple[int, T, list[Answer]]]:
    """Yields (unit, item, answers in the order of the parts) as each unit is completed, in any order of units.

    `parts(unit, item)` gives a unit's parts, frozen dataclasses whose `id` is replaced by one that leads back here;
    `run` answers every part once, pulling parts lazily, so that no more units are open than it looks ahead. Raises
    AutoIFError when it leaves a part unanswered.
    """
    desk: _Desk[T, Answer] = _Desk(iter(units), parts)
    while not desk.empty:
        for answer in run(desk.feed()):
            desk.file(answer)
            yield from desk.finished()
        if desk.open:
            raise AutoIFError(f"{len(desk.open)} requests were left unanswered; run again to ask them anew.")
        yield from desk.finished()


@dataclass(slots=True)
class _Open(Generic[T, Answer]):
    """A unit whose answers are coming in."""

    number: int
    item: T
    missing: int
    answers: list[Answer | None]


class _Desk(Generic[T, Answer]):
    """Knows which unit each part under way belongs to."""

    def __init__(self, units: Iterator[Unit[T]], parts: Callable[[int, T], Sequence[Any]]) -> None:
        self.units = units
        self.parts = parts
        self.open: dict[str, tuple[_Open[T, Answer], int]] = {}
        self.done: deque[_Open[T, Answer]] = deque()
        self.empty = False

    def feed(self) -> Iterator[Any]:
        """The parts of one unit after the other; pauses when too many finished units wait to be taken away."""
        for unit, item in self.units:
            wanted = self.parts(unit, item)
            opened: _Open[T, Answer] = _Open(unit, item, len(wanted), [None] * len(wanted))
            if not wanted:
                self.done.append(opened)
                if len(self.done) >= AT_REST:
                    return
            for index, part in enumerate(wanted):
                id = f"{unit}/{index}"
                self.open[id] = opened, index
                yield replace(part, id=id)
        self.empty = True

    def file(self, answer: Answer) -> None:
        opened, index = self.open.pop(answer.id)
        opened.answers[index] = answer
        opened.missing -= 1
        if not opened.missing:
            self.done.append(opened)

    def finished(self) -> Iterator[tuple[int, T, list[Answer]]]:
        while self.done:
            unit = self.done.popleft()
            yield unit.number, unit.item, [answer for answer in unit.answers if answer is not None]
