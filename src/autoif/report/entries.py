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

PROSE, CODE, CASE, ANSWER = 2_000, 4_000, 1_200, 3_000
"""Longest texts, in characters."""
VERIFIERS, CASES, COMPLETIONS = 12, 24, 16
"""Most things shown of one instruction."""


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


def kept_entry(subject: Subject, outcome: str, thresholds: Thresholds | None) -> Entry:
    """An instruction that was kept. `thresholds` is None as long as its completions were not paired."""
    record = subject.record
    answers = _shown_answers(subject)
    entry = _about(record.instruction)
    verdicts: list[str] = []
    if isinstance(record, VerifiedInstruction):
        verdicts = [_letters(row, CASES) for row in record.case_verdicts[:VERIFIERS]]
        entry |= {"confidence": round(record.confidence, 4), "sure": words.band(record.confidence)}
        entry |= {"split": record.split, "why": shown(words.sentence(record.explanation), PROSE)}
    return entry | {
        "id": subject.id,
        "outcome": outcome,
        "verifiers": [_code(verifier.source, verifier.origin) for verifier in record.verifiers[:VERIFIERS]],
        "cases": [
            _case(case.response, case.follows, _column(verdicts, i)) for i, case in enumerate(record.cases[:CASES])
        ],
        "completions": [_completion(answer, subject, thresholds) for answer in answers],
        "more": len(subject.answers) - len(answers),
    }


def dropped_entry(example: Example) -> Entry:
    """Something that a stage dropped: an instruction's candidates with their verdicts, or whatever else it was."""
    place = {"id": f"unit {example.unit}", "outcome": f"{example.stage}/{example.reason}"}
    what = example.what if isinstance(example.what, dict) else {"text": example.what}
    return place | (_candidates(what) if example.stage == "crosscheck" else _anything(what))


def _candidates(what: dict[str, Any]) -> Entry:
    verdicts = [_letters(row, CASES) for row in _list(what.get("verdicts"))[:VERIFIERS]]
    cases = [case for case in _list(what.get("cases")) if isinstance(case, dict)][:CASES]
    return {
        **_instruction(what.get("instruction")),
        "why": shown(words.sentence(str(what.get("explanation") or "")), PROSE),
        "verifiers": [_code(str(source), "") for source in _list(what.get("verifiers"))[:VERIFIERS]],
        "cases": [
            _case(str(case.get("response", "")), bool(case.get("follows")), _column(verdicts, i))
            for i, case in enumerate(cases)
        ],
    }


def _anything(what: dict[str, Any]) -> Entry:
    """Any JSON object: an instruction when it is one, else its keys and values."""
    if "queries" in what:
        return _instruction(what)
    told = {key: _text(value, ANSWER) for key, value in what.items() if key not in ("id", "parent") and value}
    queries = [told.pop("query")] if "query" in told else []
    return {"queries": queries, "fields": [[words.field(key), value] for key, value in told.items()]}


def _instruction(what: Any) -> Entry:
    try:
        return _about(Instruction.model_validate(what))
    except ValidationError:
        return {"instruction": _text(what, PROSE)}


def _about(instruction: Instruction) -> Entry:
    return {
        "origin": instruction.origin,
        "kind": kind_of(instruction),
        "instruction": shown(instruction.text, PROSE),
        "queries": [shown(query.text, PROSE) for query in instruction.queries[:4]],
    }


def _code(source: str, origin: str) -> Entry:
    code = shown(source, CODE)
    return {"code": code, "spans": highlight(code), "origin": origin}


def _column(verdicts: Sequence[str], case: int) -> str:
    """The letters of all verifiers for one case; `verdicts` has a row of letters for each verifier."""
    return "".join(row[case : case + 1] for row in verdicts)


def _case(response: str, follows: bool, verdicts: str) -> Entry:
    return {"text": shown(response, CASE), "follows": follows, "verdicts": verdicts}


def _shown_answers(subject: Subject) -> list[Answer]:
    """The best first; when there are too many, those that no pair uses are left out first."""

    def unused(answer: Answer) -> bool:
        return not (subject.chosen[answer.completion.id] or subject.rejected[answer.completion.id])

    return sorted(sorted(subject.answers, key=unused)[:COMPLETIONS], key=lambda a: -(a.pass_rate or 0.0))


def _completion(answer: Answer, subject: Subject, thresholds: Thresholds | None) -> Entry:
    completion = answer.completion
    name, why = fate(answer, subject, thresholds)
    entry = {
        "text": shown(completion.text, ANSWER),
        "tokens": completion.tokens,
        "rate": answer.pass_rate,
        "verdicts": _letters(answer.verdicts or (), VERIFIERS),
        "fate": name,
        "why": why,
    }
    if len(subject.record.instruction.queries) > 1:
        entry["query"] = shown(completion.query, PROSE)
    if answer.quality is not None:
        entry["quality"] = f"{answer.quality} of 10. {shown(answer.quality_reason or '', PROSE)}"
    return entry


def _letters(names: Any, limit: int) -> str:
    return "".join(VERDICTS.get(str(name), UNKNOWN).letter for name in _list(names)[:limit])


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _text(value: Any, limit: int) -> str:
    return shown(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), limit)
