"""Stage 5 at full load: the embedded model answers, and every wave of answers is verified in the sandbox.

    python benchmarks/soak.py [--minutes 20] [--engine openvino]

Samples memory, open files and processes of the command and its descendants, then stops it by SIGTERM. Prints memory at
every tenth of the time, its slope over the second half (in the first, the engine's cache of 1 GiB fills), the seconds
that it took to stop, and what is left.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

SECONDS = 5.0
"""Between two samples."""


@dataclass(frozen=True)
class Sample:
    seconds: float
    megabytes: float
    files: int
    processes: set[int]
    zombies: int
    replies: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--engine", choices=("openvino", "scripted"), default="openvino", help="scripted: no model")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = write_config(Path(folder), arguments.engine)
        for stage in ("queries", "instructions", "verifiers", "crosscheck"):
            subprocess.run(autoif(stage, config), check=True, stdout=subprocess.DEVNULL)
        process = subprocess.Popen(autoif("completions", config), start_new_session=True, stdout=subprocess.DEVNULL)
        samples = watch(process, Path(folder) / "run" / "05_completions", arguments.minutes * 60)
        if process.poll() is not None:
            raise SystemExit(f"it ended by itself with exit status {process.returncode}: too little work for this long")
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait()
        tell(samples)
        left = sum(Path(f"/proc/{number}").exists() for number in set[int]().union(*(s.processes for s in samples)))
        print(
            f"SIGTERM: exit status {process.returncode} after {time.monotonic() - asked:.1f} s, {left} processes left"
        )


def write_config(folder: Path, engine: str) -> Path:
    """More prompts than can be answered in any sensible time; answers short, so that there is much to verify."""
    content = {
        "run": str(folder / "run"),
        "writer": {"engine": "scripted"},
        "policy": {"engine": engine, "options": {"cache_gb": 1} if engine == "openvino" else {}},
        "instructions": {"per_query": 0, "seeds_per_query": 40},
        "completions": {"min_contrast": 0, "sampling": {"temperature": 1.0, "max_tokens": 64}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    return folder / "config.yaml"


def autoif(stage: str, config: Path) -> list[str]:
    return [sys.executable, "-m", "autoif.cli", stage, str(config)]


def watch(process: subprocess.Popen[bytes], stage: Path, seconds: float) -> list[Sample]:
    began, samples = time.monotonic(), []
    while time.monotonic() - began < seconds and process.poll() is None:
        time.sleep(SECONDS)
        samples.append(sample(process.pid, stage, time.monotonic() - began))
    return samples


def tree(root: int) -> dict[int, str]:
    """A process and its descendants, with the state of each."""
    parents, states = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        parents[int(folder.name)], states[int(folder.name)] = int(parent), state
    found = {root}
    while more := {number for number, parent in parents.items() if parent in found} - found:
        found |= more
    return {number: states[number] for number in found if number in states}


def sample(root: int, stage: Path, seconds: float) -> Sample:
    """Memory is counted by shares of pages (PSS), so that what forked processes have in common counts once."""
    found, kilobytes, files = tree(root), 0, 0
    for number in found:
        try:
            rows = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
            kilobytes += sum(int(row.split()[1]) for row in rows if row.startswith("Pss:"))
            files += sum(1 for _ in Path(f"/proc/{number}/fd").iterdir())
        except OSError:
            continue
    replies = sum(path.read_bytes().count(b"\n") for path in stage.glob("*.jsonl"))
    return Sample(seconds, kilobytes / 1024, files, set(found), list(found.values()).count("Z"), replies)


def tell(samples: list[Sample]) -> None:
    print(f"{samples[-1].seconds / 60:.1f} minutes, {samples[-1].replies:,} answers written and verified")
    tenths = [samples[len(samples) * part // 10].megabytes for part in range(10)]
    print(f"memory, MB: {', '.join(f'{number:.0f}' for number in [*tenths, samples[-1].megabytes])}")
    settled = samples[len(samples) // 2 :]
    hours, memory = ([getattr(s, name) for s in settled] for name in ("seconds", "megabytes"))
    print(f"slope over the second half: {np.polyfit(hours, memory, 1)[0] * 3600:+.0f} MB an hour")
    for name, numbers in (
        ("open files", [sample.files for sample in settled]),
        ("processes", [len(sample.processes) for sample in settled]),
        ("zombies", [sample.zombies for sample in settled]),
    ):
        print(f"{name}: {min(numbers)} to {max(numbers)}")


if __name__ == "__main__":
    main()
