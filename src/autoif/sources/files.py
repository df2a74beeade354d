"""Rows of local files, streamed: a bad row is a `Malformed`, and what can be read around it is read."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Container, Iterator
from pathlib import Path, PurePath
from typing import Any, cast

from autoif.errors import InputError
from autoif.sources.conversations import Malformed, first_line

Row = tuple[int, Any]
"""Where in the file (line, item or row, counted from 1), and a mapping, a `Malformed`, or whatever else was there."""

LONGEST = 16 * 2**20
"""Bytes of one line (characters of one CSV field); a longer one is malformed, so that memory stays flat."""
BOM = b"\xef\xbb\xbf"
BROKEN = (OSError, EOFError, zlib.error)
"""What a damaged or truncated .gz raises while it is read."""


def is_data_file(path: PurePath) -> bool:
    return _suffix(path) in READERS


def data_files(path: Path) -> list[Path]:
    """The file itself, or the data files in a folder and below, sorted, without hidden ones."""
    if not path.is_dir():
        return [path]
    found = (file.relative_to(path) for file in path.rglob("*") if is_data_file(file) and file.is_file())
    files = sorted(path / file for file in found if not any(part.startswith(".") for part in file.parts))
    if not files:
        raise InputError(f"{path}: holds no data file; expected one of {', '.join(READERS)} (text may be .gz).")
    return files


def read_rows(path: Path, columns: Container[str]) -> Iterator[Row]:
    """The rows of a file, as `rows_of` gives them."""
    return rows_of(path, lambda: path.open("rb"), columns)


def rows_of(path: PurePath, opened: Callable[[], io.BufferedReader], columns: Container[str]) -> Iterator[Row]:
    """The rows of a file as they come. Of a Parquet file only `columns` are read, if there are any of them.

    Raises InputError when the file cannot be opened or is of no known kind.
    """
    reader = READERS.get(_suffix(path))
    if reader is None:
        raise InputError(f"{path}: is of no known kind; expected one of {', '.join(READERS)} (text may be .gz).")
    try:
        packed = path.suffix.lower() == ".gz"
        with opened() as raw, gzip.GzipFile(fileobj=raw) if packed else raw as file:
            yield from reader(cast(io.BufferedReader, file), columns)
    except BROKEN as error:
        raise InputError(f"{path}: cannot be read ({error}).") from None


def _suffix(path: PurePath) -> str:
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()


def _lines(file: io.BufferedReader) -> Iterator[bytes | Malformed]:
    """Lines without a byte order mark; over-long ones are skipped in pieces."""
    start = BOM
    try:
        while line := file.readline(LONGEST):
            if len(line) < LONGEST or line.endswith(b"\n"):
                yield line.removeprefix(start)
            else:
                yield Malformed(f"a line of more than {LONGEST} bytes")
                while (rest := file.readline(LONGEST)) and not rest.endswith(b"\n"):
                    pass
            start = b""
    except BROKEN as error:
        yield Malformed(f"the file ends too early ({error})")


def _read_jsonl(file: io.BufferedReader, columns: Container[str]) -> Iterator[Row]:
    for number, line in enumerate(_lines(file), 1):
        if isinstance(line, Malformed):
            yield number, line
        elif line.strip():
            yield number, _parse(line)


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return Malformed("not UTF-8")
    except (ValueError, RecursionError) as error:
        return Malformed(f"not JSON ({error})")


def _read_json(file: io.BufferedReader, columns: Container[str]) -> Iterator[Row]:
    """A JSON array of rows; also JSON lines, which many files of this name hold."""
    import ijson

    if file.peek(len(BOM)).startswith(BOM):
        file.read(len(BOM))
    if not file.peek(1).lstrip().startswith(b"["):
        yield from _read_jsonl(file, columns)
        return
    number = 0
    try:
        for number, item in enumerate(ijson.items(file, "item", use_float=True), 1):
            yield number, item
    except (ijson.JSONError, ValueError, *BROKEN) as error:
        yield number + 1, Malformed(f"the array breaks off: not JSON ({first_line(error)})")


def _read_csv(file: io.BufferedReader, columns: Container[str]) -> Iterator[Row]:
    csv.field_size_limit(LONGEST)
    reader = csv.reader(_csv_lines(file))
    header: list[str] | None = None
    while True:
        try:
            cells = next(reader)
            "".join(cells).encode()
        except StopIteration:
            return
        except (csv.Error, UnicodeEncodeError) as error:
            yield reader.line_num, Malformed(f"not CSV in UTF-8 ({error})")
            continue
        if header is None:
            header = cells
        elif cells:
            yield reader.line_num, dict(zip(header, cells, strict=False))


def _csv_lines(file: io.BufferedReader) -> Iterator[str]:
    """Text whose undecodable bytes, and lines that could not be read, are lone surrogates."""
    for line in _lines(file):
        yield "\udcff\n" if isinstance(line, Malformed) else line.decode("utf-8", "surrogateescape")


def _read_parquet(file: io.BufferedReader, columns: Container[str]) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        table = pq.ParquetFile(file, buffer_size=2**20)
        names = [name for name in table.schema_arrow.names if name in columns] or table.schema_arrow.names
        for batch in table.iter_batches(batch_size=256, columns=names):
            for row in range(batch.num_rows):
                number += 1
                yield number, _parquet_row(batch, row)
    except (pa.ArrowException, OSError) as error:
        if not number:
            raise OSError(f"not Parquet: {first_line(error)}") from None
        yield number + 1, Malformed(f"the file is damaged from here ({first_line(error)})")


def _parquet_row(batch: Any, row: int) -> Any:
    try:
        return {name: batch.column(name)[row].as_py() for name in batch.schema.names}
    except UnicodeDecodeError:
        return Malformed("not UTF-8")


READERS: dict[str, Callable[[io.BufferedReader, Container[str]], Iterator[Row]]] = {
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
