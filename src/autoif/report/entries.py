"""What the browser of instructions shows: records turned into JSON, cut to a size that a page can carry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from autoif.records import Instruction, VerifiedInstruction
from autoif.report import words
from autoif.report.fates import Thresholds, fate
from autoif.report.folder import Example
from autoif.report.tally import Answer, Subject
from autoif.report.text import highlight, shown
from autoif.seeds import kind_of

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Room:
    """The longest texts, in characters, and the most things that are shown of one instruction."""

    prose: int
    code: int
    case: int
    answer: int
    verifiers: int
    cases: int
    completions: int


PAGE = Room(2_000, 4_000, 1_200, 3_000, verifiers=12, cases=24, completions=16)
"""For a page that carries thousands of instructions."""


@dataclass(frozen=True, slots=True)
class Verdict:
    letter: str
    sign: str
    meaning: str


VERDICTS = {
    "TRUE": Verdict("T", "✓", "yes, it follows"),
    "FALSE": Verdict("F", "✗", "no, it does not follow"),
    "NOT_BOOL": Verdict("N", "?", "returned neither True nor False"),
    "ERROR": Verdict("E", "!", "raised an exception"),
    "TIMEOUT": Verdict("O", "…", "took too long"),
    "CRASH": Verdict("C", "#", "crashed"),
    "SKIPPED": Verdict("S", "–", "not asked, after earlier faults"),
    "NO_COMPILE": Verdict("X", "∅", "does not compile"),
}
UNKNOWN = Verdict("U", " ", "unknown")


def kept_entry(subject: Subject, outcome: str, thresholds: Thresholds | None, room: Room = PAGE) -> Entry:
    """An instruction that was kept. `thresholds` is None as long as its completions were not paired."""
    record = subject.record
    answers = shown_answers(subject, room)
    entry = _about(record.instruction, room)
    verdicts: list[str] = []
    if isinstance(record, VerifiedInstruction):
        verdicts = [_letters(row, room.cases) for row in record.case_verdicts[: room.verifiers]]
        entry |= {"confidence": round(record.confidence, 4), "sure": words.band(record.confidence)}
        entry |= {"split": record.split, "why": shown(words.sentence(record.explanation), room.prose)}
    return entry | {
        "id": subject.id,
        "outcome": outcome,
        "verifiers": [_code(verifier.source, verifier.origin, room) for verifier in record.verifiers[: room.verifiers]],
        "cases": [
            _case(case.response, case.follows, _column(verdicts, i), room)
            for i, case in enumerate(record.cases[: room.cases])
        ],
        "completions": [_completion(answer, subject, thresholds, room) for answer in answers],
        "more": len(subject.answers) - len(answers),
    }


def dropped_entry(example: Example, room: Room = PAGE) -> Entry:
    """Something that a stage dropped: an instruction's candidates with their verdicts, or whatever else it was."""
    place = {"id": f"unit {example.unit}", "outcome": f"{example.stage}/{example.reason}"}
    what = example.what if isinstance(example.what, dict) else {"text": example.what}
    return place | (_candidates(what, room) if example.stage == "crosscheck" else _anything(what, room))


def _candidates(what: dict[str, Any], room: Room) -> Entry:
    verdicts = [_letters(row, room.cases) for row in _list(what.get("verdicts"))[: room.verifiers]]
    cases = [case for case in _list(what.get("cases")) if isinstance(case, dict)][: room.cases]
    return {
        **_instruction(what.get("instruction"), room),
        "why": shown(words.sentence(str(what.get("explanation") or "")), room.prose),
        "verifiers": [_code(str(source), "", room) for source in _list(what.get("verifiers"))[: room.verifiers]],
        "cases": [
            _case(str(case.get("response", "")), bool(case.get("follows")), _column(verdicts, i), room)
            for i, case in enumerate(cases)
        ],
    }


def _anything(what: dict[str, Any], room: Room) -> Entry:
    """Any JSON object: an instruction when it is one, else its keys and values."""
    if "queries" in what:
        return _instruction(what, room)
    told = {key: _text(value, room.answer) for key, value in what.items() if key not in ("id", "parent") and value}
    queries = [told.pop("query")] if "query" in told else []
    return {"queries": queries, "fields": [[words.field(key), value] for key, value in told.items()]}


def _instruction(what: Any, room: Room) -> Entry:
    try:
        return _about(Instruction.model_validate(what), room)
    except ValidationError:
        return {"instruction": _text(what, room.prose)}


def _about(instruction: Instruction, room: Room) -> Entry:
    return {
        "origin": instruction.origin,
        "kind": kind_of(instruction),
        "instruction": shown(instruction.text, room.prose),
        "queries": [shown(query.text, room.prose) for query in instruction.queries[:4]],
    }


def _code(source: str, origin: str, room: Room) -> Entry:
    code = shown(source, room.code)
    return {"code": code, "spans": highlight(code), "origin": origin}


def _column(verdicts: Sequence[str], case: int) -> str:
    """The letters of all verifiers for one case; `verdicts` has a row of letters for each verifier."""
    return "".join(row[case : case + 1] for row in verdicts)


def _case(response: str, follows: bool, verdicts: str, room: Room) -> Entry:
    return {"text": shown(response, room.case), "follows": follows, "verdicts": verdicts}


def shown_answers(subject: Subject, room: Room) -> list[Answer]:
    """The best first; when there are too many, those that no pair uses are left out first."""

    def unused(answer: Answer) -> bool:
        return not (subject.chosen[answer.completion.id] or subject.rejected[answer.completion.id])

    return sorted(sorted(subject.answers, key=unused)[: room.completions], key=lambda a: -(a.pass_rate or 0.0))


def _completion(answer: Answer, subject: Subject, thresholds: Thresholds | None, room: Room) -> Entry:
    completion = answer.completion
    name, why = fate(answer, subject, thresholds)
    entry = {
        "text": shown(completion.text, room.answer),
        "tokens": completion.tokens,
        "rate": answer.pass_rate,
        "verdicts": _letters(answer.verdicts or (), room.verifiers),
        "fate": name,
        "why": why,
    }
    if len(subject.record.instruction.queries) > 1:
        entry["query"] = shown(completion.query, room.prose)
    if answer.quality is not None:
        entry["quality"] = f"{answer.quality} of 10. {shown(answer.quality_reason or '', room.prose)}"
    return entry


def _letters(names: Any, limit: int) -> str:
    return "".join(VERDICTS.get(str(name), UNKNOWN).letter for name in _list(names)[:limit])


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _text(value: Any, limit: int) -> str:
    return shown(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), limit)
