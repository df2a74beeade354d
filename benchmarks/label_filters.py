"""Does label truth pay? The same candidates through our checks and through Llama3-AutoIF's filter, to the end.

    python benchmarks/label_filters.py --data FOLDER [--out runs/label_filters] [--queries 16] [--set A.B=C ...]

FOLDER holds label_truth.jsonl: instructions whose true checker is known, with what a weak writer made of them. Each
of IFEval's meets QUERIES queries; then every filter has a run of configs/experiment/base.yaml, from the cross-check on.
True checkers tell how many chosen and rejected answers are wrong, and how often the trained policies follow these
instructions for NEW queries each that training never saw; IFEval follows. The instructions are in the words of IFEval's
checkers, so its figures compare the filters and nothing else.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import experiment

from autoif.evaluation.answers import SIDES
from autoif.evaluation.contrast import contrast, grouped
from autoif.evaluation.ifeval import ifeval_scorer
from autoif.evaluation.jsonl import read_objects
from autoif.evaluation.scorer import Prompt, score
from autoif.pipeline import KNOWN_OF_REFERENCE, copy_missing
from autoif.prompts import user_prompt
from autoif.records import (
    Candidates,
    Completion,
    Instruction,
    Outcome,
    Query,
    Record,
    ScoredCompletion,
    TestCase,
    Verifier,
)
from autoif.rundir import RunDirectory
from autoif.stages.written import read_cases
from autoif.store import open_journal

LLAMA3_AUTOIF = {
    "crosscheck.method": "votes",
    "crosscheck.min_verifiers": 1,
    "crosscheck.min_cases": 1,
    "crosscheck.both_polarities": False,
    "crosscheck.case_threshold": 0.01,  # one function that agrees
    "crosscheck.function_threshold": 0.8,
}
"""The published repository's filter; configs/self-play.yaml has its four functions, here there are up to six."""
ALIKE = {
    "from": "candidates",
    "allow": "crosscheck",
    "crosscheck.heldout_queries": 0.0,  # what the filters kept is no measure of them
    "crosscheck.heldout_instructions": 0.0,
}
OURS, TWICE, THEIRS, RIGHT = "ours", "ours-two-epochs", "llama3-autoif", "llama3-autoif-true-labels"
ARMS: dict[str, dict[str, Any]] = {
    OURS: ALIKE,
    TWICE: ALIKE | {"from": OURS, "train.epochs": 2.0},  # theirs has about twice the pairs
    THEIRS: ALIKE | LLAMA3_AUTOIF,
    RIGHT: ALIKE | LLAMA3_AUTOIF | {"from": THEIRS},  # scored by the true checkers: what its wrong labels cost
}
NEW = 10
"""Queries never trained on that each instruction meets afterwards, of the last 2 * NEW queries."""
NEW_QUERIES = "-new-queries"
PASSES: dict[str, Callable[[dict[str, Any]], float]] = {
    "followed": lambda answer: all(answer["strict"]),
    "followed without a loop": experiment.OF_IFEVAL["IFEval, prompt strict and no loop"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with label_truth.jsonl")
    parser.add_argument("--out", type=Path, default=Path("runs/label_filters"))
    parser.add_argument("--queries", type=int, default=16, help="queries that each instruction meets")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", help="as in `autoif run`, for all runs")
    arguments = parser.parse_args()
    lines = (arguments.data / "label_truth.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["kind"] == "ifeval"]
    if not rows:
        raise SystemExit(f"{arguments.data} has none of IFEval's; write_label_truth.py --checkers ifeval makes them.")
    candidates = RunDirectory(arguments.out / "candidates")
    experiment.autoif("queries", candidates.path, arguments.set)
    queries = list(candidates.stage("queries"))
    write_candidates(rows, candidates, queries[: -2 * NEW], arguments.queries)
    new = write_prompts(rows, arguments.out / "new_queries.jsonl", queries[-2 * NEW :])
    runs = {name + asked: RunDirectory(arguments.out / (name + asked)) for name in ARMS for asked in ("", NEW_QUERIES)}
    for name, arm in ARMS.items():
        for asked, changes in (("", {}), (NEW_QUERIES, {"from": name, "evaluate.tasks": [new]})):
            known, own = (runs[one + asked].folder("evaluate") for one in (OURS, name))
            copy_missing(known, own, KNOWN_OF_REFERENCE["evaluate"])
            if name == RIGHT and not asked:
                write_true_scores(rows, runs[THEIRS], runs[RIGHT])
            experiment.run(name + asked, arguments.out, arm | changes, arguments.set)
    print("\n".join([*told(rows, runs), *experiment.rows(arguments.out, ARMS)]))


def told(rows: list[dict[str, Any]], runs: dict[str, RunDirectory]) -> Iterator[str]:
    """What is wrong by the true checkers, what training did for new queries, and the arms against each other."""
    for name in (OURS, THEIRS):
        yield wrong_labels(rows, runs[name])
    for what, passes in PASSES.items():
        for name in ARMS:
            own = runs[name + NEW_QUERIES]
            before, after = answers(own, passes, "reference"), answers(own, passes)
            yield f"new queries, {what}: {name}, before and after: {change(before, after)}"
        for name, asked in product((OURS, TWICE, RIGHT), (NEW_QUERIES, "")):
            theirs, ours = answers(runs[THEIRS + asked], passes), answers(runs[name + asked], passes)
            yield f"{'new queries' if asked else 'IFEval'}, {what}: {THEIRS} and {name}: {change(theirs, ours)}"


def write_candidates(rows: list[dict[str, Any]], run: RunDirectory, queries: list[Query], each: int) -> None:
    """Stages 2 and 3 as if a writer had just written them. Queries are dealt out in order, again and again."""
    dealt = cycle(queries)
    made = [of_row(row, tuple(islice(dealt, each))) for row in rows]
    seal(run, "instructions", [one.instruction for one in made])
    seal(run, "verifiers", made)
    if [one.id for one in run.stage("verifiers")] != [one.id for one in made]:
        raise SystemExit(f"{run.path} was made of other data or with other --queries; give another --out.")


def write_prompts(rows: list[dict[str, Any]], path: Path, queries: list[Query]) -> dict[str, Any]:
    """Every instruction for NEW queries in IFEval's format, as a task of stage 9. The key is the instruction's."""
    dealt = cycle(queries)
    prompts = [
        {
            "key": number,
            "prompt": user_prompt(query.text, row["instruction"]),
            "instruction_id_list": [row["checker"]["id"]],
            "kwargs": [row["checker"]["kwargs"]],
        }
        for number, row in enumerate(rows)
        for query in islice(dealt, NEW)
    ]
    path.write_text("".join(json.dumps(prompt) + "\n" for prompt in prompts), encoding="utf-8")
    return {"task": "ifeval", "data": str(path), "sampling": {"temperature": 0.0, "top_p": 1.0, "max_tokens": 384}}


def answers(
    run: RunDirectory, passes: Callable[[dict[str, Any]], float], side: str = "policy"
) -> dict[str, list[float]]:
    """Which answers pass, by the key of their prompt."""
    samples = (sample for _, sample in read_objects(run.folder("evaluate") / "samples/ifeval.jsonl"))
    by_key = grouped(samples, lambda sample: str(sample["id"]))
    return {key: [passes(sample[side]) for sample in own] for key, own in by_key.items()}


def change(before: dict[str, list[float]], after: dict[str, list[float]]) -> str:
    """As a cell of the table. Prompts with the same key are drawn together."""
    keys = [key for key in before if len(before[key]) == len(after.get(key, ()))]
    scores = {side: [sum(one[key]) for key in keys] for side, one in zip(SIDES, (before, after), strict=True)}
    return experiment.cell({"these": contrast(scores, 0, [len(before[key]) for key in keys])}, ("these",))


def of_row(row: dict[str, Any], queries: tuple[Query, ...]) -> Candidates:
    instruction = Instruction.make(parent=queries[0].id, text=row["instruction"], origin="model", queries=queries)
    cases = dict.fromkeys(case for reply in row["test_case_replies"] for case in read_cases(reply)[0])
    return Candidates.make(
        parent=instruction.id,
        instruction=instruction,
        verifiers=[Verifier.make(parent=instruction.id, source=s, origin="model") for s in row["verifiers"]],
        cases=[TestCase.make(parent=instruction.id, response=r, follows=f, origin="model") for r, f in cases],
    )


def seal(run: RunDirectory, stage: str, records: Iterable[Record]) -> None:
    journal = open_journal(run.stage(stage))
    if journal:
        for unit, record in enumerate(records):
            if unit not in journal:
                journal.append(Outcome(unit, (record,)))
        journal.seal()


def write_true_scores(rows: list[dict[str, Any]], other: RunDirectory, run: RunDirectory) -> None:
    """Stage 6 of the same completions, with the true checkers for verifiers. A cut loop stays a rejected answer."""
    follows = true_checkers(rows)
    made = []
    for one in other.stage("completions"):
        passes = not one.cut and follows(one)
        told = {"verdicts": (str(passes).upper(),), "pass_rate": float(passes)}
        made.append(ScoredCompletion.make(parent=one.id, completion=one, **told))
    seal(run, "scores", made)


def true_checkers(rows: list[dict[str, Any]]) -> Callable[[Completion], bool]:
    checkers = {row["instruction"]: row["checker"] for row in rows}
    scorer = ifeval_scorer()

    def follows(one: Completion) -> bool:
        checker = checkers[one.instruction]
        ((strict, _),) = score(scorer, Prompt(one.prompt, 0, (checker["id"],), (checker["kwargs"],)), one.text).verdicts
        return strict

    return follows


def wrong_labels(rows: list[dict[str, Any]], run: RunDirectory) -> str:
    """How many answers have a label by the verifiers, and how many of these labels the true checker contradicts."""
    follows = true_checkers(rows)
    kept = sum(1 for _ in run.stage("crosscheck"))
    counts: Counter[tuple[bool, bool]] = Counter()
    for scored in run.stage("scores"):
        if not scored.completion.cut and (scored.pass_rate >= 0.5 or scored.pass_rate == 0):
            counts[scored.pass_rate >= 0.5, follows(scored.completion)] += 1
    return f"{run.path.name}: {kept} instructions kept; " + ", ".join(shares(counts))


def shares(counts: Counter[tuple[bool, bool]]) -> Iterator[str]:
    for chosen, name in ((True, "chosen"), (False, "rejected")):
        wrong, all_ = counts[chosen, not chosen], counts[chosen, True] + counts[chosen, False]
        yield f"{wrong} of {all_} {name} wrong ({wrong / max(all_, 1):.1%})"


if __name__ == "__main__":
    main()
