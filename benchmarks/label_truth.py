"""How right the labels are: filters of instructions, judged where the true checker is known.

    python benchmarks/label_truth.py --data FOLDER [--json]

FOLDER holds label_truth.jsonl: instructions with candidate verifiers and raw test-case replies of a writer, and answers
with the truth (`follows`). A filter sees all but the truth and may execute verifiers on the answers. An answer is
chosen from a pass rate of 0.5 and rejected at 0; ours are silent where the verdict is not steady, and no filter asks a
writer again. wrong_chosen is the share of the chosen that do not follow, wrong_rejected that of the rejected that do.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from autoif.crosscheck import Trial, Tried, agreement, crosscheck, labels, probes
from autoif.crosscheck.decision import uncontradicted
from autoif.sandbox import Sandbox
from autoif.stages.written import read_cases

RESAMPLES = 2000
Labels = list[bool | None] | None
"""Per answer: chosen, rejected, or None for neither. None altogether when the instruction is dropped."""


@dataclass(frozen=True)
class Executed:
    """One instruction with every verdict that a filter may look at: as in a run, ours decides which verifiers to keep
    by test cases and probes (`trial`), and sees the answers only to label them (`answers`)."""

    kind: str
    trial: Trial
    follows: list[bool]
    tried: list[Tried]
    answers: list[Tried]
    truth: list[bool]

    def verdicts(self, v: int) -> Sequence[str]:
        """Of one verifier on the answers whose truth is known."""
        return self.answers[v].answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with label_truth.jsonl")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    lines = (arguments.data / "label_truth.jsonl").read_text(encoding="utf-8").splitlines()
    executed = execute([json.loads(line) for line in lines])
    groups = {"all": executed}
    groups |= {
        kind: [e for e in executed if (e.kind == "ifeval") == (kind == "ifeval")] for kind in ("ifeval", "other")
    }
    figures = {
        group: {name: measure([(filter(e), e.truth) for e in members]) for name, filter in FILTERS.items()}
        for group, members in groups.items()
    }
    if arguments.json:
        print(json.dumps(figures))
    else:
        show(figures, {group: len(members) for group, members in groups.items()})


def execute(rows: Sequence[dict[str, Any]]) -> list[Executed]:
    with Sandbox(workers=2) as sandbox:
        return [of_row(row, sandbox) for row in rows]


def of_row(row: dict[str, Any], sandbox: Sandbox) -> Executed:
    cases = [case for reply in row["test_case_replies"] for case in read_cases(reply)[0]]
    text, sources = row["instruction"], row["verifiers"]
    trial = Trial(text, sources, [response for response, _ in cases], probes(text))
    answers = Trial(text, sources, (), [answer["text"] for answer in row["responses"]], toggled=False)
    return Executed(
        row["kind"],
        trial,
        [follows for _, follows in cases],
        trial.run(sandbox),
        answers.run(sandbox),
        [answer["follows"] for answer in row["responses"]],
    )


def by_pass_rate(e: Executed, kept: Sequence[int]) -> Labels:
    if not kept:
        return None
    rates = [sum(e.verdicts(v)[k] == "TRUE" for v in kept) / len(kept) for k in range(len(e.truth))]
    return [True if rate >= 0.5 else False if rate == 0 else None for rate in rates]


def llama3_autoif(e: Executed) -> Labels:
    """It compiles; a case is kept if one function agrees; a function if right on 0.8 of the kept cases."""
    compiled = [v for v, tried in enumerate(e.tried) if "NO_COMPILE" not in tried.plain]
    wanted = ["TRUE" if follows else "FALSE" for follows in e.follows]
    cases = [c for c, label in enumerate(wanted) if any(e.tried[v].cases[c] == label for v in compiled)]
    right = {v: sum(e.tried[v].cases[c] == wanted[c] for c in cases) for v in compiled}
    return by_pass_rate(e, [v for v in compiled if cases and right[v] >= 0.8 * len(cases)])


def paper(e: Executed) -> Labels:
    """Its thresholds (0.5 of the functions for a case, 0.8 of the cases for a function), nothing else demanded."""
    free = {"min_verifiers": 1, "min_cases": 1, "both_polarities": False}
    decision = crosscheck([tried.cases for tried in e.tried], e.follows, [True] * len(e.tried), **free)
    return by_pass_rate(e, decision.verifiers)


def ours(e: Executed, min_confidence: float) -> Labels:
    decision = agreement(e.trial, e.tried, e.follows, min_confidence=min_confidence)
    if decision.reason:
        return None
    kept = decision.verifiers
    told = labels([e.answers[v] for v in kept], [e.trial.sources[v] for v in kept], min_confidence)
    if not {"TRUE", "FALSE"} <= set(told) and not confirmed(e, decision.cases):
        return None
    return [None if label is None else label == "TRUE" for label in told]


def confirmed(e: Executed, kept: Sequence[int]) -> bool:
    """Whether most of the test cases of either polarity agree with the verifiers. Asked for when the answers, which
    all get the same label, cannot show that a verifier tells right from wrong."""
    agreeing = [e.follows[c] for c in kept]
    clear = [e.follows[c] for c in uncontradicted(e.trial.cases, e.follows)]
    return all(2 * agreeing.count(wanted) > clear.count(wanted) for wanted in (True, False))


def oracle(e: Executed) -> Labels:
    """Only functions right on 95 % of the answers: the best that can be made of the same candidates."""
    truth = ["TRUE" if follows else "FALSE" for follows in e.truth]
    right = [sum(a == b for a, b in zip(e.verdicts(v), truth, strict=True)) for v in range(len(e.tried))]
    return by_pass_rate(e, [v for v, count in enumerate(right) if count >= 0.95 * len(truth)])


FILTERS: dict[str, Callable[[Executed], Labels]] = {
    "llama3_autoif": llama3_autoif,
    "paper": paper,
    "ours_yield": partial(ours, min_confidence=0.75),
    "ours": partial(ours, min_confidence=0.9),
    "ours_strict": partial(ours, min_confidence=0.95),
    "oracle": oracle,
}


def measure(judged: Sequence[tuple[Labels, Sequence[bool]]]) -> dict[str, Any]:
    """Counts and shares, with 95 % bootstrap intervals over instructions."""
    counts = [tally(labels, truth) for labels, truth in judged]
    draw = random.Random(0)
    samples = [shares(draw.choices(counts, k=len(counts))) for _ in range(RESAMPLES if counts else 0)]
    kept, chosen, rejected, _, _ = totals(counts)
    wrong = shares(counts)
    figures: dict[str, Any] = {"instructions": len(counts), "kept": kept, "chosen": chosen, "rejected": rejected}
    for index, name in enumerate(("wrong_chosen", "wrong_rejected")):
        spread = sorted(sample[index] for sample in samples) or [0.0]
        low, high = spread[int(0.025 * len(spread))], spread[int(0.975 * len(spread))]
        figures |= {name: wrong[index], f"{name}_interval": [low, high]}
    return figures


def tally(labels: Labels, truth: Sequence[bool]) -> tuple[int, int, int, int, int]:
    """Kept, chosen, rejected, wrongly chosen, wrongly rejected."""
    if labels is None:
        return 0, 0, 0, 0, 0
    pairs = list(zip(labels, truth, strict=True))
    return 1, labels.count(True), labels.count(False), pairs.count((True, False)), pairs.count((False, True))


def totals(counts: Sequence[tuple[int, int, int, int, int]]) -> list[int]:
    return [sum(count[place] for count in counts) for place in range(5)]


def shares(counts: Sequence[tuple[int, int, int, int, int]]) -> tuple[float, float]:
    _, chosen, rejected, wrong_chosen, wrong_rejected = totals(counts)
    return wrong_chosen / max(chosen, 1), wrong_rejected / max(rejected, 1)


def show(figures: dict[str, dict[str, dict[str, Any]]], sizes: dict[str, int]) -> None:
    for group, filters in figures.items():
        table = Table(title=f"{group}: {sizes[group]} instructions", title_justify="left")
        for column in ("filter", "kept", "chosen", "rejected", "wrong chosen", "wrong rejected"):
            table.add_column(column, justify="left" if column == "filter" else "right")
        for name, row in filters.items():
            wrong = [
                f"{row[key]:.1%} ({row[f'{key}_interval'][0]:.1%} to {row[f'{key}_interval'][1]:.1%})"
                for key in ("wrong_chosen", "wrong_rejected")
            ]
            table.add_row(name, str(row["kept"]), str(row["chosen"]), str(row["rejected"]), *wrong)
        Console(width=120).print(table)


if __name__ == "__main__":
    main()
