"""The records that flow from stage to stage, one class per noun.

Every record is immutable, carries the `id` of its content and the id of its `parent`, and is one JSON line on disk.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict

Origin = Literal["seed", "model"]
Split = Literal["train", "heldout_query", "heldout_instruction"]
Parameter = str | int
Message = dict[str, str]


def clean(text: str) -> str:
    """`text` without lone surrogates, which neither UTF-8 nor a tokenizer can carry."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = ""
    parent: str | None = None

    @classmethod
    def make(cls, **fields: Any) -> Self:
        """A record whose id is the hash of its other fields (80 bits: no collision below 10^9 records)."""
        record = cls(**fields)
        digest = hashlib.blake2b(record.line(), digest_size=10, person=cls.__name__.encode()[:16]).hexdigest()
        record.__dict__["id"] = digest  # frozen for everyone else; a copy would double the cost of making one
        return record

    def line(self) -> bytes:
        """The record as one JSON line without its newline (`model_dump_json` less two conversions)."""
        return self.__pydantic_serializer__.to_json(self)


class Query(Record):
    """A user's first message, as found in `source`."""

    text: str
    source: str


class Instruction(Record):
    """A verifiable constraint for one or more queries (several only in `paper` mode)."""

    text: str
    origin: Origin
    queries: tuple[Query, ...]
    seed: str | None = None
    """Name of the hand-written seed, for origin `seed`."""
    parameters: dict[str, Parameter] = {}
    """What the seed's `$name` places were filled with."""


class Verifier(Record):
    """Python source that defines `evaluate(response: str) -> bool`. Never executed outside the sandbox."""

    source: str
    origin: Origin


class TestCase(Record):
    """A response and whether its writer says that it follows. The parent of a mutation is the case that it breaks."""

    __test__ = False  # not a pytest class

    response: str
    follows: bool
    origin: Origin


class Candidates(Record):
    """An instruction with everything that was written to verify it."""

    instruction: Instruction
    verifiers: tuple[Verifier, ...]
    cases: tuple[TestCase, ...]


class VerifiedInstruction(Record):
    """An instruction whose kept verifiers and test cases agree when executed."""

    instruction: Instruction
    verifiers: tuple[Verifier, ...]
    cases: tuple[TestCase, ...]
    case_verdicts: tuple[tuple[str, ...], ...] = ()
    """What each kept verifier said of each kept case: names of verdicts, verifiers x cases."""
    explanation: str
    """One sentence for people: why it was kept."""
    confidence: float = 1.0
    """How likely a label that its verifiers give is right, from 0 to 1."""
    split: Split = "train"


class Completion(Record):
    """One answer of the policy to query + instruction."""

    query: str
    instruction: str
    prompt: str
    """The user message that training uses: query and instruction, never a verifier."""
    text: str
    sample: int
    tokens: int
    cut: bool = False
    """Cut at the longest reply while it looped, which no verifier need mind. Other answers that are cut are dropped."""


class ScoredCompletion(Record):
    """A completion and what the kept verifiers said of it."""

    completion: Completion
    verdicts: tuple[str, ...]
    pass_rate: float
    """Share of the verifiers that say True; 0 for an answer that was cut."""
    confidence: float = 1.0
    """That of the instruction, times the share of the verifiers that say what most say."""
    quality: int | None = None
    """1 to 10: how well the answer serves the query, by the writer (paper section 3.3)."""
    quality_reason: str | None = None


class PreferencePair(Record):
    """TRL's conversational preference format, with its lineage."""

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    chosen_id: str
    rejected_id: str
    chosen_score: float
    rejected_score: float
    confidence: float = 1.0
    """How likely the chosen one follows the instruction and the rejected one does not: the lesser of the two."""
    rejected_cut: bool = False
    """The rejected one has no end of turn: it was cut while it looped."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The first turn of a conversation, as found at `source`, such as `file.jsonl:12`."""

    text: str | None
    """None when the first turn is not a human's."""
    source: str
    problem: str | None = None
    """Why the row could not be read, if it could not."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Something a stage did not keep: a short reason and what it was (any JSON value)."""

    reason: str
    what: Any


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that an engine read and wrote."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.prompt_tokens + other.prompt_tokens, self.completion_tokens + other.completion_tokens)


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """What became of one input of a stage. `unit` is the input's number, counted from 0."""

    unit: int
    kept: tuple[R, ...] = ()
    dropped: tuple[Drop, ...] = ()
    usage: Usage = field(default_factory=Usage)
