"""The table of contents: the ten stages in order, what each one reads, and how a run goes on where it stopped."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import Any

from autoif import stages, training
from autoif.contamination import Contamination, contamination_table
from autoif.dedupe import instruction_sifter, query_sifter
from autoif.errors import InputError, NothingToDoError
from autoif.evaluation.run import Opened
from autoif.evaluation.run import evaluate as measure
from autoif.nli import load_nli
from autoif.policies import evaluation_engines, evaluation_weights
from autoif.progress import meter
from autoif.prompts import draw
from autoif.records import Outcome, Query
from autoif.report import write_report
from autoif.rundir import RunDirectory, changes
from autoif.runner import RANK, Round, Run, alone, opened
from autoif.sources import read_source
from autoif.store import write_atomically
from autoif.training.load import load_policy
from autoif.units import Units, answered, limited, paper_batches, prompts, sifted


def queries(run: Run) -> None:
    """Stage 1. Duplicates are dropped on the way, so that `limit` counts what is really kept."""
    config = run.config.queries

    def work(units: Units) -> Iterator[Outcome[Query]]:
        """Called when the stage is open and repaired: what an earlier process kept is known to the sifter first."""
        sift = query_sifter()
        kept = sum(sift(query) is None for query in run.directory.stage("queries"))
        return limited(sifted(stages.queries(units, config), sift), config.limit, kept)

    run.execute("queries", enumerate(read_source(config, run.config.seed)), work, config.limit)
    _require(run, "queries", "no query is left after the filters", "give another source or relax queries.*")


def instructions(run: Run) -> None:
    """Stage 2."""
    config, previous = run.config.instructions, run.directory.finished("queries")
    paper = config.mode == "paper"
    single = ((number, (query,)) for number, query in enumerate(previous))
    units, total = paper_batches(previous, config) if paper else (single, _count(run, "queries"))
    run.execute(
        "instructions",
        units,
        lambda units: stages.instructions(units, run.config, run.engine(run.config.writer, "instructions")),
        total,
        instruction_sifter(config.near_duplicate),
    )
    _require(run, "instructions", "the writer wrote no usable instruction", "use a stronger writer or more queries")


def verifiers(run: Run) -> None:
    """Stage 3."""
    with run.sandbox() as sandbox:
        run.execute(
            "verifiers",
            run.directory.finished("instructions").units(),
            lambda units: stages.verifiers(units, run.config, run.engine(run.config.writer, "verifiers"), sandbox),
            _count(run, "instructions"),
        )
    _require(run, "verifiers", "the writer wrote no verification function", "use a stronger writer")


def crosscheck(run: Run) -> None:
    """Stage 4."""
    wanted, shown = run.config.crosscheck, stages.shown_verifiers(run.config)
    with run.sandbox() as sandbox:

        def work(units: Units) -> Iterator[Outcome[Any]]:
            outcomes = stages.crosscheck(units, run.config, sandbox, shown)
            if wanted.back_translation == "none":
                return outcomes
            nli = load_nli(wanted.nli_model) if wanted.back_translation == "nli" else None
            return stages.back_translation(outcomes, run.config, run.engine(run.config.writer, "crosscheck"), nli)

        units = run.directory.finished("verifiers").units()
        run.execute("crosscheck", units, work, _count(run, "verifiers"))
    _require(run, "crosscheck", "no instruction survived the cross-check", "use a stronger writer or more seeds")


def completions(run: Run) -> None:
    """Stage 5. Another round draws other samples."""
    number, config = run.round.number, run.config
    if number > 1:
        config = config.model_copy(update={"seed": draw(config.seed, "round", number)})
    with run.sandbox() as sandbox:
        run.execute(
            "completions",
            prompts(run.directory.finished("crosscheck")),
            lambda units: stages.completions(units, config, run.policy("completions"), sandbox),
            None if run.config.instructions.mode == "paper" else _count(run, "crosscheck"),
        )
    _require(run, "completions", "the policy gave no usable answer", "raise completions.sampling.max_tokens")


def scores(run: Run) -> None:
    """Stage 6."""
    with run.sandbox() as sandbox:

        def work(units: Units) -> Iterator[Outcome[Any]]:
            writer = run.engine(run.config.writer, "scores") if run.config.scores.quality else None
            return stages.scores(units, run.config, sandbox, writer)

        units = answered(run.directory.finished("crosscheck"), run.directory.finished("completions"))
        run.execute("scores", units, work, _count(run, "crosscheck"))
    _require(run, "scores", "no completion could be scored", "look at 06_scores/dropped.jsonl")


def pairs(run: Run) -> None:
    """Stage 7."""
    config = run.config.pairs
    by_parent = groupby(run.directory.finished("scores"), key=lambda score: score.completion.parent)
    groups = (list(group) for _, group in by_parent)
    cases = stages.scored_cases(run.directory.finished("crosscheck")) if config.test_cases else ()
    units = enumerate(chain(groups, cases))
    contaminated = Contamination.of_files(config.contamination)
    run.execute("pairs", units, lambda units: stages.pairs(units, run.config, contaminated), None)
    if config.contamination:
        _tell_contamination(run)
    _require(run, "pairs", "nothing to train on: no prompt has both a chosen and a rejected answer", "sample more")


def _tell_contamination(run: Run) -> None:
    stage = run.directory.stage("pairs")
    table = contamination_table(stage, run.config.pairs.contamination)
    write_atomically(stage.folder / "contamination.json", json.dumps({"benchmarks": table}, indent=1) + "\n")
    for row in table:
        share = f"{row['contaminated']:,} of {row['prompts']:,} prompts"
        run.tell(f"pairs: {share} share 13 words in a row with {row['benchmark']} and are left out")


def train(run: Run) -> None:
    """Stage 8."""
    source, folder = run.directory.finished("pairs"), run.directory.folder("train")
    if (folder / "done").exists():
        return
    run.close()
    funnel = {stage.folder.name: stage.stats()["kept"] for stage in run.directory.stages()}
    with meter(run.console, "train", None) as shown:
        summary = training.train(
            run.config,
            source.folder / "records.jsonl",
            folder,
            start=run.round.trained[-1] / "checkpoint" if run.round.trained else None,
            funnel=funnel,
            progress=shown.training,
        )
    if RANK > 0:
        return
    mark_done(
        folder,
        {
            "stage": folder.name,
            "pairs": summary.pairs,
            "too_long": summary.too_long,
            "steps": summary.steps,
            "seconds": summary.seconds,
        },
    )
    by = " (by TRL: the packed step does not support this architecture)" if summary.by == "trl" else ""
    run.tell(f"train: {summary.steps} steps over {summary.pairs} pairs in {summary.seconds:.0f} s{by}")


def evaluate(run: Run) -> None:
    """Stage 9."""
    alone("evaluate")
    folder = run.directory.folder("evaluate")
    if (folder / "done").exists():
        return
    if not (run.directory.folder("train") / "done").exists():
        raise InputError(f"{run.directory.folder('train')}: nothing is trained yet; run `autoif train CONFIG` first.")
    run.close()
    if run.round.trained:
        copy_missing(run.round.trained[0].parent / folder.name, folder, KNOWN_OF_REFERENCE["evaluate"])
    started = time.monotonic()
    engines = evaluation_engines(run.config, run.directory.folder("train"))
    weights = evaluation_weights(run.config, run.directory.folder("train"))
    models = {
        side: Opened(partial(run.load, engines[side]), partial(load_policy, weights[side], "float32"))
        for side in ("reference", "policy")
    }
    wanted, verified = run.config.evaluate, run.directory.finished("crosscheck")
    with run.sandbox() as sandbox, meter(run.console, "evaluate", None) as shown:
        scores = measure(verified, models, sandbox, wanted, wanted.tasks, run.config.seed, folder, shown.doing)
    write_atomically(folder / "scores.json", json.dumps(scores, indent=1) + "\n")
    mark_done(folder, {"stage": folder.name, "seconds": round(time.monotonic() - started, 1)})


KNOWN_OF_REFERENCE = {"train": "reference-*.npy", "evaluate": "answers/*.reference.jsonl"}
"""What stages 8 and 9 learn of the untrained policy, which is the same in another run. What is asked otherwise there is
asked again."""


def copy_missing(source: Path, target: Path, files: str) -> None:
    """Copies the `files` (a pattern) of one folder to another that has no such file yet."""
    for file in source.glob(files):
        copy = target / file.relative_to(source)
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


def report(run: Run) -> None:
    """Stage 10: always made anew."""
    write_report(run.directory.path)


STAGES: dict[str, Callable[[Run], None]] = {
    "queries": queries,
    "instructions": instructions,
    "verifiers": verifiers,
    "crosscheck": crosscheck,
    "completions": completions,
    "scores": scores,
    "pairs": pairs,
    "train": train,
    "evaluate": evaluate,
    "report": report,
}


def begin_with(run: Run, other: RunDirectory) -> None:
    """Takes from another run the stages that this one would make alike, and what it knows of the untrained policy."""
    taken, why = run.directory.begin_with(other, run.config, run.allowed)
    if not any(changes(("policy", "train.model"), other.saved()["config"], run.config)):
        for name, files in KNOWN_OF_REFERENCE.items():
            if name not in taken:
                copy_missing(other.folder(name), run.directory.folder(name), files)
    run.tell(f"taken from {other.path}: {', '.join(taken) or 'nothing'}{f' ({why})' if why else ''}")


def run_all(run: Run) -> None:
    """Stages 1 to 10, and for every further round 5 to 10 with the newest policy."""
    _run(run, list(STAGES))
    trained = [run.directory.folder("train")]
    for number in range(2, run.config.rounds + 1):
        run.close()
        run.tell(f"round {number} of {run.config.rounds}")
        config = run.config.model_copy(update={"run": str(run.directory.round(number).path)})
        with opened(config, run.console, run.allowed, Round(number, tuple(trained))) as again:
            _run(again, list(STAGES)[4:])
            trained.append(again.directory.folder("train"))


def _run(run: Run, names: list[str]) -> None:
    """What there is gets its report also when a stage finds nothing left to work on."""
    try:
        for name in names:
            STAGES[name](run)
    except NothingToDoError:
        report(run)
        raise


def mark_done(folder: Path, stats: dict[str, Any]) -> None:
    """Of stages 8 and 9, which have no journal."""
    write_atomically(folder / "stats.json", json.dumps(stats, indent=1) + "\n")
    write_atomically(folder / "done", "")


def _count(run: Run, name: str) -> int:
    return int(run.directory.finished(name).stats()["kept"])


def _require(run: Run, name: str, problem: str, advice: str) -> None:
    """Raises when a sealed stage kept nothing: InputError for the user's own queries, NothingToDoError for the rest."""
    stats = run.directory.stage(name).stats()
    if stats["kept"]:
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in stats["dropped"].items()) or "it got no input"
    folder = run.directory.folder(name)
    message = f"{folder}: {problem} ({reasons}); {advice}, then delete this folder and run again."
    raise InputError(message) if name == "queries" else NothingToDoError(message)
