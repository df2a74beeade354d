"""What does it do to a real model? Every run of configs/experiment/arms.yaml, and a table of them all.

    python benchmarks/experiment.py [--out runs/experiment] [--only NAME ...] [--set A.B=C ...]

Each run is `autoif run` on base.yaml with what differs, so it goes on where it stopped and has a report of its own.
`--set` applies to all runs: other queries, another engine, local files. The table is Markdown, in OUT/table.md too.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

CONFIGS = Path(__file__).parents[1] / "configs" / "experiment"
COLUMNS = {
    "held-out": ("heldout",),
    "IFEval, average": ("ifeval", "metrics", "average"),
    "prompt strict": ("ifeval", "metrics", "prompt_level_strict"),
    "instruction strict": ("ifeval", "metrics", "inst_level_strict"),
    "prompt loose": ("ifeval", "metrics", "prompt_level_loose"),
    "instruction loose": ("ifeval", "metrics", "inst_level_loose"),
    "HellaSwag, acc": ("hellaswag", "metrics", "acc"),
    "acc_norm": ("hellaswag", "metrics", "acc_norm"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/experiment"))
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these runs alone, instead of all")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", help="as in `autoif run`, for all runs")
    arguments = parser.parse_args()
    arms = yaml.safe_load((CONFIGS / "arms.yaml").read_text(encoding="utf-8"))
    for name in arguments.only or arms:
        run(name, arguments.out, arms[name], arguments.set)
    table = "\n".join(rows(arguments.out, arms))
    (arguments.out / "table.md").write_text(table + "\n", encoding="utf-8")
    print(table)


def run(name: str, out: Path, arm: dict[str, Any], settings: Iterable[str]) -> None:
    line = ["autoif", "run", str(CONFIGS / "base.yaml"), "--run", str(out / name)]
    line += ["--from", str(out / "base")] if name != "base" else []
    line += [part for setting in settings for part in ("--set", setting)]
    for key, value in arm.items():
        line += ["--allow", value] if key == "allow" else ["--set", f"{key}={json.dumps(value)}"]
    print(f"\n$ {shlex.join(line)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "autoif.cli", *line[1:]], check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def rows(out: Path, names: Iterable[str]) -> Iterator[str]:
    """Before, after and the difference with its 95 % interval, in per cent and points. Every round has its line."""
    yield f"| run | pairs | {' | '.join(COLUMNS)} |"
    yield "|---" * (len(COLUMNS) + 2) + "|"
    for name in names:
        for folder in (out / name, *sorted((out / name).glob("round_*"))):
            scores = folder / "09_evaluate" / "scores.json"
            if scores.exists():
                told = json.loads(scores.read_text(encoding="utf-8"))
                pairs = json.loads((folder / "08_train" / "stats.json").read_text(encoding="utf-8"))["pairs"]
                cells = (cell(told, path) for path in COLUMNS.values())
                yield f"| {folder.relative_to(out)} | {pairs:,} | {' | '.join(cells)} |"


def cell(scores: dict[str, Any], path: tuple[str, ...]) -> str:
    found: Any = scores
    for key in path:
        found = found.get(key)
        if found is None:
            return ""
    change = found["difference"]
    before, after, mean, low, high = (
        100 * x for x in (found["reference"], found["policy"], change["mean"], change["low"], change["high"])
    )
    return f"{before:.1f} → {after:.1f} ({mean:+.1f}, {low:+.1f} to {high:+.1f})"


if __name__ == "__main__":
    main()
