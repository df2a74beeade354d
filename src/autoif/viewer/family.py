"""One record with everything it belongs to: from its query to the pairs that came of its instruction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ValidationError

from autoif.errors import InputError
from autoif.lineage import Found, ancestors, attach_descendants
from autoif.records import (
    Candidates,
    Completion,
    Instruction,
    PreferencePair,
    Record,
    ScoredCompletion,
    VerifiedInstruction,
)
from autoif.report.entries import Entry, Room, dropped_entry, kept_entry, shown_answers
from autoif.report.fates import Thresholds, outcome
from autoif.report.folder import Example
from autoif.report.tally import Answer, Subject
from autoif.report.text import shown
from autoif.viewer.cards import Card, content_of, record_card
from autoif.viewer.shelf import Shelf

R = TypeVar("R", bound=Record)

WHOLE = Room(20_000, 20_000, 20_000, 20_000, verifiers=64, cases=256, completions=256)
"""For a page of one instruction: nearly everything."""
PAIRS = 64
"""Most pairs, and most drops, shown of one instruction."""


@dataclass(frozen=True, slots=True)
class Pair:
    id: str
    chosen: str
    rejected: str
    chosen_score: float
    rejected_score: float


@dataclass(frozen=True, slots=True)
class Family:
    """What the page of a record shows. Of a query: the instructions that came of it."""

    entry: Entry
    asked: str = ""
    """The id of the completion or pair that was asked for."""
    query: Card | None = None
    instructions: list[Card] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    drops: list[Entry] = field(default_factory=list)
    more: int = 0
    """Pairs and drops that are not shown."""


def family(shelf: Shelf, found: Found) -> Family:
    """What is known of a record's instruction by now. Raises InputError when one of its records cannot be read."""
    line = [*ancestors(shelf, found), found]
    root = next((step for step in line if step.stage != "queries"), found)
    attach_descendants(shelf, root)
    if root.stage == "queries":
        return _of_query(root)
    members = list(_members(root))
    main, subject = _main(shelf, members, found)
    pairs = [_read(member, PreferencePair) for member in members if member.stage == "pairs" and not member.reason]
    drops = [member for member in members if member.reason and member is not main]
    return Family(
        subject,
        asked=str(found.content.get("parent" if found.stage == "scores" else "id")),
        query=record_card(line[0].stage, line[0].content) if line[0].stage == "queries" else None,
        pairs=[_pair(pair) for pair in pairs[:PAIRS]],
        drops=[drop_entry(drop) for drop in drops[:PAIRS]],
        more=max(0, len(pairs) - PAIRS) + max(0, len(drops) - PAIRS),
    )


def _of_query(root: Found) -> Family:
    return Family(
        {"id": root.content["id"], "outcome": "", "queries": [shown(str(root.content.get("text")), WHOLE.prose)]},
        instructions=[record_card(child.stage, child.content) for child in root.children if not child.reason],
        drops=[drop_entry(child) for child in root.children if child.reason][:PAIRS],
    )


def drop_entry(drop: Found) -> Entry:
    return dropped_entry(Example(drop.stage, drop.reason or "", 0, drop.content), WHOLE)


def _members(root: Found) -> Iterator[Found]:
    yield root
    for child in root.children:
        yield from _members(child)


def _main(shelf: Shelf, members: list[Found], found: Found) -> tuple[Found, Entry]:
    """What the page is about: the verified instruction, or how far it came, and how that is shown."""
    checked = [member for member in members if member.stage == "crosscheck"]
    if checked and all(member.reason for member in checked):
        return checked[0], drop_entry(checked[0])
    subject = _subject(members)
    if subject is None:
        return found, dropped_entry(Example(found.stage, "", 0, found.content), WHOLE) | {"outcome": ""}
    paired = isinstance(subject.record, VerifiedInstruction) and shelf.run.has("pairs")
    thresholds = Thresholds.of(shelf.run) if paired else None
    entry = kept_entry(subject, outcome(subject, paired), thresholds, WHOLE)
    for item, answer in zip(entry["completions"], shown_answers(subject, WHOLE), strict=True):
        item["id"] = answer.completion.id
    return found, entry


def _subject(members: list[Found]) -> Subject | None:
    kept = [member for member in members if not member.reason]
    record = _record(kept)
    if record is None:
        return None
    subject = Subject(record.id, record)
    scores = {score.parent: score for score in (_read(m, ScoredCompletion) for m in kept if m.stage == "scores")}
    for completion in (_read(member, Completion) for member in kept if member.stage == "completions"):
        s = scores.get(completion.id)
        more = (s.verdicts, s.pass_rate, s.quality, s.quality_reason) if s else ()
        subject.answers.append(Answer(completion, *more))
    for pair in (member.content for member in kept if member.stage == "pairs"):
        subject.chosen[pair["chosen_id"]] += 1
        subject.rejected[pair["rejected_id"]] += 1
    return subject


def _record(kept: list[Found]) -> VerifiedInstruction | Candidates | None:
    by_stage = {member.stage: member for member in reversed(kept)}
    if "crosscheck" in by_stage:
        return _read(by_stage["crosscheck"], VerifiedInstruction)
    if "verifiers" in by_stage:
        return _read(by_stage["verifiers"], Candidates)
    if "instructions" in by_stage:
        instruction = _read(by_stage["instructions"], Instruction)
        return Candidates(id=instruction.id, instruction=instruction, verifiers=(), cases=())
    return None


def _read(found: Found, model: type[R]) -> R:
    try:
        return model.model_validate(found.content)
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise InputError(f"{found.stage}, {found.content.get('id')}: not a {model.__name__} ({problem}).") from None


def _pair(pair: PreferencePair) -> Pair:
    texts = [shown(content_of(messages), WHOLE.answer) for messages in (pair.chosen, pair.rejected)]
    return Pair(pair.id, texts[0], texts[1], pair.chosen_score, pair.rejected_score)


def parent_of(shelf: Shelf, drop: Found) -> Found | None:
    """The record that a dropped thing was made for, if there is one."""
    line = ancestors(shelf, drop)
    return line[-1] if line else None
