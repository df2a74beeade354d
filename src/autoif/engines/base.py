"""What every engine is: requests in, replies out, in any order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Self, TypeVar

from autoif.errors import EngineError
from autoif.records import Message, Usage

Finish = Literal["stop", "length", "error"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to decode. Temperature 0 is greedy. `seed` makes one request repeatable where the engine can."""

    temperature: float = 0.7
    top_p: float = 0.95
    max_tokens: int = 512
    seed: int = 0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One chat prompt. `prefill` is how the assistant's reply must begin; `schema` a JSON schema that it must fit.

    An engine without `supports_prefill` or `supports_schema` ignores that wish, so a stage asks before it relies on it.
    """

    id: str
    messages: Sequence[Message]
    sampling: Sampling = field(default_factory=Sampling)
    prefill: str = ""
    schema: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The text written after the prefill (the prefill itself is not repeated in `text`)."""

    id: str
    text: str
    finish: Finish
    usage: Usage = field(default_factory=Usage)
    error: str | None = None
    """Why there is no text, when `finish` is `error` (a reply lost for good, after every retry)."""


class Engine(ABC):
    """A model that can be asked. Use it as a context manager: leaving it frees the model's memory."""

    supports_prefill = False
    supports_schema = False

    @abstractmethod
    def generate(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """Answers each request once, in any order, pulling requests only as it has room for them.

        Raises EngineError when the engine cannot go on; a single bad reply is a Reply with finish `error`.
        """

    def close(self) -> None:
        """Frees what the engine holds. May be called twice."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


T = TypeVar("T")
Unit = tuple[int, T]
AT_REST = 4096
"""How many finished units may wait for the engine's next reply (units with no request at all can come in long rows)."""


def ask(
    engine: Engine, units: Iterable[Unit[T]], prompts: Callable[[int, T], Sequence[Request]]
) -> Iterator[tuple[int, T, list[Reply]]]:
    """Streams units through the engine: yields each with its replies (in request order) once they are all there.

    `prompts(unit, item)` gives a unit's requests; their ids are replaced by ones that lead back to the unit.
    Units come out as they are finished, and no more of them are open than the engine takes in.
    Raises EngineError when the engine cannot go on, or leaves a request unanswered.
    """
    desk = _Desk(iter(units), prompts)
    while not desk.empty:
        for reply in engine.generate(desk.requests()):
            desk.file(reply)
            yield from desk.finished()
        if desk.open:
            raise EngineError(f"The engine left {len(desk.open)} requests unanswered; run again to ask them anew.")
        yield from desk.finished()


class _Desk(Generic[T]):
    """Knows which unit each request under way belongs to."""

    def __init__(self, units: Iterator[Unit[T]], prompts: Callable[[int, T], Sequence[Request]]) -> None:
        self.units = units
        self.prompts = prompts
        self.open: dict[str, tuple[_Open[T], int]] = {}
        self.done: deque[_Open[T]] = deque()
        self.empty = False

    def requests(self) -> Iterator[Request]:
        """The requests of one unit after the other; pauses when too many finished units wait to be taken away."""
        for unit, item in self.units:
            asked = self.prompts(unit, item)
            opened = _Open(unit, item, len(asked), [None] * len(asked))
            if not asked:
                self.done.append(opened)
                if len(self.done) >= AT_REST:
                    return
            for index, request in enumerate(asked):
                id = f"{unit}/{index}"
                self.open[id] = opened, index
                yield Request(id, request.messages, request.sampling, request.prefill, request.schema)
        self.empty = True

    def file(self, reply: Reply) -> None:
        opened, index = self.open.pop(reply.id)
        opened.replies[index] = reply
        opened.missing -= 1
        if not opened.missing:
            self.done.append(opened)

    def finished(self) -> Iterator[tuple[int, T, list[Reply]]]:
        while self.done:
            unit = self.done.popleft()
            yield unit.number, unit.item, [reply for reply in unit.replies if reply]


@dataclass(slots=True)
class _Open(Generic[T]):
    """A unit whose replies are coming in."""

    number: int
    item: T
    missing: int
    replies: list[Reply | None]
