"""A JSONL file that is paged without being read whole, also while it grows."""

from __future__ import annotations

import math
import os
import time
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from io import BytesIO
from pathlib import Path
from threading import RLock
from typing import NamedTuple

import numpy as np

PATIENCE = 1.0
"""Seconds that one request may spend on reading ahead."""
CHUNK = 1 << 20
"""Bytes read at once; more only for a longer line."""

Label = tuple[str, ...]
Values = Mapping[str, str]
"""Some facets with the values that lines are to have."""
NONE: Values = {}
Numbered = list[tuple[int, bytes]]
"""Lines with their numbers, from 0."""


class Mark(NamedTuple):
    """What is remembered of a line: its record's id and parent, and the values that it can be filtered by."""

    id: bytes = b""
    parent: bytes = b""
    label: Label = ()


class Lines:
    """The whole lines of a file, found again in 17 bytes of memory each, as far as anyone has asked for them.

    The file may grow, be replaced (as sealing a stage does), vanish and come back. A last line without its newline is
    not there yet. `facets` name the values of a label. Safe to share between threads.
    """

    def __init__(self, path: Path, read_mark: Callable[[bytes], Mark], facets: tuple[str, ...] = ()) -> None:
        self.path, self.facets = path, facets
        self._read_mark = read_mark
        self._lock = RLock()
        self._file = -1
        self._forget()

    def _forget(self) -> None:
        self._starts, self._ids, self._parents, self._labels = array("Q"), array("I"), array("I"), array("B")
        self._codes: dict[Label, int] = {}
        self._counts: Counter[Label] = Counter()
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
        for line in BytesIO(whole):
            self._remember(line)
        return bool(whole)

    def _remember(self, line: bytes) -> None:
        mark = self._read_mark(line)
        self._starts.append(self._end)
        self._ids.append(zlib.crc32(mark.id))
        self._parents.append(zlib.crc32(mark.parent))
        self._labels.append(self._codes.setdefault(mark.label, min(len(self._codes), 255)))
        self._counts[mark.label] += 1
        self._end += len(line)

    def counts(self) -> Counter[Label]:
        """How many lines have each label, of those read so far."""
        with self._lock:
            return Counter(self._counts)

    def count(self, wanted: Values) -> int:
        """How many lines have these values, of those read so far."""
        return sum(number for label, number in self.counts().items() if self._fits(label, wanted))

    def page(self, wanted: Values, start: int, stop: int) -> Numbered:
        """The lines with these values, counted from `start` to before `stop`, of those read so far."""
        with self._lock:
            if not wanted:
                return self._take(range(start, min(stop, len(self))))
            codes = [code for label, code in self._codes.items() if self._fits(label, wanted)]
            return self._take(np.flatnonzero(np.isin(np.asarray(self._labels), codes))[start:stop].tolist())

    def with_id(self, id: str) -> Numbered:
        """The line of the record with this id, if it was read so far."""
        with self._lock:
            found = self._take(np.flatnonzero(np.asarray(self._ids) == zlib.crc32(id.encode())).tolist())
        return [(number, line) for number, line in found if self._read_mark(line).id == id.encode()][:1]

    def children(self, parents: Collection[str]) -> Numbered:
        """The lines whose parent is one of these, of those read so far."""
        names = {parent.encode() for parent in parents}
        keys = np.array([zlib.crc32(name) for name in names], np.uint32)
        with self._lock:
            found = self._take(np.flatnonzero(np.isin(np.asarray(self._parents), keys)).tolist())
        return [(number, line) for number, line in found if self._read_mark(line).parent in names]

    def _fits(self, label: Label, wanted: Values) -> bool:
        return all(value == wanted.get(facet, value) for facet, value in zip(self.facets, label, strict=True))

    def _take(self, numbers: Iterable[int]) -> Numbered:
        """When a line is not one any more, the file was changed in place: the next look reads it anew."""
        ends = self._starts
        found = []
        for number in numbers:
            start, end = ends[number], ends[number + 1] if number + 1 < len(ends) else self._end
            found.append((number, os.pread(self._file, end - start, start)))
        if any(line.find(b"\n") != len(line) - 1 for _, line in found):
            self.close()
        return found
