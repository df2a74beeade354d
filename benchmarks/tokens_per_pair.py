"""Generated tokens per distinct pair (no completion used twice): a fixed number of samples against waves.

    python benchmarks/tokens_per_pair.py [--queries 40]

The embedded model answers the seeds' instructions on the built-in queries, the same for both. `fixed` is what
Llama3-AutoIF does: 8 completions for every prompt. `waves` is the default configuration. Both use one engine setting
and one seed, so the samples they share are the same where the engine is deterministic.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from autoif import pipeline
from autoif.config_file import parse_config
from autoif.errors import NothingToDoError

ARMS = {"fixed": {"per_instruction": 8, "wave": None}, "waves": {}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=40)
    arguments = parser.parse_args()
    table = Table(title=f"{arguments.queries} queries, 3 seeds each", title_justify="left")
    for column in ("", "prompts", "samples", "tokens", "pairs", "prompts with pairs", "tokens per pair"):
        table.add_column(column, justify="right")
    costs = {}
    for name, wanted in ARMS.items():
        prompts, samples, tokens, by_prompt = run(wanted, arguments.queries)
        costs[name] = tokens / max(sum(by_prompt.values()), 1)
        counts = (prompts, samples, tokens, sum(by_prompt.values()), len(by_prompt))
        table.add_row(name, *(f"{count:,}" for count in counts), f"{costs[name]:,.0f}")
    Console(width=120).print(table)
    print(f"waves / fixed: {costs['waves'] / costs['fixed']:.2f}")


def run(completions: dict[str, object], queries: int) -> tuple[int, int, int, Counter[str]]:
    """(prompts, samples, generated tokens, pairs of each prompt)."""
    with tempfile.TemporaryDirectory() as folder:
        config = parse_config(
            {
                "run": f"{folder}/run",
                "queries": {"limit": queries, "shuffle": True},
                "writer": {"engine": "scripted"},
                "instructions": {"per_query": 0, "seeds_per_query": 3},
                "crosscheck": {"heldout_queries": 0, "heldout_instructions": 0},
                "completions": completions | {"sampling": {"temperature": 0.7, "max_tokens": 192}},
                "pairs": {"pairing": "max_reuse", "max_reuse": 1},
            },
            str(Path(__file__).name),
        )
        with pipeline.opened(config, Console(stderr=True)) as run:
            try:
                for name in ("queries", "instructions", "verifiers", "crosscheck", "completions", "scores", "pairs"):
                    pipeline.STAGES[name](run)
            except NothingToDoError as error:
                print(error)
            answered = run.directory.stage("completions").stats()
            by_prompt = Counter(str(pair.prompt) for pair in run.directory.stage("pairs"))
        samples = answered["kept"] + sum(answered["dropped"].values())
        return answered["in"], samples, answered["completion_tokens"], by_prompt


if __name__ == "__main__":
    main()
