"""Where queries come from: `builtin`, local files and folders, Hugging Face data sets."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from autoif.config import QueriesConfig
from autoif.errors import InputError
from autoif.records import Conversation
from autoif.remote import Folder, is_remote
from autoif.scratch import scratch_database
from autoif.sources.conversations import conversations, wanted_columns
from autoif.sources.files import data_files, is_data_file, read_rows, rows_of
from autoif.sources.hub import hub_rows

__all__ = ["Conversation", "read_source"]

BUILTIN = Path(__file__).parent.parent / "builtin_queries.jsonl"


def read_source(config: QueriesConfig, seed: int) -> Iterator[Conversation]:
    """The conversations of `config.source`, in file order or, with `config.shuffle`, in an order drawn from `seed`.

    Memory stays flat however large the source is. A row that cannot be used is a Conversation with a `problem`.
    Raises InputError when the source cannot be found or opened, or lacks the field.
    """
    if is_remote(config.source):
        remote = _remote(Folder(config.source), config)
        return _shuffled(remote, seed) if config.shuffle else remote
    path = BUILTIN if config.source == "builtin" else Path(config.source)
    if config.source and path.exists():
        local = _local(path, config)
        return _shuffled(local, seed) if config.shuffle else local
    if is_data_file(path) or not re.fullmatch(r"\w[\w.-]*(/[\w.-]+)?", config.source, re.ASCII):
        raise InputError(
            f"queries.source: {config.source!r} does not exist; "
            "give `builtin`, a file, a folder, or a Hugging Face data set id."
        )
    return conversations(hub_rows(config, seed), config, config.source)


def _local(path: Path, config: QueriesConfig) -> Iterator[Conversation]:
    for file in data_files(path):
        rows = read_rows(file, wanted_columns(config))
        yield from conversations(rows, config, _name(file, path))


def _remote(folder: Folder, config: QueriesConfig) -> Iterator[Conversation]:
    names = [name for name in folder.names() if is_data_file(name)]
    if not names:
        raise InputError(f"{folder.url}: holds no data file; expected .jsonl, .json, .parquet or .csv.")
    for name in names:
        rows = rows_of(name, partial(folder.open, name), wanted_columns(config))
        yield from conversations(rows, config, name.name)


def _name(file: Path, source: Path) -> str:
    if file == BUILTIN:
        return "builtin"
    return file.relative_to(source).as_posix() if source.is_dir() else file.name


def _shuffled(conversations: Iterator[Conversation], seed: int) -> Iterator[Conversation]:
    """All of them, in an order drawn from `seed`, by way of a temporary file."""
    draw = random.Random(seed)
    scratch = scratch_database("rows (place INTEGER PRIMARY KEY, row TEXT)", "deck (card INTEGER, place INTEGER)")
    for each in conversations:
        row = json.dumps([each.text, each.source, each.problem])
        place = scratch.execute("INSERT INTO rows (row) VALUES (?)", (row,)).lastrowid
        scratch.execute("INSERT INTO deck VALUES (?, ?)", (draw.getrandbits(62), place))
    for (row,) in scratch.execute("SELECT row FROM deck JOIN rows USING (place) ORDER BY card, place"):
        yield Conversation(*json.loads(row))
