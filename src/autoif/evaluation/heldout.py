"""Pass rates on the verified instructions that training never saw, of the policy and of its reference."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from autoif.config import EvaluateConfig
from autoif.engines.base import Engine, Request, Sampling
from autoif.errors import NothingToDoError
from autoif.evaluation.answers import Answer, Progress, collect, silent
from autoif.evaluation.bootstrap import mean_interval, paired_difference
from autoif.gather import gather
from autoif.prompts import draw, user, user_prompt
from autoif.records import Query, VerifiedInstruction
from autoif.sandbox import Job, Sandbox, Verdict
from autoif.seeds import SEEDS

T = TypeVar("T")
SIDES = ("reference", "policy")
PASSES_AT = 0.5  # an answer follows its instruction when at least this share of the verifiers say True


@dataclass(frozen=True, slots=True)
class Question:
    """One prompt that both models answer: sample number `sample` of a held-out instruction with one of its queries."""

    id: str
    verified: VerifiedInstruction
    query: Query
    sample: int

    def request(self, sampling: Sampling) -> Request:
        return Request(self.id, [user(user_prompt(self.query.text, self.verified.instruction.text))], sampling)


@dataclass(frozen=True, slots=True)
class Graded:
    """What both models answered to one question, and the share of the verifiers that each answer passes."""

    question: Question
    answers: dict[str, Answer]
    pass_rates: dict[str, float]

    def passes(self, side: str) -> bool:
        return self.pass_rates[side] >= PASSES_AT


def evaluate_heldout(
    verified: Iterable[VerifiedInstruction],
    policy: Callable[[], Engine],
    reference: Callable[[], Engine],
    sandbox: Sandbox,
    config: EvaluateConfig,
    seed: int,
    folder: Path,
    progress: Progress = silent,
) -> dict[str, Any]:
    """The `heldout` part of scores.json; the answers go to `folder`/samples/heldout.jsonl.

    Instructions of the split `train` are passed over. The models are opened one after the other, to save memory, and
    get the same prompts with the same sampling seeds. An instruction's score is the mean, over its queries and samples,
    of whether the answer passes at least half of its verifiers; the bootstrap draws instructions. What was answered
    survives a kill, in `folder`/answers; remove that folder when a model has changed.

    Raises NothingToDoError when nothing was held out or nothing was answered, EngineError, SandboxError.
    """
    questions = _questions(_choose(verified, config.heldout_limit, seed), config.samples)
    requests = [question.request(_sampling(config, seed, question.id)) for question in questions]
    engines = {"reference": reference, "policy": policy}
    answers = {
        side: collect(engines[side], requests, folder / f"answers/heldout.{side}.jsonl", progress) for side in SIDES
    }
    answered = [q for q in questions if all(q.id in answers[side] for side in SIDES)]
    if not answered:
        raise NothingToDoError(
            "evaluate: the models answered none of the held-out prompts, so there is nothing to compare."
        )
    graded = _grade(answered, answers, sandbox)
    _save_samples(graded, folder / "samples/heldout.jsonl")
    return {**_compare(graded, seed), **_tables(graded, seed), "lost": len(questions) - len(answered)}


def _choose(verified: Iterable[VerifiedInstruction], limit: int, seed: int) -> list[VerifiedInstruction]:
    """At most `limit` held-out instructions, drawn by hash so that the choice does not depend on the order."""
    heldout = (v for v in verified if v.split != "train")
    chosen = heapq.nsmallest(limit, heldout, key=lambda v: (draw(seed, v.id), v.id))
    if not chosen:
        raise NothingToDoError("evaluate: no verified instruction was held out; raise crosscheck.heldout_queries.")
    return sorted(chosen, key=lambda v: v.id)


def _questions(verified: Sequence[VerifiedInstruction], samples: int) -> list[Question]:
    """Every prompt of every instruction, instruction by instruction."""
    return [
        Question(f"{v.id}/{query.id}/{sample}", v, query, sample)
        for v in verified
        for query in v.instruction.queries
        for sample in range(samples)
    ]


def _sampling(config: EvaluateConfig, seed: int, id: str) -> Sampling:
    s = config.sampling
    return Sampling(s.temperature, s.top_p, s.max_tokens, draw(seed, id))


def _grade(questions: Sequence[Question], answers: dict[str, dict[str, Answer]], sandbox: Sandbox) -> list[Graded]:
    """Runs every kept verifier on all the answers to its instruction, in one job."""

    def jobs(_: int, group: list[Question]) -> list[Job]:
        texts = [answers[side][question.id].text for question in group for side in SIDES]
        return [Job("", verifier.source, texts) for verifier in group[0].verified.verifiers]

    groups = _group(questions, lambda question: question.verified.id)
    done = {unit: (group, results) for unit, group, results in gather(enumerate(groups.values()), jobs, sandbox.run)}
    return [
        _graded(question, answers, [result.verdicts[2 * place : 2 * place + 2] for result in results])
        for _, (group, results) in sorted(done.items())
        for place, question in enumerate(group)
    ]


def _graded(question: Question, answers: dict[str, dict[str, Answer]], verdicts: Sequence[Sequence[Verdict]]) -> Graded:
    """`verdicts`: of each verifier, on the two answers in the order of SIDES."""
    rates = [
        sum(verdict is Verdict.TRUE for verdict in column) / len(verdicts) for column in zip(*verdicts, strict=True)
    ]
    return Graded(question, {side: answers[side][question.id] for side in SIDES}, dict(zip(SIDES, rates, strict=True)))


def _scores(graded: Sequence[Graded], side: str) -> list[float]:
    """One score per instruction, in the same order for both sides."""
    groups = _group(graded, lambda item: item.question.verified.id)
    return [_mean([item.passes(side) for item in group]) for group in groups.values()]


def _compare(graded: Sequence[Graded], seed: int) -> dict[str, Any]:
    """Rates, their intervals, and the interval of the paired difference."""
    policy, reference = _scores(graded, "policy"), _scores(graded, "reference")
    intervals = {"policy": mean_interval(policy, seed), "reference": mean_interval(reference, seed)}
    return {
        **{side: interval.mean for side, interval in intervals.items()},
        "difference": paired_difference(policy, reference, seed).as_dict(),
        **{f"{side}_interval": interval.as_dict() for side, interval in intervals.items()},
        "n": len(policy),
    }


def _tables(graded: Sequence[Graded], seed: int) -> dict[str, Any]:
    """The comparison by split and by kind of instruction, and what shows an answer that only grew longer."""
    splits = _group(graded, lambda item: item.question.verified.split)
    kinds = _group(graded, lambda item: kind_of(item.question.verified))
    rows = {
        kind: {**{side: _mean(_scores(group, side)) for side in SIDES}, "n": len(_scores(group, "policy"))}
        for kind, group in sorted(kinds.items())
    }
    worst_first = sorted(rows.items(), key=lambda row: row[1]["policy"] - row[1]["reference"])
    return {
        "by_split": {split: _compare(group, seed) for split, group in sorted(splits.items())},
        "by_kind": dict(worst_first),
        "mean_words": {side: _mean([len(item.answers[side].text.split()) for item in graded]) for side in SIDES},
        "truncated": {side: _mean([item.answers[side].truncated for item in graded]) for side in SIDES},
    }


def _group(items: Iterable[T], name: Callable[[T], str]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(name(item), []).append(item)
    return groups


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


_KINDS = {seed.name: seed.kind for seed in SEEDS}


def kind_of(verified: VerifiedInstruction) -> str:
    """The kind of the seed that an instruction comes from, or `model` when a model wrote it."""
    return _KINDS.get(verified.instruction.seed or "", "model")


def _save_samples(graded: Iterable[Graded], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        for item in graded:
            file.write(json.dumps(_sample(item), ensure_ascii=False) + "\n")
    new.replace(path)


def _sample(item: Graded) -> dict[str, Any]:
    verified = item.question.verified
    return {
        "id": verified.id,
        "query": item.question.query.text,
        "instruction": verified.instruction.text,
        "kind": kind_of(verified),
        "split": verified.split,
        **{side: {"text": item.answers[side].text, "pass_rate": item.pass_rates[side]} for side in SIDES},
    }
