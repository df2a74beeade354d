"""Pass rates on the verified instructions that training never saw, of the policy and of its reference."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autoif.config import EvaluateConfig
from autoif.engines.base import Request, Sampling
from autoif.errors import NothingToDoError
from autoif.evaluation.answers import SIDES, Answer, Answers, answered
from autoif.evaluation.contrast import by_side, contrast, grouped, lengths, mean, save_samples, table
from autoif.gather import gather
from autoif.prompts import draw, user, user_prompt
from autoif.records import Query, VerifiedInstruction
from autoif.sandbox import Job, Sandbox, Verdict
from autoif.seeds import kind_of

PASSES_AT = 0.5  # an answer follows its instruction when at least this share of the verifiers say True


@dataclass(frozen=True, slots=True)
class Question:
    """One prompt that both models answer: sample number `sample` of a held-out instruction with one of its queries."""

    id: str
    verified: VerifiedInstruction
    query: Query
    sample: int

    def request(self, config: EvaluateConfig, seed: int) -> Request:
        prompt = user_prompt(self.query.text, self.verified.instruction.text)
        s = config.sampling
        return Request(self.id, [user(prompt)], Sampling(s.temperature, s.top_p, s.max_tokens, draw(seed, self.id)))


@dataclass(frozen=True, slots=True)
class Graded:
    """What both models answered to one question, and the share of the verifiers that each answer passes."""

    question: Question
    answers: dict[str, Answer]
    pass_rates: dict[str, float]


class Heldout:
    """The exam. Instructions of the split `train` are passed over.

    Both models get the same prompts with the same sampling seeds. An instruction's score is the mean, over its queries
    and samples, of whether the answer passes at least half of its verifiers; the bootstrap draws instructions.
    Raises NothingToDoError when nothing was held out, or no question was answered by both models.
    """

    name = "heldout"

    def __init__(
        self, verified: Iterable[VerifiedInstruction], sandbox: Sandbox, config: EvaluateConfig, seed: int
    ) -> None:
        self.sandbox = sandbox
        self.seed = seed
        self.questions = _questions(_choose(verified, config.heldout_limit, seed), config.samples)
        self.requests = [question.request(config, seed) for question in self.questions]

    def score(self, answers: Mapping[str, Answers], folder: Path) -> dict[str, Any]:
        common = set(answered((q.id for q in self.questions), answers))
        if not common:
            raise NothingToDoError("evaluate: no held-out prompt was answered by both models; nothing to compare.")
        graded = _grade([q for q in self.questions if q.id in common], answers, self.sandbox)
        save_samples(folder / "samples/heldout.jsonl", map(_sample, graded))
        return {
            **_contrast(graded, self.seed),
            "by_split": {split: _contrast(part, self.seed) for split, part in sorted(grouped(graded, _split).items())},
            "by_kind": table({kind: _scores(part) for kind, part in grouped(graded, _kind).items()}),
            **lengths(by_side(lambda side: [item.answers[side] for item in graded])),
            "lost": len(self.questions) - len(graded),
        }


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


def _grade(questions: Sequence[Question], answers: Mapping[str, Answers], sandbox: Sandbox) -> list[Graded]:
    """Runs every kept verifier on all the answers to its instruction, in one job."""

    def jobs(_: int, group: list[Question]) -> list[Job]:
        texts = [answers[side][question.id].text for question in group for side in SIDES]
        return [Job("", verifier.source, texts) for verifier in group[0].verified.verifiers]

    groups = grouped(questions, lambda question: question.verified.id)
    done = {unit: (group, results) for unit, group, results in gather(enumerate(groups.values()), jobs, sandbox.run)}
    return [
        _graded(question, answers, [result.verdicts[2 * place : 2 * place + 2] for result in results])
        for _, (group, results) in sorted(done.items())
        for place, question in enumerate(group)
    ]


def _graded(question: Question, answers: Mapping[str, Answers], verdicts: Sequence[Sequence[Verdict]]) -> Graded:
    """`verdicts`: of each verifier, on the two answers in the order of SIDES."""
    rates = [mean([verdict is Verdict.TRUE for verdict in column]) for column in zip(*verdicts, strict=True)]
    return Graded(question, by_side(lambda side: answers[side][question.id]), dict(zip(SIDES, rates, strict=True)))


def _contrast(graded: Sequence[Graded], seed: int) -> dict[str, Any]:
    return contrast(_scores(graded), seed)


def _scores(graded: Sequence[Graded]) -> dict[str, list[float]]:
    """One score per instruction, in the same order for both sides."""
    groups = grouped(graded, lambda item: item.question.verified.id).values()
    return by_side(lambda side: [mean([item.pass_rates[side] >= PASSES_AT for item in group]) for group in groups])


def _split(item: Graded) -> str:
    return item.question.verified.split


def _kind(item: Graded) -> str:
    return kind_of(item.question.verified.instruction)


def _sample(item: Graded) -> dict[str, Any]:
    verified = item.question.verified
    return {
        "id": verified.id,
        "query": item.question.query.text,
        "instruction": verified.instruction.text,
        "kind": kind_of(verified.instruction),
        "seed": verified.instruction.seed,
        "split": verified.split,
        **by_side(lambda side: asdict(item.answers[side]) | {"pass_rate": item.pass_rates[side]}),
    }
