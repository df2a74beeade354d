"""One pass over a run's records: counts for the figures, and the records of the instructions that are shown."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from autoif.records import (
    Candidates,
    Completion,
    Instruction,
    PreferencePair,
    ScoredCompletion,
    VerifiedInstruction,
)
from autoif.report.folder import RunFolder


@dataclass(frozen=True, slots=True)
class Answer:
    """A completion with what is known of it so far; `verdicts` and `pass_rate` are None before it was scored."""

    completion: Completion
    verdicts: tuple[str, ...] | None = None
    pass_rate: float | None = None
    quality: int | None = None
    quality_reason: str | None = None


@dataclass(slots=True)
class Subject:
    """An instruction that is shown, with everything that belongs to it."""

    id: str
    record: VerifiedInstruction | Candidates
    answers: list[Answer] = field(default_factory=list)
    chosen: Counter[str] = field(default_factory=Counter)
    """How many pairs each completion id was chosen in."""
    rejected: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Tally:
    subjects: dict[str, Subject]
    """A sample of the instructions, by id."""
    origins: Counter[str]
    """All the instructions that the sample was drawn from, by who wrote them."""
    pass_rates: Counter[int] = field(default_factory=Counter)
    """Completions by tenths of their pass rate."""
    agreements: Counter[int] = field(default_factory=Counter)
    """Completions by tenths of the share of verifiers that say the same, where there are two or more."""
    tokens: Counter[int] = field(default_factory=Counter)
    """Completions by length in tokens."""
    by_instruction: dict[str, list[float]] = field(default_factory=dict)
    """Of each instruction: the sum of the pass rates and the number of completions."""

    def add(self, answer: Answer) -> None:
        completion = answer.completion
        self.tokens[completion.tokens] += 1
        if answer.pass_rate is not None and answer.verdicts:
            self.pass_rates[tenths(answer.pass_rate)] += 1
            if len(answer.verdicts) > 1:
                self.agreements[tenths(agreement(answer.verdicts))] += 1
            mean = self.by_instruction.setdefault(completion.parent or "", [0.0, 0])
            mean[0] += answer.pass_rate
            mean[1] += 1
        if subject := self.subjects.get(completion.parent or ""):
            subject.answers.append(answer)

    def mean_pass_rates(self) -> Counter[int]:
        """Instructions by tenths of the mean pass rate of their completions."""
        return Counter(tenths(total / count) for total, count in self.by_instruction.values())


def tally(run: RunFolder, sample: int) -> Tally:
    """Reads stages 3 to 7 once each. At most `sample` instructions are kept in memory with their completions.

    The sample is those with the smallest ids. Ids are hashes, so it is drawn evenly, and the same on every call.
    """
    origins: Counter[str] = Counter()

    def counted() -> Iterator[VerifiedInstruction | Candidates]:
        for record in _instructions(run):
            origins[record.instruction.origin] += 1
            yield record

    drawn = heapq.nsmallest(sample, counted(), key=lambda record: record.id)
    found = Tally({record.id: Subject(record.id, record) for record in drawn}, origins)
    for answer in _answers(run):
        found.add(answer)
    for pair in run.records("pairs", PreferencePair):
        if subject := found.subjects.get(pair.parent or ""):
            subject.chosen[pair.chosen_id] += 1
            subject.rejected[pair.rejected_id] += 1
    return found


def _instructions(run: RunFolder) -> Iterator[VerifiedInstruction | Candidates]:
    """The verified instructions, or what is there before the first is verified."""
    if run.has("crosscheck"):
        yield from run.records("crosscheck", VerifiedInstruction)
    elif run.has("verifiers"):
        yield from run.records("verifiers", Candidates)
    else:
        for instruction in run.records("instructions", Instruction):
            yield Candidates(id=instruction.id, instruction=instruction, verifiers=(), cases=())


def _answers(run: RunFolder) -> Iterator[Answer]:
    if run.has("scores"):
        for s in run.records("scores", ScoredCompletion):
            yield Answer(s.completion, s.verdicts, s.pass_rate, s.quality, s.quality_reason)
    else:
        for completion in run.records("completions", Completion):
            yield Answer(completion)


def agreement(verdicts: tuple[str, ...]) -> float:
    """The share of the verifiers that say what most of them say."""
    return max(Counter(verdicts).values()) / len(verdicts)


def tenths(rate: float) -> int:
    """0 to 10; only an exact 0 is 0 and only an exact 1 is 10."""
    return 10 if rate >= 1 else 0 if rate <= 0 else min(9, max(1, math.floor(10 * rate + 0.5)))
