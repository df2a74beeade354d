"""Reads a run directory in whatever state it is: finished, under way, or with stages missing."""

from __future__ import annotations

import heapq
import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from autoif.records import Record
from autoif.rundir import NAMES, RunDirectory
from autoif.store import Stage

R = TypeVar("R", bound=Record)

STAGES = {
    "queries": "Conversations are read and their first human turns kept.",
    "instructions": "The writer adds a verifiable instruction to each query.",
    "verifiers": "The writer programs verification functions and test cases for each instruction.",
    "crosscheck": "Functions and test cases are executed against each other; only what agrees is kept.",
    "completions": "The policy answers each query + instruction several times.",
    "scores": "The kept functions judge every completion.",
    "pairs": "Completions that pass become chosen, completions that fail become rejected.",
    "train": "The policy learns to prefer chosen over rejected (DPO).",
    "evaluate": "Policy and reference answer held-out instructions.",
}


@dataclass(frozen=True, slots=True)
class Count:
    """How many units a stage took in, how many records it kept, and what it dropped and spent."""

    name: str
    number: int
    state: str
    """done, running or missing."""
    taken: int = 0
    kept: int = 0
    dropped: tuple[tuple[str, int], ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0

    @property
    def all_dropped(self) -> int:
        return sum(count for _, count in self.dropped)


@dataclass(frozen=True, slots=True)
class Example:
    """A dropped thing. `what` is any JSON value, mostly written by a model."""

    stage: str
    reason: str
    unit: int
    what: Any


class RunFolder(RunDirectory):
    """A run directory that answers whatever state it is in. Raises InputError for a folder that is none."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.about = self.saved()
        self.config = section(self.about, "config")

    def has(self, name: str) -> bool:
        return (self.folder(name) / "records.jsonl").exists()

    def records(self, name: str, model: type[R]) -> Iterator[R]:
        """Streams a stage's records; none when the stage is missing. Raises InputError on a damaged line."""
        return iter(Stage(self.folder(name), model)) if self.has(name) else iter(())

    def count(self, name: str) -> Count:
        folder, number = self.folder(name), NAMES.index(name) + 1
        if not folder.exists():
            return Count(name, number, "missing")
        done = (folder / "done").exists()
        stats = read_json(folder / "stats.json") if done else Stage(folder, Record).stats()
        return Count(
            name,
            number,
            "done" if done else "running",
            taken=whole(stats.get("in")),
            kept=whole(stats.get("kept")),
            dropped=tuple((reason, whole(n)) for reason, n in section(stats, "dropped").items()),
            prompt_tokens=whole(stats.get("prompt_tokens")),
            completion_tokens=whole(stats.get("completion_tokens")),
            seconds=number_or(stats.get("seconds"), 0.0),
        )

    def examples(self, name: str, per_reason: int) -> dict[str, list[Example]]:
        """By reason, at most `per_reason` drops, drawn by a checksum of the line: the same on every call."""
        drawn: dict[str, list[tuple[int, int, Example]]] = {}
        for place, line in enumerate(lines(self.folder(name) / "dropped.jsonl")):
            drop = json_object(line)
            example = Example(name, str(drop.get("reason")), whole(drop.get("unit")), drop.get("what"))
            heap = drawn.setdefault(example.reason, [])
            item = (-zlib.crc32(line), -place, example)
            heapq.heappush(heap, item) if len(heap) < per_reason else heapq.heappushpop(heap, item)
        return {
            reason: [example for *_, example in sorted(heap, key=lambda item: item[:2], reverse=True)]
            for reason, heap in drawn.items()
        }


def lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file that may still be growing; none when there is no file."""
    if path.exists():
        with open(path, "rb") as handle:
            yield from (line for line in handle if line.endswith(b"\n"))


def objects(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a JSONL file."""
    return (found for line in lines(path) if (found := json_object(line)))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, or {} when there is none."""
    return json_object(path.read_bytes()) if path.exists() else {}


def json_object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def section(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def objects_of(parent: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = parent.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def number_or(value: Any, default: float) -> float:
    return float(value) if is_number(value) else default


def whole(value: Any) -> int:
    return int(number_or(value, 0))
