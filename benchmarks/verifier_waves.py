"""What waves of verifiers save and cost, on label_truth's data: the six functions of each instruction in random orders.

    python benchmarks/verifier_waves.py --data FOLDER [--orders 6]

A wave is decided on by the functions so far on the probes (`crosscheck.outlook`), as in stage 3; what is kept in the
end is judged as in label_truth.py. "all at once" asks for every function and the test cases of every instruction.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from label_truth import Executed, execute, ours, tally, totals
from rich.console import Console
from rich.table import Table

from autoif.crosscheck import Trial, outlook

WAVES = (6, 3, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with label_truth.jsonl")
    parser.add_argument("--orders", type=int, default=6, help="random orders of the functions of each instruction")
    arguments = parser.parse_args()
    lines = (arguments.data / "label_truth.jsonl").read_text(encoding="utf-8").splitlines()
    executed = execute([json.loads(line) for line in lines])
    table = Table(title=f"{len(executed)} instructions", title_justify="left")
    for column in ("", "functions", "with cases", "kept", "chosen", "rejected", "wrong chosen", "wrong rejected"):
        table.add_column(column, justify="right")
    for wave in WAVES:
        name = "all at once" if wave == WAVES[0] else f"waves of {wave}"
        table.add_row(name, *figures(executed, wave, arguments.orders))
    Console(width=120).print(table)


def figures(executed: Sequence[Executed], wave: int, orders: int) -> list[str]:
    """Functions and replies with cases for an instruction, instructions and labels kept, and the wrong ones' shares."""
    shuffle = random.Random(0)
    asked, with_cases, counts = 0, 0, []
    for e in executed:
        for _ in range(orders):
            order = list(range(len(e.trial.sources)))
            shuffle.shuffle(order)
            number, hopeless = stopped(e, order, wave)
            asked += number
            with_cases += not hopeless
            labels = None if hopeless else ours(part(e, order[:number]), 0.9)
            counts.append(tally(labels, e.truth))
    kept, chosen, rejected, wrong_chosen, wrong_rejected = totals(counts)
    runs = len(executed) * orders
    means = (f"{asked / runs:.2f}", f"{with_cases / runs:.2f}")
    found = (f"{count / orders:.1f}" for count in (kept, chosen, rejected))
    return [*means, *found, f"{wrong_chosen / max(chosen, 1):.1%}", f"{wrong_rejected / max(rejected, 1):.1%}"]


def stopped(e: Executed, order: Sequence[int], wave: int) -> tuple[int, bool]:
    """(functions asked for, whether they leave no hope)."""
    for number in range(wave, len(order) + wave, wave):
        sources = [e.trial.sources[v] for v in order[:number]]
        plain = [replace(e.tried[v], cases=e.tried[v].answers, answers=()) for v in order[:number]]
        standing = outlook(Trial(e.trial.instruction, sources, e.trial.answers, ()), plain)
        if standing != "open" or number >= len(order):
            break
    asked = min(number, len(order))
    return asked, standing == "hopeless" and wave < WAVES[0]


def part(e: Executed, order: Sequence[int]) -> Executed:
    """The instruction as if only these functions had been written."""
    trial = replace(e.trial, sources=[e.trial.sources[v] for v in order])
    return replace(e, trial=trial, tried=[e.tried[v] for v in order], answers=[e.answers[v] for v in order])


if __name__ == "__main__":
    main()
