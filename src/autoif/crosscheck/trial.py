"""One instruction's verifiers on trial: the texts they are called on, the sandbox's jobs, the verdicts in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice

from autoif.crosscheck.decision import BOOLEAN
from autoif.crosscheck.demands import Toggle, demands, toggles
from autoif.crosscheck.probes import nudged, unspoken
from autoif.sandbox import Job, Result, Sandbox


@dataclass(frozen=True)
class Trial:
    """`cases` are tried as they are (test cases of the writer), `answers` in variations too (probes, completions)."""

    instruction: str
    sources: Sequence[str]
    cases: Sequence[str]
    answers: Sequence[str]
    mutations: Mapping[int, int] = field(default_factory=dict)
    """Of the cases those that the writer made by breaking another one: index of the broken case by their own."""
    toggled: bool = True
    """Whether to try what the instruction speaks of. Labelling answers needs it no more."""

    @cached_property
    def toggles(self) -> list[Toggle]:
        """What the instruction speaks of, changed: one list for all verifiers."""
        if not self.toggled:
            return []
        texts = [*self.cases, *self.answers]
        return [*toggles(self.instruction, self.answers), *demands(self.instruction, texts)]

    def jobs(self) -> list[Job]:
        """Each verifier on all texts, followed by its nudged copies on the answers."""
        pairs = self.toggles
        changed = [change(answer) for change in unspoken(self.instruction) for answer in self.answers]
        texts = (*self.cases, *self.answers, *changed, *(p.passes for p in pairs), *(p.fails for p in pairs))
        found = []
        for source in self.sources:
            found.append(Job("", source, texts))
            found += [Job("", copy, tuple(self.answers)) for copy in self._copies(source)]
        return found

    def run(self, sandbox: Sandbox) -> list[Tried]:
        """One entry per verifier, each called twice on everything."""
        jobs = [replace(job, id=str(number)) for number, job in enumerate(self.jobs())]
        results = {result.id: result for result in sandbox.run(jobs, check_determinism=True)}
        return self.read([results[job.id] for job in jobs])

    def _copies(self, source: str) -> list[str]:
        return nudged(source, self.instruction) if self.answers else []

    def read(self, results: Sequence[Result]) -> list[Tried]:
        """The results of `jobs`, in their order, taken apart: one entry per verifier."""
        left = iter(results)
        return [self._apart(next(left), list(islice(left, len(self._copies(source))))) for source in self.sources]

    def _apart(self, result: Result, copies: Sequence[Result]) -> Tried:
        row, nudged_rows = _names(result), [_names(copy) for copy in copies]
        cases, answers, pairs = len(self.cases), len(self.answers), len(self.toggles)
        end = len(row) - 2 * pairs
        blocks = [row[start : start + answers] for start in range(cases, end, answers)] if answers else [[]]
        verdicts = row[end : end + pairs], row[end + pairs :]
        return Tried(row[:cases], blocks[0], blocks[1:], *verdicts, nudged_rows, result.deterministic)


@dataclass(frozen=True)
class Tried:
    """The names of one verifier's verdicts."""

    cases: Sequence[str]
    answers: Sequence[str]
    changed: Sequence[Sequence[str]]
    """One row per change that must not matter, over the answers."""
    passes: Sequence[str]
    fails: Sequence[str]
    """On the two sides of the toggles."""
    nudged: Sequence[Sequence[str]]
    """One row per nudged copy, over the answers."""
    deterministic: bool

    @property
    def plain(self) -> list[str]:
        """On all texts as they are."""
        return [*self.cases, *self.answers]


def _names(result: Result) -> list[str]:
    return [verdict.name for verdict in result.verdicts]


def steady(members: Sequence[Tried]) -> Iterator[str | None]:
    """For each answer the verdict on which all members agree whatever is changed, None where they do not."""
    for k in range(len(members[0].answers)):
        told = {row[k] for member in members for row in (member.answers, *member.changed, *member.nudged)}
        yield told.pop() if len(told) == 1 and told <= BOOLEAN else None
