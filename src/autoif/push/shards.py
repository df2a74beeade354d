"""Parquet shards, filled row by row: no more than one row group is ever held in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from autoif.store import disk

SHARD_BYTES = 256 * 2**20
"""Size of a file, after which the next one begins."""
GROUP_BYTES = 16 * 2**20
"""Size of a row group in memory: what a reader that streams takes in at once."""
BATCH = 64
"""Rows turned into columns at a time."""


class Shards:
    """The files of one split: `folder`/`split`-00000.parquet and so on; none when there is no row."""

    def __init__(self, folder: Path, split: str, schema: pa.Schema) -> None:
        self.folder, self.split, self.schema = folder, split, schema
        self.rows = 0
        self.files: list[Path] = []
        self._waiting: list[Mapping[str, Any]] = []
        self._group: list[pa.RecordBatch] = []
        self._writer: pq.ParquetWriter | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        """Raises AutoIFError when the disk is full."""
        self.rows += 1
        self._waiting.append(row)
        if len(self._waiting) == BATCH:
            self._columns()
            if sum(batch.nbytes for batch in self._group) >= GROUP_BYTES:
                self._write()

    def close(self) -> None:
        self._columns()
        self._write()
        self._end_file()

    def _columns(self) -> None:
        if self._waiting:
            self._group.append(pa.RecordBatch.from_pylist(self._waiting, schema=self.schema))
            self._waiting = []

    def _write(self) -> None:
        if not self._group:
            return
        with disk(self.folder):
            if self._writer is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self.files.append(self.folder / f"{self.split}-{len(self.files):05d}.parquet")
                self._writer = pq.ParquetWriter(self.files[-1], self.schema, compression="zstd")
            self._writer.write_table(pa.Table.from_batches(self._group))
        self._group = []
        if self.files[-1].stat().st_size >= SHARD_BYTES:
            self._end_file()

    def _end_file(self) -> None:
        if self._writer is not None:
            with disk(self.folder):
                self._writer.close()
            self._writer = None
