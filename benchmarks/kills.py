"""kill -9 of the process group at random moments of stages 1 to 7, resumed each time, until nothing is left to do.

    python benchmarks/kills.py [--kills 200] [--queries 2000]

The scripted engine answers out of order; verifiers run in the real sandbox. A run that finishes before it was killed
often enough is compared and another is begun. Prints the kills by the stage they hit, and what the ends differ in.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import yaml

FILES = ("records.jsonl", "dropped.jsonl")
STAGES = """
import sys
from pathlib import Path
from rich.console import Console
from autoif import pipeline, runner
from autoif.config_file import load_config
with runner.opened(load_config(Path(sys.argv[1]), (f"run={sys.argv[2]}",)), Console(quiet=True)) as run:
    for name in ("queries", "instructions", "verifiers", "crosscheck", "completions", "scores", "pairs"):
        pipeline.STAGES[name](run)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--queries", type=int, default=2000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = write_config(Path(folder), arguments.queries)
        began = time.monotonic()
        whole = Path(folder) / "whole"
        subprocess.run(command(config, whole), check=True)
        work = time.monotonic() - began
        begun = time.monotonic()
        subprocess.run(command(config, whole), check=True)
        start = time.monotonic() - begun
        lines = ids(whole).total()
        print(f"uninterrupted: {work:.1f} s, {start:.1f} s of them to start; {lines:,} records and drops", flush=True)
        longest = 2 * (start + (work - start) / arguments.kills)
        kill(config, whole, arguments.kills, longest)
        print(f"all in all {time.monotonic() - began:.0f} s")


def write_config(folder: Path, queries: int) -> Path:
    with open(folder / "queries.jsonl", "w") as file:
        for number in range(queries):
            text = f"What should I know about topic number {number} before I write to my landlord about it?"
            file.write(json.dumps({"query": text}) + "\n")
    engine = {"engine": "scripted", "options": {"window": 7}}
    content = {"queries": {"source": str(folder / "queries.jsonl")}, "writer": engine, "policy": engine}
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    return folder / "config.yaml"


def command(config: Path, run: Path) -> list[str]:
    return [sys.executable, "-c", STAGES, str(config), str(run)]


def kill(config: Path, whole: Path, kills: int, longest: float) -> None:
    """Prints what the interrupted runs differ in from the one that was left alone."""
    chance, hit, ends, unfinished = random.Random(0), Counter[str](), 0, True
    while hit.total() < kills or unfinished:
        run = whole.with_name(f"killed{ends}")
        process = subprocess.Popen(command(config, run), start_new_session=True)
        try:
            process.wait(timeout=chance.uniform(0, longest) if hit.total() < kills else None)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            hit[at_work(run)] += 1
            unfinished = True
            continue
        if process.returncode:
            raise SystemExit(f"a resumed run failed with exit status {process.returncode}")
        ends, unfinished = ends + 1, False
        print(f"end {ends}, after {hit.total()} kills in all: {difference(whole, run)}", flush=True)
    print("kills by stage: " + ", ".join(f"{stage} {times}" for stage, times in sorted(hit.items())))


def at_work(run: Path) -> str:
    """The stage that a killed run had begun and not finished."""
    begun = [folder for folder in sorted(run.glob("0*_*")) if not (folder / "done").exists()]
    return begun[0].name if begun else "between stages"


def difference(whole: Path, run: Path) -> str:
    wanted, found = ids(whole), ids(run)
    names = [f"{folder.name}/{name}" for folder in sorted(whole.glob("0*_*")) for name in FILES]
    same = sum((whole / name).read_bytes() == (run / name).read_bytes() for name in names)
    lost, twice = (wanted - found).total(), (found - wanted).total()
    return f"{same} of {len(names)} files byte-identical, {lost} lines lost, {twice} duplicated or new"


def ids(run: Path) -> Counter[bytes]:
    return Counter(line for path in run.glob("0*_*/*.jsonl") for line in path.read_bytes().splitlines())


if __name__ == "__main__":
    main()
