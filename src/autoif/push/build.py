"""Makes what is sent from a finished run, in RUN/push: the data set, and the policy when there is one."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from autoif.config import Config
from autoif.errors import InputError
from autoif.markdown import code
from autoif.progress import Meter
from autoif.push.card import Contents, band, dataset_card
from autoif.push.parcel import Parcel
from autoif.push.rows import PAIRS, VERIFIED, pair_row, verified_row
from autoif.push.shards import Shards
from autoif.records import PreferencePair, VerifiedInstruction
from autoif.report.folder import RunFolder
from autoif.report.results import Row, evaluation
from autoif.rundir import RunDirectory
from autoif.store import Stage, write_atomically
from autoif.training.checkpoint import base_licence, between, model_card

SPLITS = ("train", "heldout_query", "heldout_instruction")


def build(run: RunDirectory, repo: str, shown: Meter) -> list[Parcel]:
    """The parcels for `repo` and, when a policy was trained, `repo`-policy. The same run gives the same bytes.

    Raises InputError when the run has no finished pairs, AutoIFError when the disk is full.
    """
    pairs, verified = run.finished("pairs"), run.finished("crosscheck")
    if not pairs.stats()["kept"]:
        raise InputError(f"{pairs.folder}: there are no pairs to push.")
    config = run.read_config()
    shown.total = pairs.stats()["kept"] + verified.stats()["kept"]
    shutil.rmtree(run.path / "push" / "dataset", ignore_errors=True)
    parcels = [_dataset(run, config, repo, pairs, verified, shown)]
    if (run.folder("train") / "done").exists():
        parcels.append(_policy(run, config, repo))
    return parcels


def mark(run: RunDirectory) -> str:
    """Tells this run from others: its beginning, its source and its seed."""
    saved = run.saved()
    told = [saved.get("created"), saved["config"].get("seed"), saved["config"].get("queries")]
    return hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=8).hexdigest()


def _dataset(
    run: RunDirectory,
    config: Config,
    repo: str,
    pairs: Stage[PreferencePair],
    verified: Stage[VerifiedInstruction],
    shown: Meter,
) -> Parcel:
    folder, contents = run.path / "push" / "dataset", Contents()
    _write_pairs(pairs, folder / "pairs", contents, shown)
    _write_verified(verified, folder / "verified_instructions", contents, shown)
    write_atomically(folder / "README.md", dataset_card(run, config, contents, repo, mark(run)))
    files = {path.relative_to(folder).as_posix(): path for path in _below(folder)}
    return Parcel(repo, "dataset", mark(run), files, ("pairs/*.parquet", "verified_instructions/*.parquet"))


def _write_pairs(pairs: Stage[PreferencePair], folder: Path, contents: Contents, shown: Meter) -> None:
    with closing(Shards(folder, "train", PAIRS)) as shards:
        for pair in pairs:
            shards.add(pair_row(pair))
            contents.pairs += 1
            contents.pair_confidence[band(pair.confidence)] += 1
            shown.add(kept=1)


def _write_verified(verified: Stage[VerifiedInstruction], folder: Path, contents: Contents, shown: Meter) -> None:
    with ExitStack() as stack:
        shards = {split: stack.enter_context(closing(Shards(folder, split, VERIFIED))) for split in SPLITS}
        for one in verified:
            shards[one.split].add(verified_row(one))
            contents.verified[one.split, one.instruction.origin] += 1
            contents.verified_confidence[band(one.confidence)] += 1
            shown.add(kept=1)


def _policy(run: RunDirectory, config: Config, repo: str) -> Parcel:
    checkpoint, card = run.folder("train") / "checkpoint", run.path / "push" / "policy" / "README.md"
    stats = json.loads((run.folder("train") / "stats.json").read_text(encoding="utf-8"))
    funnel = {stage.folder.name: stage.stats()["kept"] for stage in run.stages()}
    head = {"datasets": [repo], "pipeline_tag": "text-generation", "autoif_run": mark(run)}
    card.parent.mkdir(parents=True, exist_ok=True)
    licence = base_licence(str(checkpoint))  # its card says what was found when it was trained
    about = _round(run, stats.get("of", "")) + _results(run)
    write_atomically(card, model_card(config, stats["pairs"], funnel, licence, head, about, between(stats)))
    files = {path.relative_to(checkpoint).as_posix(): path for path in _below(checkpoint)} | {"README.md": card}
    return Parcel(f"{repo}-policy", "model", mark(run), files, ("*.safetensors", "*.safetensors.index.json"))


def _round(run: RunDirectory, of: str) -> str:
    """Markdown. Empty for the first round, which starts from the base model. `of`: what was interpolated, if it was."""
    if not run.is_round and "/" not in of:
        return ""
    return f"""## Rounds

This is the policy of {code(run.path.name if run.is_round else of)}: training went on from that of the round before,
whose answers are in the data above. The rounds before it had pairs of their own.

"""


def _results(run: RunDirectory) -> str:
    """What was measured before and after training, as Markdown; empty when nothing was."""
    tables = evaluation(RunFolder(run.path))
    if not tables:
        return ""
    metrics = {table.benchmark: table.rows for table in tables if table.part == "metric"}
    rows = "".join(_line(row.name, part) for row in tables[0].rows for part in metrics.get(row.name, (row,)))
    return f"""## Results

Before and after training, measured by the same code, with the difference's 95 % interval from a paired bootstrap.

| measured on | n | before | after | difference |
|---|---|---|---|---|
{rows}"""


def _line(benchmark: str, row: Row) -> str:
    name = code(benchmark if row.name == benchmark else f"{benchmark}, {row.name}")
    interval = "" if row.low is None or row.high is None else f" ({row.low * 100:+.1f} to {row.high * 100:+.1f})"
    difference = f"{row.difference * 100:+.1f} points{interval}"
    return f"| {name} | {row.n} | {row.reference:.1%} | {row.policy:.1%} | {difference} |\n"


def _below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
