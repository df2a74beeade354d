"""The numbered inputs of the stages, where they are more than the lines of one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, groupby, islice, repeat
from typing import Any

from autoif.config import InstructionsConfig
from autoif.records import Completion, Drop, Outcome, Query, VerifiedInstruction
from autoif.store import Sift

Units = Iterable[tuple[int, Any]]


def sifted(outcomes: Iterable[Outcome[Query]], sift: Sift[Query]) -> Iterator[Outcome[Query]]:
    """The outcomes with the queries dropped for which `sift` gives a reason."""
    for outcome in outcomes:
        drops = tuple(Drop(reason, query) for query in outcome.kept if (reason := sift(query)))
        kept = () if drops else outcome.kept
        yield Outcome(outcome.unit, kept, outcome.dropped + drops, outcome.usage)


def limited(outcomes: Iterable[Outcome[Query]], limit: int | None, kept: int) -> Iterator[Outcome[Query]]:
    """Outcomes until `limit` queries are kept, of which an earlier process kept `kept`."""
    if limit is not None and kept >= limit:
        return
    for outcome in outcomes:
        kept += len(outcome.kept)
        yield outcome
        if kept == limit:
            return


def paper_batches(queries: Iterable[Query], wanted: InstructionsConfig) -> tuple[Units, int]:
    """(batches, their number): one a reply, `queries_per_instruction` for each of its lines. Queries may repeat."""
    size = wanted.rewrites_per_reply * wanted.queries_per_instruction
    endless = chain.from_iterable(queries for _ in repeat(None))
    return ((number, tuple(islice(endless, size))) for number in range(wanted.rewrite_replies)), wanted.rewrite_replies


def prompts(verified: Iterable[VerifiedInstruction]) -> Units:
    """Each verified instruction with each of its queries."""
    return enumerate((one, query) for one in verified for query in one.instruction.queries)


def answered(
    verified: Iterable[VerifiedInstruction], completions: Iterable[Completion]
) -> Iterator[tuple[int, tuple[VerifiedInstruction, tuple[Completion, ...]]]]:
    """Verified instructions with their completions: a merge, since both files are in the same order."""
    groups = groupby(completions, key=lambda completion: completion.parent)
    parent, group = next(groups, (None, iter(())))
    for number, instruction in enumerate(verified):
        if instruction.id == parent:
            yield number, (instruction, tuple(group))
            parent, group = next(groups, (None, iter(())))
        else:
            yield number, (instruction, ())
