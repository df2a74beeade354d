"""Trains on the pairs of a run twice: left alone, and killed (kill -9) after each of its first saved states.

    python benchmarks/train_resume.py runs/demo [--kills 2] [--save-seconds 30]

Prints the largest difference of any weight and of any logged loss, and how far the weights moved in training, which is
what a difference must be small against.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TRAIN = """
import json, sys
from pathlib import Path
from autoif.config import Config
from autoif.training import train
run, out, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
config = Config.model_validate(json.loads((run / "config.json").read_text())["config"])
train(config, run / "07_pairs" / "records.jsonl", out, save_seconds=seconds)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run directory whose stage 7 is done")
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--save-seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        began = time.monotonic()
        start(arguments.run, whole, arguments.save_seconds).wait()
        print(f"left alone: {len(losses(whole))} steps, {time.monotonic() - began:.0f} s", flush=True)
        for _ in range(arguments.kills):
            kill_when_saved(start(arguments.run, killed, arguments.save_seconds), killed / "state")
        start(arguments.run, killed, arguments.save_seconds).wait()
        compare(arguments.run, whole, killed)


def start(run: Path, out: Path, seconds: float) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-c", TRAIN, str(run), str(out), str(seconds)]
    return subprocess.Popen(line, start_new_session=True)


def kill_when_saved(process: subprocess.Popen[bytes], state: Path) -> None:
    """Kills a training as soon as it has written one more state than it began with."""
    before = set(state.rglob("checkpoint-*"))
    while not set(state.rglob("checkpoint-*")) - before:
        if process.poll() is not None:
            raise SystemExit(f"the training ended before it was killed (exit status {process.returncode})")
        time.sleep(0.1)
    time.sleep(5)  # into the next step
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    print(f"killed; saved: {', '.join(sorted(path.name for path in state.rglob('checkpoint-*')))}", flush=True)


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]


def compare(run: Path, whole: Path, killed: Path) -> None:
    from autoif.training.load import load_policy

    model = json.loads((run / "config.json").read_text())["config"]["policy"]["model"]
    start, one, other = (
        dict(load_policy(str(name), "float32")[0].named_parameters())
        for name in (model, whole / "checkpoint", killed / "checkpoint")
    )
    moved, apart = largest(start, one), largest(one, other)
    logged = max(abs(a - b) for a, b in zip(losses(whole), losses(killed), strict=True))
    print(f"largest difference of a weight: {apart:.1e}; training moved weights by up to {moved:.1e}")
    print(f"largest difference of a logged loss: {logged:.1e}")


def largest(one: dict[str, Any], other: dict[str, Any]) -> float:
    return max(float((weight - other[name]).detach().abs().max()) for name, weight in one.items())


if __name__ == "__main__":
    main()
