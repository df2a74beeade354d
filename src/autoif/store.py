"""The run directory: append-only stage folders that survive kill -9 at any byte.

While a stage runs, each finished unit (one input of the stage) is appended to records.jsonl and dropped.jsonl and then
committed by one fixed-size entry in `journal`: the unit's number and where both files end after it. Whatever lies
beyond the last whole entry was cut short, so opening a stage truncates it away and the unit is done again. When all
units are in, `seal` puts them in input order, so that the files depend on neither timing nor interruptions.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from typing import Any, Generic, TypeVar

import numpy as np
from pydantic import ValidationError

from autoif.errors import AutoIFError, BusyRunError, InputError
from autoif.records import Drop, Outcome, Record

R = TypeVar("R", bound=Record)
Sift = Callable[[R], str | None]

ENTRY = np.dtype(
    [("unit", "<i8"), ("records", "<i8"), ("dropped", "<i8"), ("read", "<i8"), ("written", "<i8"), ("seconds", "<f8")]
)
PACKED = Struct("<5qd")
"""One ENTRY: numpy takes ten times as long to write a single one."""
DATA = ("records.jsonl", "dropped.jsonl")
SEALING = "sealing"
SYNC_SECONDS = 1.0


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the run directory for this process. Raises BusyRunError when another one writes it."""
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "a+")  # noqa: SIM115
    with lock as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            message = f"{folder}: another process is writing this run; wait for it, or choose another --run."
            raise BusyRunError(message) from None
        yield


@contextmanager
def disk(folder: Path) -> Iterator[None]:
    """Turns a full or read-only disk into one sentence."""
    try:
        yield
    except OSError as error:
        raise AutoIFError(
            f"{folder}: cannot be written ({error.strerror}); what is done is safe: make room and run the same again."
        ) from None


