"""A token as two models read it, and what is made of such tokens. Differences of log-probabilities are in nats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from autoif.errors import InputError


class Reading(NamedTuple):
    """How one model sees a token: its natural log-probability, its rank (1 is the likeliest), the likeliest tokens."""

    logprob: float
    rank: int
    alternatives: tuple[tuple[str, float], ...]
    """Text and log-probability, the likeliest first."""


class Token(NamedTuple):
    """One token of the completion. Bytes of `text` that are only a part of a character are spelled ⟨F0⟩."""

    text: str
    policy: Reading
    reference: Reading

    @property
    def difference(self) -> float:
        return self.policy.logprob - self.reference.logprob


@dataclass(frozen=True, slots=True)
class Span:
    """The smallest run of tokens that makes whole characters: mostly one, several for an emoji."""

    text: str
    tokens: tuple[Token, ...]

    @property
    def difference(self) -> float:
        return sum(token.difference for token in self.tokens)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rendered prompt, and the completion up to its end of turn."""

    prompt: str
    spans: tuple[Span, ...]
    ended: bool = True
    """Whether the last span is the end of the turn: an answer that was cut has none."""

    @property
    def tokens(self) -> list[Token]:
        return [token for span in self.spans for token in span.tokens]

    @property
    def total(self) -> float:
        """log p(completion | prompt) of the policy minus that of the reference: DPO's implicit reward over beta."""
        return sum(span.difference for span in self.spans)

    @property
    def mean(self) -> float:
        """The total per token."""
        return self.total / len(self.tokens)


@dataclass(frozen=True, slots=True)
class PicturedAnswer:
    """An answer that `side` wrote. Of a long one, `comparison` holds the beginning only, `total` and `count` all."""

    side: str
    pass_rate: float
    total: float
    count: int
    """Tokens."""
    comparison: Comparison

    @property
    def mean(self) -> float:
        return self.total / self.count


@dataclass(frozen=True, slots=True)
class Picture:
    """A held-out prompt with the answers that are shown side by side, the one that passes first."""

    id: str
    query: str
    instruction: str
    type: str
    answers: tuple[PicturedAnswer, ...]

    def line(self) -> bytes:
        """One line of pictures.jsonl. Tokens and readings are arrays, in the order of their fields."""
        return _PICTURE.dump_json(self) + b"\n"


_PICTURE = TypeAdapter(Picture)


def read_pictures(path: Path) -> Iterator[Picture]:
    """The pictures of a file that stage 9 wrote; none when there is no file. Raises InputError on a damaged line."""
    if not path.exists():
        return
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield _PICTURE.validate_json(line)
            except ValidationError:
                raise InputError(f"{path}:{number}: not a token picture; delete the file.") from None
