"""What every engine is: requests in, replies out, in any order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeVar

from autoif.gather import Unit, gather
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


PROBE = Request("", [{"role": "user", "content": "Hi"}], Sampling(temperature=0.0, max_tokens=1))
"""What a server in doubt is asked: a single token."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The text written after the prefill (the prefill itself is not repeated in `text`)."""

    id: str
    text: str
    finish: Finish
    usage: Usage = field(default_factory=Usage)
    error: str | None = None
    """Why there is no text, when `finish` is `error` (a reply lost for good, after every retry)."""
    wasted: Usage = field(default_factory=Usage)
    """What was spent besides: on replies that were thrown away because they were broken."""

    @property
    def spent(self) -> Usage:
        return self.usage + self.wasted


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


def ask(
    engine: Engine,
    units: Iterable[Unit[T]],
    prompts: Callable[[int, T], Sequence[Request]],
    more: Callable[[int, T, list[Reply]], Sequence[Request]] | None = None,
) -> Iterator[tuple[int, T, list[Reply]]]:
    """Streams units through the engine: yields each with its replies (in request order) once they are all there.

    `prompts(unit, item)` gives a unit's requests, and `more` further ones once those are answered. Raises EngineError
    when the engine cannot go on.
    """
    return gather(units, prompts, engine.generate, more)