class Stage(Generic[R]):
    """One stage's folder, such as runs/demo/02_instructions, holding records of one kind."""

    def __init__(self, folder: Path, model: type[R]) -> None:
        self.folder = folder
        self.model = model

    @property
    def done(self) -> bool:
        return (self.folder / "done").exists()

    def __iter__(self) -> Iterator[R]:
        """Streams the records. Raises InputError with the line number of a line that is not such a record."""
        path = self.folder / "records.jsonl"
        with open(path, "rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.endswith(b"\n"):
                    yield self.parse(line, f"{path}:{number}")

    def parse(self, line: bytes, where: str) -> R:
        try:
            return self.model.model_validate_json(line)
        except ValidationError as error:
            problem = error.errors()[0]
            raise InputError(
                f"{where}: not a {self.model.__name__} ({problem['msg']}); delete {self.folder} to make it again."
            ) from None

    def units(self) -> Iterator[tuple[int, R]]:
        return enumerate(self)

    def drops(self) -> Iterator[dict[str, Any]]:
        """What was dropped: unit, reason, what. A line that is still being written is left out."""
        path = self.folder / "dropped.jsonl"
        if path.exists():
            with open(path, "rb") as lines:
                yield from (json.loads(line) for line in lines if line.endswith(b"\n"))

    def stats(self) -> dict[str, Any]:
        """The counts of a sealed stage, or of what is committed so far."""
        if self.done:
            return dict(json.loads((self.folder / "stats.json").read_text()))
        entries = _whole_entries(self.folder)
        return _stats(self.folder, entries)


def open_journal(stage: Stage[R]) -> Journal[R] | None:
    """The stage's writer, or None when the stage is done; a sealing that was interrupted is completed first."""
    with disk(stage.folder):
        if (stage.folder / SEALING).exists():
            _complete(stage.folder)
    return None if stage.done else Journal(stage)


class Journal(Generic[R]):
    """The writer of one stage folder. Opening it repairs what an interruption left."""

    def __init__(self, stage: Stage[R]) -> None:
        self.stage = stage
        self.folder = stage.folder
        with disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in DATA:
                (self.folder / f"{name}.sorted").unlink(missing_ok=True)
            entries = _whole_entries(self.folder)
            self._ends = [int(entries[-1][k]) if len(entries) else 0 for k in ("records", "dropped")]
            self._files = [_open_at(self.folder / n, end) for n, end in zip(DATA, self._ends, strict=True)]
            self._journal = _open_at(self.folder / "journal", len(entries) * ENTRY.itemsize)
        self._finished = np.zeros(entries["unit"].max(initial=-1) + 1, bool)
        self._finished[entries["unit"]] = True
        self._clock = self._synced = time.monotonic()

    def __contains__(self, unit: int) -> bool:
        """Whether an earlier process finished this unit."""
        return unit < len(self._finished) and bool(self._finished[unit])

    def append(self, outcome: Outcome[R]) -> None:
        """Commits one unit: its records, its drops, its usage. Raises AutoIFError when the disk is full."""
        kept = b"".join(record.line() + b"\n" for record in outcome.kept)
        dropped = b"".join(_drop_line(outcome.unit, drop) for drop in outcome.dropped)
        now = time.monotonic()
        with disk(self.folder):
            for index, data in enumerate((kept, dropped)):
                _write(self._files[index], data)
                self._ends[index] += len(data)
            usage = outcome.usage
            entry = (outcome.unit, *self._ends, usage.prompt_tokens, usage.completion_tokens, now - self._clock)
            _write(self._journal, PACKED.pack(*entry))
            if now - self._synced > SYNC_SECONDS:
                self._sync()
        self._clock = now

    def seal(self, sift: Sift[R] | None = None) -> dict[str, Any]:
        """Puts the files in input order, drops the records for which `sift` gives a reason, and marks the stage done.

        `sift` sees the records in input order: the place for decisions that need all earlier records, such as
        duplicates. Returns the stage's stats.
        """
        with disk(self.folder):
            self._sync()
            _sort(self.stage, sift)
            self.close()
            (self.folder / SEALING).touch()
            return _complete(self.folder)

    def _sync(self) -> None:
        for handle in (*self._files, self._journal):
            os.fsync(handle)
        self._synced = time.monotonic()

    def close(self) -> None:
        for handle in (*self._files, self._journal):
            if handle >= 0:
                os.close(handle)
        self._files, self._journal = [], -1


def _drop_line(unit: int, drop: Drop) -> bytes:
    what = drop.what.model_dump(mode="json") if isinstance(drop.what, Record) else drop.what
    line = {"unit": unit, "reason": drop.reason, "what": what}
    return json.dumps(line, ensure_ascii=True).encode() + b"\n"


def _write(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _open_at(path: Path, end: int) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    os.ftruncate(handle, end)
    os.lseek(handle, end, os.SEEK_SET)
    return handle


def _whole_entries(folder: Path) -> Any:
    """The journal's entries whose data is all there (files may be shorter after a power cut or a careless edit)."""
    path = folder / "journal"
    if not path.exists():
        return np.empty(0, ENTRY)
    entries = np.fromfile(path, ENTRY)
    sizes = [(folder / name).stat().st_size if (folder / name).exists() else 0 for name in DATA]
    whole = (entries["records"] <= sizes[0]) & (entries["dropped"] <= sizes[1])
    return entries[: len(entries) if whole.all() else int(np.argmin(whole))]


def _sort(stage: Stage[R], sift: Sift[R] | None) -> None:
    """Writes both files anew, in input order and sifted, beside the old ones; does nothing when they are right."""
    entries = _whole_entries(stage.folder)
    rows = None if (np.diff(entries["unit"]) > 0).all() else np.argsort(entries["unit"], kind="stable")
    if rows is None and not sift:
        return
    with _sorted_file(stage.folder, 0) as records, _sorted_file(stage.folder, 1) as dropped:
        for unit, kept, drops in _in_order(stage.folder, entries, rows):
            dropped.write(drops)
            for line in kept.splitlines(keepends=True):
                record = stage.parse(line, str(stage.folder)) if sift else None
                reason = sift(record) if sift and record else None
                if reason:
                    dropped.write(_drop_line(unit, Drop(reason, record)))
                else:
                    records.write(line)


def _in_order(folder: Path, entries: Any, rows: Any) -> Iterator[tuple[int, bytes, bytes]]:
    """Each unit with its bytes in records.jsonl and in dropped.jsonl; `rows` are the entries by unit number."""
    names = ("records", "dropped")
    with open(folder / DATA[0], "rb") as records, open(folder / DATA[1], "rb") as dropped:
        for row in range(len(entries)) if rows is None else rows:
            chunks = []
            for source, name in zip((records, dropped), names, strict=True):
                start = int(entries[name][row - 1]) if row else 0
                source.seek(start)
                chunks.append(source.read(int(entries[name][row]) - start))
            yield int(entries["unit"][row]), chunks[0], chunks[1]


@contextmanager
def _sorted_file(folder: Path, index: int) -> Iterator[Any]:
    with open(folder / f"{DATA[index]}.sorted", "wb") as handle:
        yield handle
        handle.flush()
        os.fsync(handle.fileno())


def _complete(folder: Path) -> dict[str, Any]:
    """The last steps of sealing, from the moment `sealing` exists; each may be repeated after an interruption."""
    entries = _whole_entries(folder)
    for name in DATA:
        if (folder / f"{name}.sorted").exists():
            (folder / f"{name}.sorted").replace(folder / name)
    stats = _stats(folder, entries)
    write_atomically(folder / "stats.json", json.dumps(stats, indent=1) + "\n")
    write_atomically(folder / "done", "")
    (folder / SEALING).unlink()
    (folder / "journal").unlink()
    return stats


def _stats(folder: Path, entries: Any) -> dict[str, Any]:
    """Counts of a stage from its files (as far as committed) and its journal."""
    sizes = [(folder / name).stat().st_size if (folder / name).exists() else 0 for name in DATA]
    with open(folder / DATA[1], "rb") if sizes[1] else io.BytesIO() as lines:
        reasons = Counter(json.loads(line)["reason"] for line in lines if line.endswith(b"\n"))
    with open(folder / DATA[0], "rb") if sizes[0] else io.BytesIO() as lines:
        kept = sum(line.endswith(b"\n") for line in lines)
    return {
        "stage": folder.name,
        "in": len(entries),
        "kept": kept,
        "dropped": dict(reasons.most_common()),
        "prompt_tokens": int(entries["read"].sum()),
        "completion_tokens": int(entries["written"].sum()),
        "seconds": round(float(entries["seconds"].sum()), 3),
    }


def write_atomically(path: Path, text: str) -> None:
    """Replaces `path` in one step: a reader sees the old text or the new, never half."""
    scratch = path.with_name(f"{path.name}.new")
    with disk(path.parent):
        with open(scratch, "w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        scratch.replace(path)
