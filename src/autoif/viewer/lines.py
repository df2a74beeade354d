"""A JSONL file that is paged without being read whole, also while it grows."""

from __future__ import annotations

import math
import os
import time
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np

PATIENCE = 1.0
"""Seconds that one request may spend on reading ahead."""
CHUNK = 1 << 20
"""Bytes read at once; more only for a longer line."""

Mark = tuple[bytes, bytes, tuple[bytes, ...]]
"""What is remembered of a line: the first 8 characters of its id and of its parent, and the values of its facets."""
Values = Mapping[str, str]
"""Some facets with the values that lines are to have."""
NONE: Values = {}
Numbered = list[tuple[int, bytes]]
"""Lines with their numbers, from 0."""


class Lines:
    """The whole lines of a file, found again in 25 bytes of memory each, as far as anyone has asked for them.

    The file may grow, be replaced (as sealing a stage does), vanish and come back. A last line without its newline is
    not there yet. Safe to share between threads.
    """

    def __init__(self, path: Path, mark: Callable[[bytes], Mark], facets: tuple[str, ...] = ()) -> None:
        self.path, self.facets = path, facets
        self._mark = mark
        self._lock = RLock()
        self._file = -1
        self._forget()

    def _forget(self) -> None:
        self._starts, self._labels = array("Q"), array("B")
        self._ids, self._parents = bytearray(), bytearray()
        self._codes: dict[tuple[bytes, ...], int] = {}
        self._counts: Counter[int] = Counter()
        self._end = 0
        self.size = 0
        self.whole = False

    def close(self) -> None:
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
            self._file = -1
            self._forget()

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def read(self) -> int:
        """Bytes, of `size`."""
        return self._end

    @property
    def version(self) -> int:
        """Another number when the file was replaced."""
        return os.fstat(self._file).st_ino if self._file >= 0 else 0

    def extend(self, upto: float = math.inf, wanted: Values = NONE, seconds: float = PATIENCE) -> None:
        """Reads on until so many lines have the wanted values, to the end (`whole`), or for so long."""
        until = time.monotonic() + seconds
        with self._lock:
            self._look()
        while not self.whole:
            with self._lock:  # let go between chunks, so that another page need not wait
                if self.count(wanted) >= upto:
                    break
                self.whole = not self._read_chunk()
            if time.monotonic() > until:
                break

    def _look(self) -> None:
        """Notes what became of the file. Holding it open keeps its inode number from being given to another."""
        try:
            now = self.path.stat()
            if self._file < 0 or os.fstat(self._file).st_ino != now.st_ino or now.st_size < self._end:
                self.close()
                self._file = os.open(self.path, os.O_RDONLY)
            self.size = now.st_size
            self.whole = self.size == self._end
        except FileNotFoundError:
            self.close()
            self.whole = True

    def _read_chunk(self) -> bool:
        """Remembers the whole lines of the next chunk; False when there are none."""
        size = CHUNK
        chunk = os.pread(self._file, size, self._end)
        while len(chunk) == size and b"\n" not in chunk:
            size *= 4
            chunk = os.pread(self._file, size, self._end)
        whole = chunk[: chunk.rfind(b"\n") + 1]
        if not whole:
            return False
        lines = list(BytesIO(whole))
        marks = [self._mark(line) for line in lines]
        codes = [self._codes.setdefault(label, min(len(self._codes), 255)) for _, _, label in marks]
        self._starts.extend(accumulate(map(len, lines[:-1]), initial=self._end))
        self._ids += b"".join([id.ljust(8) for id, _, _ in marks])
        self._parents += b"".join([parent.ljust(8) for _, parent, _ in marks])
        self._labels.extend(codes)
        self._counts.update(codes)
        self._end += len(whole)
        return True

    def counts(self) -> Counter[tuple[str, ...]]:
        """How many lines have each combination of values, of those read so far."""
        with self._lock:
            return Counter({_text(label): self._counts[code] for label, code in self._codes.items()})

    def count(self, wanted: Values) -> int:
        """How many lines have these values, of those read so far."""
        with self._lock:
            return sum(self._counts[code] for code in self._wanted_codes(wanted)) if wanted else len(self)

    def page(self, wanted: Values, start: int, stop: int) -> Numbered:
        """The lines with these values, counted from `start` to before `stop`, of those read so far."""
        with self._lock:
            if not wanted:
                return self._take(range(start, min(stop, len(self))))
            chosen = np.isin(np.asarray(self._labels), self._wanted_codes(wanted))
            return self._take(np.flatnonzero(chosen)[start:stop].tolist())

    def with_id(self, id: str) -> Numbered:
        """The lines, mostly one, whose id begins like this one, of those read so far."""
        with self._lock:
            return self._take(np.flatnonzero(np.frombuffer(self._ids, "u8") == _keys([id])).tolist())

    def children(self, parents: Collection[str]) -> Numbered:
        """The lines whose parent begins like one of these, of those read so far."""
        with self._lock:
            return self._take(np.flatnonzero(np.isin(np.frombuffer(self._parents, "u8"), _keys(parents))).tolist())

    def _wanted_codes(self, wanted: Values) -> list[int]:
        labels = ((dict(zip(self.facets, _text(label), strict=True)), code) for label, code in self._codes.items())
        return [code for label, code in labels if wanted.items() <= label.items()]

    def _take(self, numbers: Sequence[int]) -> Numbered:
        """When a line is not one any more, the file was changed in place: the next look reads it anew."""
        ends = self._starts
        found = []
        for number in numbers:
            start, end = ends[number], ends[number + 1] if number + 1 < len(ends) else self._end
            found.append((number, os.pread(self._file, end - start, start)))
        if any(line.find(b"\n") != len(line) - 1 for _, line in found):
            self.close()
        return found


def _text(label: tuple[bytes, ...]) -> tuple[str, ...]:
    return tuple(value.decode("utf-8", "replace") for value in label)


def _keys(ids: Collection[str]) -> Any:
    return np.frombuffer(b"".join(id.encode()[:8].ljust(8) for id in ids), "u8")
