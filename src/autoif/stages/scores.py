"""Stage 6: the pass rate of every completion, from the verifiers run in the sandbox (paper section 3.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from autoif.config import Config
from autoif.crosscheck import Trial, labels
from autoif.engines import Engine, Reply, Request, Sampling, ask
from autoif.gather import gather
from autoif.prompts import fill, user
from autoif.records import Completion, Drop, Outcome, ScoredCompletion, Usage, VerifiedInstruction
from autoif.sandbox import Job, Sandbox

Answered = tuple[VerifiedInstruction, tuple[Completion, ...]]


@dataclass(frozen=True, slots=True)
class _Scored:
    scores: tuple[ScoredCompletion, ...]
    dropped: tuple[Drop, ...]


def scores(
    units: Iterable[tuple[int, Answered]], config: Config, sandbox: Sandbox, writer: Engine | None
) -> Iterator[Outcome[ScoredCompletion]]:
    """One unit is a verified instruction with its completions. With a `writer`, the answers that pass are rated too."""
    scored = _executed(units, config, sandbox)
    if writer is None:
        for unit, item in scored:
            yield Outcome(unit, item.scores, item.dropped)
        return
    for unit, item, replies in ask(writer, scored, lambda unit, item: _judge_requests(item, config)):
        yield _rated(unit, item, replies, config)


def _executed(units: Iterable[tuple[int, Answered]], config: Config, sandbox: Sandbox) -> Iterator[tuple[int, _Scored]]:
    def jobs(unit: int, item: Answered) -> list[Job]:
        verified, completions = item
        if config.crosscheck.by_agreement(verified.instruction.origin):
            return _trial(item).jobs() if completions else []
        texts = tuple(completion.text for completion in completions)
        return [Job("", verifier.source, texts) for verifier in verified.verifiers] if texts else []

    for unit, item, results in gather(units, jobs, sandbox.run):
        rows = [[verdict.name for verdict in result.verdicts] for result in results]
        sure = [True] * len(item[1])
        if results and config.crosscheck.by_agreement(item[0].instruction.origin):
            tried = _trial(item).read(results)
            rows = [list(verifier.answers) for verifier in tried]
            told = labels(tried, _trial(item).sources, config.crosscheck.min_confidence)
            sure = [label is not None for label in told]
        yield unit, _score(item, list(zip(*rows, strict=True)), sure)


def _trial(item: Answered) -> Trial:
    verified, completions = item
    sources = [verifier.source for verifier in verified.verifiers]
    return Trial(verified.instruction.text, sources, (), [completion.text for completion in completions], toggled=False)


def _score(item: Answered, columns: Sequence[tuple[str, ...]], sure: Sequence[bool]) -> _Scored:
    """An answer whose verdict hangs on what the instruction does not speak of has no label: it is `unstable`."""
    kept, dropped = [], []
    for completion, verdicts, certain in zip(item[1], columns, sure, strict=True):
        rate = 0.0 if completion.cut else pass_rate(verdicts)
        if rate is None or not (certain or completion.cut):
            what = {"text": completion.text, "verdicts": verdicts, "parent": completion.id}
            dropped.append(Drop("unstable", what))
            continue
        confidence = item[0].confidence * max(rate, 1 - rate)
        fields = {"completion": completion, "verdicts": verdicts, "pass_rate": rate, "confidence": confidence}
        kept.append(ScoredCompletion.make(parent=completion.id, **fields))
    return _Scored(tuple(kept), tuple(dropped))


def pass_rate(verdicts: Sequence[str]) -> float | None:
    """Share of TRUE among the verifiers, an exception being no pass; None when fewer than half gave a bool."""
    told = sum(verdict in ("TRUE", "FALSE") for verdict in verdicts)
    return verdicts.count("TRUE") / len(verdicts) if 2 * told >= len(verdicts) > 0 else None


def _passing(item: _Scored, config: Config) -> list[ScoredCompletion]:
    return [score for score in item.scores if score.pass_rate >= config.pairs.chosen_at]


def _judge_requests(item: _Scored, config: Config) -> list[Request]:
    sampling = Sampling(**config.scores.quality_sampling.model_dump(), seed=config.seed)
    return [
        Request("", [user(fill("quality", query=c.query, instruction=c.instruction, response=c.text))], sampling)
        for c in (score.completion for score in _passing(item, config))
    ]


def _rated(unit: int, item: _Scored, replies: Sequence[Reply], config: Config) -> Outcome[ScoredCompletion]:
    ratings = {score.id: read_quality(reply.text) for score, reply in zip(_passing(item, config), replies, strict=True)}
    kept = []
    for score in item.scores:
        quality, reason = ratings.get(score.id, (None, None))
        kept.append(
            ScoredCompletion.make(
                parent=score.parent,
                completion=score.completion,
                verdicts=score.verdicts,
                pass_rate=score.pass_rate,
                confidence=score.confidence,
                quality=quality,
                quality_reason=reason,
            )
        )
    return Outcome(unit, tuple(kept), item.dropped, sum((reply.spent for reply in replies), Usage()))


def read_quality(text: str) -> tuple[int | None, str | None]:
    """The judge's score from 1 to 10, None if it gave none, and its reason."""
    score = re.search(r"score\W{0,5}(10|[1-9])\b", text, re.IGNORECASE)
    reason = re.search(r"reason\W{0,3}(.+)", text, re.IGNORECASE)
    return int(score.group(1)) if score else None, reason.group(1).strip()[:500] if reason else None
