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
    more: Callable[[int, T, list[Answer]], Sequence[Part]] | None = None,
) -> Iterator[tuple[int, T, list[Answer]]]:
    """Yields (unit, item, answers in the order of the parts) as each unit is completed, in any order of units.

    `parts(unit, item)` gives a unit's parts, frozen dataclasses whose `id` is replaced by one that leads back here;
    `run` answers every part once, pulling parts lazily, so that no more units are open than it looks ahead. With
    `more`, a unit whose parts are all answered may have further ones. Raises AutoIFError when a part is left
    unanswered.
    """
    desk: _Desk[T, Answer] = _Desk(iter(units), parts, more)
    while not desk.empty:
        for answer in run(desk.feed()):
            desk.file(answer)
            yield from desk.finished()
        if len(desk.open) > len(desk.waiting):
            raise AutoIFError(f"{len(desk.open)} requests were left unanswered; run again to ask them anew.")
        yield from desk.finished()


@dataclass(slots=True)
class _Open(Generic[T, Answer]):
    """A unit whose answers are coming in."""

    number: int
    item: T
    answers: list[Answer | None]
    missing: int = 0

    def told(self) -> list[Answer]:
        return [answer for answer in self.answers if answer is not None]


class _Desk(Generic[T, Answer]):
    """Knows which unit each part under way belongs to."""

    def __init__(
        self,
        units: Iterator[Unit[T]],
        parts: Callable[[int, T], Sequence[Any]],
        more: Callable[[int, T, list[Answer]], Sequence[Any]] | None,
    ) -> None:
        self.units = units
        self.parts = parts
        self.more = more
        self.open: dict[str, tuple[_Open[T, Answer], int]] = {}
        self.waiting: deque[Any] = deque()
        self.done: deque[_Open[T, Answer]] = deque()
        self.exhausted = False

    @property
    def empty(self) -> bool:
        return self.exhausted and not self.waiting

    def feed(self) -> Iterator[Any]:
        """Further parts first, then those of one unit after the other; pauses when too many finished units wait."""
        while True:
            while self.waiting:
                yield self.waiting.popleft()
            unit = next(self.units, None)
            if unit is None:
                self.exhausted = True
                return
            opened: _Open[T, Answer] = _Open(*unit, [])
            self._ask(opened, self.parts(*unit))
            if not opened.missing:
                self.done.append(opened)
                if len(self.done) >= AT_REST:
                    return

    def _ask(self, opened: _Open[T, Answer], wanted: Sequence[Any]) -> None:
        opened.missing = len(wanted)
        for part in wanted:
            id = f"{opened.number}/{len(opened.answers)}"
            self.open[id] = opened, len(opened.answers)
            opened.answers.append(None)
            self.waiting.append(replace(part, id=id))

    def file(self, answer: Answer) -> None:
        opened, index = self.open.pop(answer.id)
        opened.answers[index] = answer
        opened.missing -= 1
        if opened.missing:
            return
        if self.more:
            self._ask(opened, self.more(opened.number, opened.item, opened.told()))
        if not opened.missing:
            self.done.append(opened)

    def finished(self) -> Iterator[tuple[int, T, list[Answer]]]:
        while self.done:
            unit = self.done.popleft()
            yield unit.number, unit.item, unit.told()
