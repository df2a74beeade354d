"""A policy between the untrained and the trained one, which keeps most of what it learned and may forget less.

Linear interpolation towards the initialisation: Wortsman et al., "Robust fine-tuning of zero-shot models" (2022),
section 3; Ramé et al., "WARP" (arXiv 2406.16768), third stage ("LITI"), for policies trained on rewards.
"""

from __future__ import annotations

import json
import shutil
from typing import Any

from autoif.errors import InputError
from autoif.pipeline import KNOWN_OF_REFERENCE, copy_missing, mark_done
from autoif.rundir import RunDirectory
from autoif.store import disk


def interpolate(run: RunDirectory, share: float, out: RunDirectory) -> None:
    """Makes `out`, whole or not at all: the stages of `run`, and the untrained policy with `share` of what training
    changed.

    It is then evaluated, looked at and pushed as any run. Both policies are held in float32 (8 bytes a parameter) and
    saved in `train.dtype`; a LoRA adapter is merged. Raises InputError when nothing is trained in `run`, `out` is there
    already or a model cannot be loaded, AutoIFError when the disk is full.
    """
    if not 0 <= share <= 1:
        raise InputError(f"--share {share}: expected a number from 0 (untrained) to 1 (trained).")
    trained, config = run.folder("train"), run.read_config()
    if not (trained / "done").exists():
        raise InputError(f"{trained}: nothing is trained yet; run `autoif train CONFIG` first.")
    if out.path.exists():
        raise InputError(f"{out.path}: is there already; name another folder as --to.")
    from autoif.training.checkpoint import between, save_checkpoint
    from autoif.training.load import load_policy

    policy, tokenizer = load_policy(str(trained / "checkpoint"), "float32")
    _move(policy, load_policy(config.train.model or config.policy.model, "float32")[0], share)
    stats = _stats(run, share)
    funnel = {stage.folder.name: stage.stats()["kept"] for stage in run.stages()}
    partial = RunDirectory(out.path.with_name(f"{out.path.name}.partial"))
    folder = partial.folder("train")
    with disk(out.path):
        shutil.rmtree(partial.path, ignore_errors=True)
        folder.mkdir(parents=True)
        save_checkpoint(policy, tokenizer, config, stats["pairs"], funnel, folder, between(stats))
        copy_missing(trained, folder, "*metrics.jsonl")
        copy_missing(trained, folder, "figures/*")
        mark_done(folder, stats)
        partial.begin_with(run, config)
        copy_missing(run.folder("evaluate"), partial.folder("evaluate"), KNOWN_OF_REFERENCE["evaluate"])
        partial.claim(config.model_copy(update={"run": str(out.path)}))
        partial.path.rename(out.path)


def _stats(run: RunDirectory, share: float) -> dict[str, Any]:
    """Of the training, with what is kept of it. Of a run that was interpolated itself, both shares count."""
    stats: dict[str, Any] = json.loads((run.folder("train") / "stats.json").read_text(encoding="utf-8"))
    name = f"{run.path.parent.name}/{run.path.name}" if run.is_round else run.path.name
    return {"of": name} | stats | {"share": share * stats.get("share", 1.0)}


def _move(policy: Any, untrained: Any, share: float) -> None:
    import torch

    start = dict(untrained.named_parameters())
    with torch.no_grad():
        for name, weight in policy.named_parameters():
            weight.lerp_(start[name], 1 - share)
