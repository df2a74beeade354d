"""What the pipeline costs beside the models: records per second and memory with an engine that answers at once, and
the wall time of a generation stage against the engine's own time for the same requests.

    python benchmarks/pipeline_overhead.py                  # 10^3 to 10^5 queries, then the CPU engine
    python benchmarks/pipeline_overhead.py --largest 1000000
    python benchmarks/pipeline_overhead.py --sandbox        # stages 1 to 7 with real sandboxes, 10^3 to 10^5 queries
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from autoif import pipeline, runner
from autoif.config import Config
from autoif.config_file import parse_config
from autoif.engines import load_engine
from autoif.policies import reference_engine
from autoif.records import Candidates, Completion, Outcome, ScoredCompletion, VerifiedInstruction
from autoif.stages.completions import wave
from autoif.units import prompts

QUIET = Console(quiet=True)
MEASURED = ("queries", "instructions", "verifiers", "completions", "pairs")
STAGES = ("queries", "instructions", "verifiers", "crosscheck", "completions", "scores", "pairs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=100_000, help="queries of the largest run")
    parser.add_argument("--skip-engine", action="store_true", help="leave out the CPU engine")
    parser.add_argument("--sandbox", action="store_true", help="wall time of all seven stages, verifiers executed")
    arguments = parser.parse_args()
    if arguments.sandbox:
        show_whole(arguments.largest)
    else:
        show_rates(arguments.largest)
        if not arguments.skip_engine:
            show_engine_ratio()


def show_rates(largest: int) -> None:
    """Records per second of processor time, and the peak of memory."""
    table = Table(title="scripted engine, one process", title_justify="left")
    for column in ("queries", *(f"{name}/s" for name in MEASURED), "peak MB"):
        table.add_column(column, justify="right")
    size = 1000
    while size <= largest:
        rates, peak = _in_fresh_process(_scripted, size)
        table.add_row(f"{size:,}", *(f"{rates[name]:,.0f}" for name in MEASURED), f"{peak:.0f}")
        print(f"{size:,} queries: {rates}, {peak:.0f} MB", flush=True)
        size *= 10
    Console(width=120).print(table)


def show_engine_ratio() -> None:
    ratios = [_in_fresh_process(_engine_ratio, seed) for seed in range(3)]
    print(f"stage wall time / engine's own time, completions on the CPU engine: {statistics.median(ratios):.3f}")
    print("  of three alternating runs: " + ", ".join(f"{ratio:.3f}" for ratio in ratios))


def show_whole(largest: int) -> None:
    """Seconds of every stage. Linear: ten times the queries, ten times the seconds, and no more memory."""
    table = Table(title="scripted engine, two sandbox workers, seconds", title_justify="left")
    for column in ("queries", *STAGES, "peak MB", "disk MB"):
        table.add_column(column, justify="right")
    size = 1000
    while size <= largest:
        seconds, peak, disk = _in_fresh_process(_whole, size)
        table.add_row(f"{size:,}", *(f"{seconds[name]:.1f}" for name in STAGES), f"{peak:.0f}", f"{disk:.0f}")
        print(f"{size:,} queries: {seconds}, peak {peak:.0f} MB, on disk {disk:.0f} MB", flush=True)
        size *= 10
    Console(width=120).print(table)


def _whole(size: int) -> tuple[dict[str, float], float, float]:
    """Wall seconds of each stage, the sum of the peaks of this process and its largest child, and the run, in MB."""
    with tempfile.TemporaryDirectory() as folder, runner.opened(_config(folder, size), QUIET) as run:
        seconds = {}
        for name in STAGES:
            started = time.monotonic()
            pipeline.STAGES[name](run)
            seconds[name] = round(time.monotonic() - started, 2)
        disk = sum(path.stat().st_size for path in run.directory.path.glob("0*_*/*.jsonl"))
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return seconds, sum(peaks) / 1024, disk / 1e6


def _in_fresh_process(function: Any, argument: int) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, (argument,))


def _scripted(size: int) -> tuple[dict[str, float], float]:
    """Records per second of each stage (kept and dropped), and the peak resident memory in MB.

    A run of 100 queries comes first, so that loading libraries and the language model is not counted. Of a small size,
    whose stages take a fifth of a second, it is the median of five runs.
    """
    _rates(100)
    runs = [_rates(size) for _ in range(5 if size < 10_000 else 1)]
    rates = {name: statistics.median(run[name] for run in runs) for name in MEASURED}
    return rates, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _rates(size: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, runner.opened(_config(folder, size), QUIET) as run:
        rates = {name: _rate(run, name) for name in ("queries", "instructions", "verifiers")}
        run.execute("crosscheck", run.directory.finished("verifiers").units(), _believe_all, None)
        rates["completions"] = _rate(run, "completions")
        run.execute("scores", run.directory.finished("completions").units(), _score_by_turns, None)
        rates["pairs"] = _rate(run, "pairs")
    return rates


def _config(folder: str, size: int) -> Config:
    """Queries in a file, and a run that reads them."""
    source = Path(folder) / "queries.jsonl"
    with open(source, "w") as file:
        for number in range(size):
            text = f"What should I know about topic number {number} before I write to my landlord about it?"
            file.write(json.dumps({"query": text}) + "\n")
    content = {
        "run": f"{folder}/run",
        "queries": {"source": str(source)},
        "writer": {"engine": "scripted"},
        "policy": {"engine": "scripted"},
        "verifiers": {"wave": None},
        "completions": {"per_instruction": 2},
        "sandbox": {"workers": 2},
    }
    return parse_config(content, "benchmark")


def _rate(run: runner.Run, name: str) -> float:
    started = time.process_time()
    pipeline.STAGES[name](run)
    seconds = time.process_time() - started
    stats = run.directory.stage(name).stats()
    return (stats["kept"] + sum(stats["dropped"].values())) / seconds


def _believe_all(units: pipeline.Units) -> Iterator[Outcome[VerifiedInstruction]]:
    """Stands for the sandbox, which has a benchmark of its own."""
    for unit, candidates in units:
        assert isinstance(candidates, Candidates)
        fields = {"instruction": candidates.instruction, "verifiers": candidates.verifiers, "cases": candidates.cases}
        yield Outcome(unit, (VerifiedInstruction.make(parent=candidates.id, explanation="kept", **fields),))


def _score_by_turns(units: pipeline.Units) -> Iterator[Outcome[ScoredCompletion]]:
    for unit, completion in units:
        assert isinstance(completion, Completion)
        rate = float(unit % 2)
        score = ScoredCompletion.make(
            parent=completion.id, completion=completion, verdicts=("TRUE" if rate else "FALSE",), pass_rate=rate
        )
        yield Outcome(unit, (score,))


def _engine_ratio(seed: int) -> float:
    """Stage 5 through store and pipeline, against the bare engine on the same requests; both after a warm-up."""
    with tempfile.TemporaryDirectory() as folder:
        config = parse_config(
            {
                "run": f"{folder}/run",
                "seed": seed,
                "queries": {"limit": 40},
                "writer": {"engine": "scripted"},
                "instructions": {"per_query": 0, "seeds_per_query": 1},
                "crosscheck": {"heldout_queries": 0, "heldout_instructions": 0},
                "completions": {"per_instruction": 4, "sampling": {"temperature": 0, "top_p": 1, "max_tokens": 64}},
            },
            "benchmark",
        )
        with runner.opened(config, QUIET) as run:
            for name in ("queries", "instructions", "verifiers", "crosscheck"):
                pipeline.STAGES[name](run)
            alone = _bare_seconds(run, config)
            started = time.monotonic()
            pipeline.completions(run)
            return (time.monotonic() - started) / alone


def _bare_seconds(run: runner.Run, config: Config) -> float:
    """The same requests, straight to the engine: a fresh one, so that neither finds a warm prefix cache."""
    wanted = [
        request
        for unit, prompt in prompts(run.directory.finished("crosscheck"))
        for request in wave(unit, prompt, 0, config)
    ]
    numbered = [replace(request, id=str(number)) for number, request in enumerate(wanted)]
    started = time.monotonic()
    with load_engine(reference_engine(config)) as engine:
        for _ in engine.generate(numbered):
            pass
    return time.monotonic() - started


if __name__ == "__main__":
    main()
