"""Generated tokens per distinct pair (no completion used twice): a fixed procedure against waves.

    python benchmarks/tokens_per_pair.py [--queries 40]

The embedded model answers the seeds' instructions on the built-in queries, the same for both. `fixed` is what
Llama3-AutoIF does: 4 verifications for every instruction and 8 completions for every prompt. `waves` is the default
configuration. The verifications are written by the embedded model too, and only their tokens count: it cannot write
right ones, so the hand-written verifiers label the completions of both.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from autoif import pipeline, runner, stages
from autoif.config_file import parse_config
from autoif.errors import NothingToDoError
from autoif.records import Instruction

ARMS: dict[str, dict[str, dict[str, int | None]]] = {
    "fixed": {"verifiers": {"functions": 4, "wave": None}, "completions": {"per_instruction": 8, "wave": None}},
    "waves": {"verifiers": {}, "completions": {}},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=40)
    arguments = parser.parse_args()
    table = Table(title=f"{arguments.queries} queries, 3 seeds each", title_justify="left")
    columns = "prompts", "tokens: verifications", "completions", "pairs", "prompts with pairs", "tokens per pair"
    for column in ("", *columns):
        table.add_column(column, justify="right")
    costs, answering = {}, {}
    for name, wanted in ARMS.items():
        prompts, written, answered, by_prompt = run(wanted, arguments.queries)
        pairs = max(by_prompt.total(), 1)
        costs[name], answering[name] = (written + answered) / pairs, answered / pairs
        counts = (prompts, written, answered, by_prompt.total(), len(by_prompt))
        table.add_row(name, *(f"{count:,}" for count in counts), f"{costs[name]:,.0f}")
    Console(width=120).print(table)
    print(f"waves / fixed: {costs['waves'] / costs['fixed']:.2f}")
    print(f"  completions alone: {answering['waves'] / answering['fixed']:.2f}")


def run(wanted: dict[str, dict[str, int | None]], queries: int) -> tuple[int, int, int, Counter[str]]:
    """(prompts, tokens of verifications, tokens of completions, pairs of each prompt)."""
    with tempfile.TemporaryDirectory() as folder:
        config = parse_config(
            {
                "run": f"{folder}/run",
                "queries": {"limit": queries, "shuffle": True},
                "instructions": {"per_query": 0, "seeds_per_query": 3},
                "verifiers": wanted["verifiers"] | {"sampling": {"temperature": 0.7, "max_tokens": 224}},
                "crosscheck": {"heldout_queries": 0, "heldout_instructions": 0},
                "completions": wanted["completions"] | {"sampling": {"temperature": 0.7, "max_tokens": 192}},
                "pairs": {"pairing": "max_reuse", "max_reuse": 1},
            },
            str(Path(__file__).name),
        )
        with runner.opened(config, Console(stderr=True)) as run:
            for name in ("queries", "instructions"):
                pipeline.STAGES[name](run)
            written = tokens_of_verifications(run)
            try:
                for name in ("verifiers", "crosscheck", "completions", "scores", "pairs"):
                    pipeline.STAGES[name](run)
            except NothingToDoError as error:
                print(error)
            answered = run.directory.stage("completions").stats()
            by_prompt = Counter(str(pair.prompt) for pair in run.directory.stage("pairs"))
        return answered["in"], written, answered["completion_tokens"], by_prompt


def tokens_of_verifications(run: runner.Run) -> int:
    """What the writer spends on the seeds' instructions when it takes them for its own."""
    units = (
        (unit, Instruction.make(text=one.text, origin="model", queries=one.queries))
        for unit, one in run.directory.finished("instructions").units()
    )
    with run.sandbox() as sandbox:
        outcomes = stages.verifiers(units, run.config, run.engine(run.config.writer, "verifiers"), sandbox)
        return sum(outcome.usage.completion_tokens for outcome in outcomes)


if __name__ == "__main__":
    main()
