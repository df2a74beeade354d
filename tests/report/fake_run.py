"""Writes run directories that look like real ones, some of whose records are hostile."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fake_results import config, write_evaluation, write_training
from fake_text import CODE, HOSTILE, RULES, TOPICS, WORDS

from autoif.records import (
    Candidates,
    Completion,
    Instruction,
    PreferencePair,
    Query,
    Record,
    ScoredCompletion,
    TestCase,
    VerifiedInstruction,
    Verifier,
)


def write_run(
    run: Path, queries: int = 60, samples: int = 8, hostile: bool = False, stages: int = 9, seed: int = 0
) -> Path:
    """The first `stages` stages of a run with so many queries, and so many completions for each instruction."""
    draw = random.Random(seed)
    data = _Data(draw, queries, samples, HOSTILE if hostile else ())
    parts = (
        data.queries,
        data.instructions,
        data.verifiers,
        data.crosscheck,
        data.completions,
        data.scores,
        data.pairs,
    )
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.json").write_text(json.dumps(config()))
    names = [
        "queries",
        "instructions",
        "verifiers",
        "crosscheck",
        "completions",
        "scores",
        "pairs",
        "train",
        "evaluate",
    ]
    for number, part in enumerate(parts[:stages], 1):
        folder = run / f"{number:02d}_{names[number - 1]}"
        _write_stage(folder, part(), data.drops(names[number - 1]), tokens=number not in (1, 4, 6, 7))
    if stages >= 8:
        write_training(run / "08_train", draw)
    if stages >= 9:
        write_evaluation(run / "09_evaluate", draw, HOSTILE if hostile else ())
    return run


class _Data:
    """Records of all stages that fit together."""

    def __init__(self, draw: random.Random, count: int, samples: int, hostile: tuple[str, ...]) -> None:
        self.draw, self.samples, self.hostile = draw, samples, hostile
        self._queries = [self._query(i) for i in range(count)]
        self._verified = [self._verify(i, self._instruct(i, query)) for i, query in enumerate(self._queries)]
        self._scored: list[list[ScoredCompletion]] | None = None

    def queries(self) -> Iterable[Query]:
        return self._queries

    def instructions(self) -> Iterable[Instruction]:
        return (v.instruction for v in self._verified)

    def verifiers(self) -> Iterable[Candidates]:
        for v in self._verified:
            yield Candidates.make(
                parent=v.instruction.id, instruction=v.instruction, verifiers=v.verifiers, cases=v.cases
            )

    def crosscheck(self) -> Iterable[VerifiedInstruction]:
        return self._verified

    def completions(self) -> Iterator[Completion]:
        return (s.completion for group in self.groups() for s in group)

    def scores(self) -> Iterator[ScoredCompletion]:
        return (s for group in self.groups() for s in group)

    def pairs(self) -> Iterator[PreferencePair]:
        for group in self.groups():
            chosen = [s for s in group if s.pass_rate >= 0.5]
            rejected = [s for s in group if s.pass_rate == 0]
            yield from (_pair(c, r) for c, r in zip(chosen, rejected, strict=False))

    def groups(self) -> list[list[ScoredCompletion]]:
        if self._scored is None:
            self._scored = [
                [self._score(v, n) for n in range(self.samples)] for v in self._verified if v.split == "train"
            ]
        return self._scored

    def drops(self, stage: str) -> Iterator[tuple[str, Any]]:
        """(reason, what) as each stage writes them."""
        texts = ("Short.", "¿Qué hora es?", *self.hostile)
        few = max(2, len(self._queries) // 20)
        if stage == "queries":
            yield from (("duplicate", q.model_dump(mode="json")) for q in self._queries[:few])
            yield from (("too_short", {"text": text}) for text in texts)
        if stage == "instructions":
            yield from (("answers_the_query", {"text": text, "query": TOPICS[0], "parent": "x"}) for text in texts)
            yield from (("near_duplicate", v.instruction.model_dump(mode="json")) for v in self._verified[:few])
        if stage == "verifiers":
            yield from (("no_function", {"text": text, "parent": "x", "error": None}) for text in texts)
        if stage == "crosscheck":
            for v, reason in zip(
                self._verified, ("one_polarity", "below_threshold", "does_not_compile") * few, strict=False
            ):
                yield reason, _evidence(v, self.draw)
        if stage == "completions":
            yield from (("truncated", {"text": text, "query": TOPICS[1], "parent": "x"}) for text in texts)
        if stage == "scores":
            yield "unstable", {"text": "…", "verdicts": ["TIMEOUT", "ERROR"], "parent": "x"}
        if stage == "pairs":
            yield from (("no_contrast", {"prompt": text, "parent": "x", "pass_rates": [0.25, 0.25]}) for text in texts)

    def _text(self, place: int, plain: str) -> str:
        return f"{plain} {self.hostile[place % len(self.hostile)]}" if self.hostile and place % 2 else plain

    def _query(self, i: int) -> Query:
        return Query.make(text=self._text(i, f"{TOPICS[i % len(TOPICS)]} (question {i})"), source="fake")

    def _instruct(self, i: int, query: Query) -> tuple[Instruction, str]:
        seed, rule, body = RULES[i % len(RULES)]
        fill = {"n": str(2 + i % 5), "word": self.draw.choice(WORDS)}
        for key, value in fill.items():
            rule, body = rule.replace("{" + key + "}", value), body.replace("{" + key + "}", value)
        origin = "seed" if seed else "model"
        instruction = Instruction.make(
            parent=query.id, text=self._text(i + 2, rule), origin=origin, queries=(query,), seed=seed
        )
        return instruction, CODE.replace("{rule}", self._text(i + 4, rule)).replace("{body}", body)

    def _verify(self, i: int, written: tuple[Instruction, str]) -> VerifiedInstruction:
        instruction, code = written
        verifiers = tuple(
            Verifier.make(parent=instruction.id, source=f"{code}# {k}\n", origin="model") for k in range(2 + i % 3)
        )
        cases = tuple(
            TestCase.make(
                parent=instruction.id, response=self._text(i + k, self._prose(6)), follows=k % 2 == 0, origin="model"
            )
            for k in range(4)
        )
        return VerifiedInstruction.make(
            parent=instruction.id,
            instruction=instruction,
            verifiers=verifiers,
            cases=cases,
            explanation=f"kept: {len(verifiers)} of 4 verifiers agree with 4 test cases (2 that follow, 2 that do not)",
            confidence=(1.0, 0.97, 0.93, 0.5)[i % 4],
            split=("train", "train", "train", "heldout_query", "train", "train", "heldout_instruction")[i % 7],
        )

    def _score(self, verified: VerifiedInstruction, number: int) -> ScoredCompletion:
        query = verified.instruction.queries[0].text
        words = self.draw.randint(12, 160)
        completion = Completion.make(
            parent=verified.id,
            query=query,
            instruction=verified.instruction.text,
            prompt=f"{query}\n{verified.instruction.text}",
            text=self._text(number, self._prose(words)),
            sample=number,
            tokens=int(words * 1.3),
        )
        first = self.draw.choice(("TRUE", "FALSE", "FALSE"))
        verdicts = tuple(
            first if self.draw.random() < 0.85 else self.draw.choice(("TRUE", "FALSE", "ERROR", "TIMEOUT"))
            for _ in verified.verifiers
        )
        rate = verdicts.count("TRUE") / len(verdicts)
        return ScoredCompletion.make(parent=completion.id, completion=completion, verdicts=verdicts, pass_rate=rate)

    def _prose(self, words: int) -> str:
        chosen = [self.draw.choice(WORDS) for _ in range(words)]
        return " ".join(w.capitalize() if i % 11 == 0 else w + "." * (i % 11 == 10) for i, w in enumerate(chosen)) + "."


def _pair(chosen: ScoredCompletion, rejected: ScoredCompletion) -> PreferencePair:
    return PreferencePair.make(
        parent=chosen.completion.parent,
        prompt=[{"role": "user", "content": chosen.completion.prompt}],
        chosen=[{"role": "assistant", "content": chosen.completion.text}],
        rejected=[{"role": "assistant", "content": rejected.completion.text}],
        chosen_id=chosen.completion.id,
        rejected_id=rejected.completion.id,
        chosen_score=chosen.pass_rate,
        rejected_score=rejected.pass_rate,
    )


def _evidence(v: VerifiedInstruction, draw: random.Random) -> dict[str, Any]:
    return {
        "parent": v.parent,
        "instruction": v.instruction.model_dump(mode="json"),
        "explanation": "dropped: 0 of 4 verifiers agree with 2 test cases (2 that follow, 0 that do not)",
        "verifiers": [verifier.source for verifier in v.verifiers],
        "cases": [{"response": case.response, "follows": case.follows} for case in v.cases],
        "verdicts": [[draw.choice(("TRUE", "FALSE", "ERROR", "NOT_BOOL")) for _ in v.cases] for _ in v.verifiers],
    }


def _write_stage(folder: Path, records: Iterable[Record], drops: Iterable[tuple[str, Any]], tokens: bool) -> None:
    folder.mkdir()
    kept, reasons = 0, Counter[str]()
    with open(folder / "records.jsonl", "w", encoding="utf-8") as lines:
        for kept, record in enumerate(records, 1):  # noqa: B007
            lines.write(record.model_dump_json() + "\n")
    with open(folder / "dropped.jsonl", "w", encoding="utf-8") as lines:
        for unit, (reason, what) in enumerate(drops):
            reasons[reason] += 1
            lines.write(json.dumps({"unit": unit, "reason": reason, "what": what}) + "\n")
    stats = {"stage": folder.name, "in": kept, "kept": kept, "dropped": dict(reasons.most_common())}
    spent = {"prompt_tokens": kept * 211 * tokens, "completion_tokens": kept * 97 * tokens, "seconds": kept * 0.37}
    (folder / "stats.json").write_text(json.dumps(stats | spent))
    (folder / "done").touch()
