"""Files elsewhere, by URLs that fsspec knows: s3://, gs://, az://, hf://, https:// and more."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import Any, cast

from autoif.errors import AutoIFError, InputError, MissingExtraError

SHARD_ROWS = 100_000


def is_remote(path: str) -> bool:
    return "://" in path


class Folder:
    """A folder, or a single file, at a URL. Raises MissingExtraError without the library for it, InputError for what
    is no URL of a known kind."""

    def __init__(self, url: str) -> None:
        try:
            import fsspec
        except ImportError:
            raise MissingExtraError("fsspec", "remote") from None
        self.url = url
        try:
            self.files, self.path = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise InputError(f"{url}: {error}") from None

    def names(self) -> list[PurePosixPath]:
        """Of every file in it and below, sorted. Raises InputError when there is none, or when it cannot be reached."""
        try:
            found = [PurePosixPath(name) for name in self.files.find(self.path)]
        except Exception as error:  # each kind of store has its own
            raise InputError(self._said(error)) from None
        if not found:
            raise InputError(f"{self.url}: there is nothing; check the path, and the keys that give access to it.")
        return sorted(found)

    def open(self, name: PurePosixPath) -> io.BufferedReader:
        """To read, in pieces. Raises InputError when it cannot be opened."""
        try:
            return io.BufferedReader(cast(io.RawIOBase, self.files.open(str(name), "rb")))
        except Exception as error:
            raise InputError(self._said(error)) from None

    def write(self, stem: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Writes rows as STEM-00000.jsonl and so on; returns their number.

        Raises InputError when there are files of that name already, AutoIFError when they cannot be written.
        """
        try:
            if self.files.glob(f"{self.path}/{stem}-*.jsonl"):
                raise InputError(f"{self.url}: already holds {stem}-*.jsonl; delete these or choose another place.")
            return sum(self._write(f"{stem}-{number:05d}.jsonl", shard) for number, shard in enumerate(_shards(rows)))
        except AutoIFError:
            raise
        except Exception as error:
            raise AutoIFError(self._said(error)) from None

    def _write(self, name: str, rows: Iterator[Mapping[str, Any]]) -> int:
        self.files.makedirs(self.path, exist_ok=True)
        count = 0
        with self.files.open(f"{self.path}/{name}", "w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                count += 1
        return count

    def _said(self, error: Exception) -> str:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return f"{self.url}: {said}; check the path, and the keys that give access to it."


def _shards(rows: Iterable[Mapping[str, Any]]) -> Iterator[Iterator[Mapping[str, Any]]]:
    """Runs of SHARD_ROWS rows, streamed; each must be used up before the next."""
    source = iter(rows)
    for first in source:
        yield chain([first], islice(source, SHARD_ROWS - 1))
