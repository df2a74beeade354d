"""A DPO step of ours against TRL's DPOTrainer: pairs per second, peak memory, and whether the gradients are the same.

    python benchmarks/dpo_step.py [--steps 3] [--rounds 2]

Same model (the embedded one, float32), same pairs, same pairs per optimiser step, the reference's log-probabilities
computed before in both. Token ids are random; lengths are those of a run: prompts of 100 to 140 tokens, completions of
40 to 300. "2 + 6" and "4 + 4" are 8 completions of a prompt, chosen and rejected, paired by `cycle`; "plain" is one
pair a prompt. "checkpointed" is ours with train.gradient_checkpointing. Each measurement is a process of its own, they
alternate, and a step's time is the median.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from autoif.config_file import parse_config

SHAPES = {"2 + 6": (2, 6), "4 + 4": (4, 4), "plain": (1, 1)}
MATRIX = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3, help="optimiser steps of one measurement, after a first one")
    parser.add_argument("--rounds", type=int, default=2, help="alternations of TRL and ours")
    arguments = parser.parse_args()
    print(f"matrix product of {MATRIX}: {in_fresh_process(matrix_rate):.0f} GFLOP/s (float32)")
    table = Table(title="pairs per second, and peak memory", title_justify="left")
    for column in ("shape", "step", "pairs/s", "of TRL", "peak MB", "of TRL", "unique GFLOP/s"):
        table.add_column(column, justify="right")
    for shape in SHAPES:
        found: dict[str, list[Any]] = {"trl": [], "packed": [], "checkpointed": []}
        for _ in range(arguments.rounds):
            for side, runs in found.items():
                runs.append(in_fresh_process(measure, shape, side, arguments.steps))
        rates = {side: statistics.median(run[0] for run in runs) for side, runs in found.items()}
        peaks = {side: max(run[1] for run in runs) for side, runs in found.items()}
        for side in found:
            flops = statistics.median(run[2] for run in found[side])
            times, share = rates[side] / rates["trl"], peaks[side] / peaks["trl"]
            numbers = (f"{rates[side]:.3f}", f"{times:.2f}", f"{peaks[side]:,.0f}", f"{share:.2f}", f"{flops:.0f}")
            table.add_row(shape, side, *numbers)
        print(f"{shape}: {json.dumps(found)}", flush=True)
    Console(width=120).print(table)
    print(f"largest relative error of the gradients, one group of 2 + 6: {in_fresh_process(gradient_error):.1e}")


def in_fresh_process(function: Callable[..., Any], *arguments: Any) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def token_pairs(shape: str, prompts: int, draw: random.Random) -> Iterator[dict[str, list[int]]]:
    """Rows as training reads them."""

    def ids(low: int, high: int) -> list[int]:
        return [draw.randrange(1000, 40_000) for _ in range(draw.randint(low, high))]

    chosen, rejected = SHAPES[shape]
    for _ in range(prompts):
        prompt = ids(100, 140)
        good, bad = ([ids(40, 300) for _ in range(count)] for count in (chosen, rejected))
        for k in range(max(chosen, rejected)):
            yield {"prompt_ids": prompt, "chosen_ids": good[k % chosen], "rejected_ids": bad[k % rejected]}


def measure(shape: str, side: str, steps: int) -> tuple[float, float, float]:
    """(pairs per second, peak MB, GFLOP/s of a step)."""
    from transformers import TrainerCallback

    from autoif.training.packed import prepared

    per_prompt = max(SHAPES[shape])
    batch = 4 if shape == "plain" else per_prompt
    rows = list(token_pairs(shape, (steps + 1) * batch // per_prompt, random.Random(0)))
    times: list[float] = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.started = time.monotonic()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            times.append(time.monotonic() - self.started)

    with tempfile.TemporaryDirectory() as folder:
        policy, trainer = make_trainer(rows, side, batch, Path(folder))
        trainer.add_callback(Clock())
        with nullcontext() if side == "trl" else prepared(policy, lean=side == "packed"):
            trainer.train()
    seconds = statistics.median(times[1:])
    unique = sum(len(r) for r in {tuple(row["prompt_ids"]) for row in rows}) + sum(
        len(c) for c in {tuple(row[side]) for row in rows for side in ("chosen_ids", "rejected_ids")}
    )
    flops = 6 * policy.num_parameters() * unique / (steps + 1)
    return batch / seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flops / seconds / 1e9


def make_trainer(rows: list[dict[str, list[int]]], side: str, batch: int, folder: Path) -> tuple[Any, Any]:
    """(model, trainer) as `train` makes them."""
    from datasets import Dataset

    from autoif.training.arrow import write_groups, write_pairs
    from autoif.training.groups import group_pairs
    from autoif.training.load import load_policy, use_cores
    from autoif.training.progress import silent
    from autoif.training.trainers import Session, most_tokens, packed_trainer, trl_trainer

    use_cores()
    settings = {"batch_size": batch, "micro_batch_size": 2, "max_length": 512, "learning_rate": 1e-9, "beta": 0.1}
    settings["gradient_checkpointing"] = side == "checkpointed"
    config = parse_config({"policy": {"device": "cpu"}, "train": settings}, "benchmark")
    policy, tokenizer = load_policy(config.policy.model, "float32")
    session = Session(config, policy, tokenizer, folder, folder / "reference.npy", silent)
    file = folder / "pairs.arrow"
    if side != "trl":
        write_groups(file, group_pairs(rows, batch, most_tokens(config.train)))
        return policy, packed_trainer(session, Dataset.from_file(str(file)), None)
    write_pairs(file, rows)
    return policy, trl_trainer(session, Dataset.from_file(str(file)), None)


def gradient_error() -> float:
    """Of ours against TRL's on the same group: |difference| / |gradient| over all weights."""
    import torch

    from autoif.training.packed import prepared

    found = []
    for side in ("trl", "packed"):
        rows = list(token_pairs("2 + 6", 1, random.Random(0)))
        with tempfile.TemporaryDirectory() as folder:
            policy, trainer = make_trainer(rows, side, len(rows), Path(folder))
            trainer.create_optimizer_and_scheduler(1)
            if side == "packed":
                with prepared(policy):
                    trainer.training_step(policy, next(iter(trainer.get_train_dataloader())))
            else:
                trainer.current_gradient_accumulation_steps = len(rows) // 2
                for inputs in trainer.get_train_dataloader():
                    trainer.training_step(policy, inputs)
        found.append(torch.cat([weight.grad.flatten() for weight in policy.parameters()]))
    return float((found[0] - found[1]).norm() / found[0].norm())


def matrix_rate() -> float:
    import torch

    from autoif.training.load import use_cores

    use_cores()
    one = torch.randn(MATRIX, MATRIX)
    one @ one
    started = time.monotonic()
    for _ in range(10):
        one @ one
    return 20 * MATRIX**3 / (time.monotonic() - started) / 1e9


if __name__ == "__main__":
    main()
