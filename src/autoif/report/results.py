"""What training and evaluation left behind, made ready for the page."""

from __future__ import annotations

import heapq
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autoif.report.figures import Curves, curves
from autoif.report.folder import RunFolder, is_number, number_or, objects, read_json, section, whole
from autoif.report.text import shown

FEW = 30
"""A bootstrap interval of fewer things is too narrow to draw a conclusion from."""

CURVES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Loss", "The objective. It falls as the policy learns to tell the pairs apart.", {"loss": "loss"}),
    ("Reward margin", "Chosen above rejected, in units of the implicit reward.", {"rewards/margins": "margin"}),
    (
        "Accuracy",
        "Share of pairs in which the chosen answer has the higher reward; 0.5 is chance.",
        {"rewards/accuracies": "accuracy"},
    ),
    (
        "Log-probabilities",
        "Of whole completions under the policy. Both may fall; the gap is what is trained.",
        {"logps/chosen": "chosen", "logps/rejected": "rejected"},
    ),
    (
        "Implicit rewards",
        "Beta · log (policy / reference).",
        {"rewards/chosen": "chosen", "rewards/rejected": "rejected"},
    ),
    ("Negative log-likelihood", "Of the chosen answers, per token.", {"nll": "nll"}),
    ("KL", "How far the policy has moved from the reference.", {"kl": "KL"}),
    ("Learning rate", "Warm-up, then decay.", {"learning_rate": "rate"}),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an evaluation table. Scores are shares; low and high bound the difference at 95 %."""

    name: str
    n: int
    reference: float
    policy: float
    low: float | None = None
    high: float | None = None
    metric: str = ""

    @property
    def difference(self) -> float:
        return self.policy - self.reference

    @property
    def verdict(self) -> str:
        """better or worse when the interval excludes 0, unclear when it does not; few, open: no interval to trust."""
        if self.low is None or self.high is None:
            return "open"
        if self.n < FEW:
            return "few"
        return "better" if self.low > 0 else "worse" if self.high < 0 else "unclear"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one kind: all benchmarks, or the parts of `benchmark`."""

    benchmark: str
    part: str
    """benchmark, metric, kind or split."""
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Lengths:
    """Mean words an answer, and the share of answers that were cut at the longest reply."""

    benchmark: str
    reference_words: float
    policy_words: float
    reference_cut: float
    policy_cut: float


@dataclass(frozen=True, slots=True)
class Sample:
    """What reference and policy answered to the same prompt."""

    query: str
    instruction: str
    kind: str
    reference: str
    reference_rate: float
    policy: str
    policy_rate: float


@dataclass(frozen=True, slots=True)
class Samples:
    """A few samples of one group, of so many in all."""

    name: str
    total: int
    shown: tuple[Sample, ...]


def training(run: RunFolder) -> list[Curves]:
    """Of the SFT that came first, if one did, and of DPO."""
    before, steps = (_steps(run, name) for name in ("sft_metrics", "metrics"))
    note = "Supervised fine-tuning on the chosen answers, before DPO; nats a token."
    drawn = [curves("SFT loss", note, {"loss": _points(before, "loss")})]
    drawn += [
        curves(title, note, {name: _points(steps, key) for key, name in keys.items()}) for title, note, keys in CURVES
    ]
    return [figure for figure in drawn if figure]


def _steps(run: RunFolder, name: str) -> list[dict[str, Any]]:
    steps = list(objects(run.folder("train") / f"{name}.jsonl"))
    for place, metrics in enumerate(steps):
        metrics.setdefault("step", place + 1)
    return steps


def _points(steps: list[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    return [(m["step"], m[key]) for m in steps if is_number(m.get("step")) and is_number(m.get(key))]


def evaluation(run: RunFolder) -> list[Table]:
    """Tables: every benchmark as a whole, then each one's metrics, kinds and splits, what got worse first."""
    scores = read_json(run.folder("evaluate") / "scores.json")
    tables = [Table("", "benchmark", tuple(row for name in scores for row in _rows({name: scores[name]})))]
    tables += _rounds(run)
    for name in scores:
        for part, key in (("metric", "metrics"), ("kind", "by_kind"), ("split", "by_split")):
            rows = sorted(_rows(section(section(scores, name), key)), key=lambda row: row.difference)
            tables.append(Table(name, part, tuple(rows)))
    return [table for table in tables if table.rows]


def _rounds(run: RunFolder) -> Iterator[Table]:
    """For each benchmark what every round reached against the untrained policy; none for a run of one round."""
    rounds = [read_json(again.folder("evaluate") / "scores.json") for again in run.rounds()]
    for name in rounds[0] if len(rounds) > 1 else ():
        scores = {f"round {number}": again.get(name) for number, again in enumerate(rounds, 1)}
        yield Table(name, "round", tuple(_rows(scores)))


def lengths(run: RunFolder) -> list[Lengths]:
    """How long the answers of both are, which shows a policy that only writes more."""
    scores = read_json(run.folder("evaluate") / "scores.json")
    found = []
    for name in scores:
        words, cut = (section(section(scores, name), key) for key in ("mean_words", "truncated"))
        if all(is_number(table.get(side)) for table in (words, cut) for side in ("reference", "policy")):
            found.append(Lengths(name, words["reference"], words["policy"], cut["reference"], cut["policy"]))
    return found


def _rows(scores: dict[str, Any]) -> Iterator[Row]:
    for name, score in scores.items():
        if isinstance(score, dict) and is_number(score.get("policy")) and is_number(score.get("reference")):
            interval = section(score, "difference")
            low, high = (interval[k] if is_number(interval.get(k)) else None for k in ("low", "high"))
            yield Row(name, whole(score.get("n")), score["reference"], score["policy"], low, high, _metric(score))


def _metric(score: dict[str, Any]) -> str:
    return shown(str(score.get("metric", "")), 60).replace("_", " ")


def samples(run: RunFolder, each: int) -> list[Samples]:
    """Before and after: `each` samples that got worse, better, and stayed, drawn by a checksum of their id."""
    totals: Counter[str] = Counter()
    drawn: dict[str, list[tuple[int, int, Sample]]] = {name: [] for name in ("worse", "better", "same")}
    for place, line in enumerate(objects(run.folder("evaluate") / "samples" / "heldout.jsonl")):
        sample = _sample(line)
        change = sample.policy_rate - sample.reference_rate
        name = "worse" if change < 0 else "better" if change > 0 else "same"
        totals[name] += 1
        heapq.heappush(drawn[name], (-zlib.crc32(str(line.get("id")).encode("utf-8", "replace")), -place, sample))
        if len(drawn[name]) > each:
            heapq.heappop(drawn[name])
    return [
        Samples(name, totals[name], tuple(s for *_, s in sorted(heap, key=lambda item: item[:2], reverse=True)))
        for name, heap in drawn.items()
        if heap
    ]


def _sample(line: dict[str, Any]) -> Sample:
    reference, policy = section(line, "reference"), section(line, "policy")
    return Sample(
        query=shown(str(line.get("query", "")), 1_000),
        instruction=shown(str(line.get("instruction", "")), 1_000),
        kind=shown(str(line.get("kind", "")), 100),
        reference=shown(str(reference.get("text", "")), 3_000),
        reference_rate=number_or(reference.get("pass_rate"), 0.0),
        policy=shown(str(policy.get("text", "")), 3_000),
        policy_rate=number_or(policy.get("pass_rate"), 0.0),
    )
