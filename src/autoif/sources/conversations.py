"""From a row of any of the known shapes to the first human turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from autoif.config import QueriesConfig
from autoif.errors import InputError
from autoif.records import Conversation, clean

FIELDS = ("query", "prompt", "instruction", "question", "text")
CHATS = ("messages", "conversation", "conversations", "chosen")
COLUMNS = {"auto": FIELDS + CHATS, "field": FIELDS, "sharegpt": ("conversations",), "hh": ("chosen",)}
"""Where each format looks for the query, first match first, when queries.field does not say."""
HUMANS = ("human", "user")


class Malformed(str):
    """Stands in for a row that could not be read, and says why."""


def first_line(error: Exception) -> str:
    """What a library had to say, short enough for a sentence."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def wanted_columns(config: QueriesConfig) -> tuple[str, ...]:
    """The columns that may hold the query, first match first."""
    return (config.field,) if config.field else COLUMNS[config.format]


def conversations(rows: Iterable[tuple[int, Any]], config: QueriesConfig, name: str) -> Iterator[Conversation]:
    """One conversation per numbered row of `name`. The first good row decides which column is read.

    Raises InputError when that row lacks the column.
    """
    column: str | None = None
    for number, row in rows:
        source = f"{name}:{number}"
        if isinstance(row, Mapping) and column is None:
            column = _column(row, config, source)
        try:
            yield Conversation(_first_human_turn(row, column, config.format), source)
        except _Unusable as why:
            yield Conversation(None, source, str(why))


class _Unusable(Exception):
    pass


def _column(row: Mapping[str, Any], config: QueriesConfig, source: str) -> str:
    wanted = wanted_columns(config)
    for column in wanted:
        if column in row:
            return column
    found = clean(", ".join(str(key)[:50] for key in list(row)[:20])) or "none"
    raise InputError(
        f"{source}: expected the field {' or '.join(wanted)}, found {found}; "
        "set queries.field to the field that holds the query."
    )


def _first_human_turn(row: Any, column: str | None, format: str) -> str | None:
    if isinstance(row, Malformed):
        raise _Unusable(row)
    if not isinstance(row, Mapping) or column is None:
        raise _Unusable(f"expected an object, found {_kind(row)}")
    if column not in row:
        raise _Unusable(f"has no field {column}")
    value = row[column]
    if isinstance(value, list):
        return _first_of_turns(value)
    if not isinstance(value, str):
        raise _Unusable(f"expected text in {column}, found {_kind(value)}")
    is_transcript = format == "hh" or (format == "auto" and column == "chosen")
    return _first_of_transcript(value) if is_transcript else value


def _first_of_turns(turns: list[Any]) -> str | None:
    """ShareGPT's from/value turns and chat messages of role/content."""
    if not turns:
        return None
    turn = turns[0]
    if not isinstance(turn, Mapping):
        raise _Unusable(f"expected a turn, found {_kind(turn)}")
    if turn.get("from", turn.get("role")) not in HUMANS:
        return None
    text = turn.get("value", turn.get("content"))
    if not isinstance(text, str):
        raise _Unusable(f"expected text in the first turn, found {_kind(text)}")
    return text


def _first_of_transcript(transcript: str) -> str | None:
    """HH-RLHF: "\\n\\nHuman: …\\n\\nAssistant: …"."""
    start = transcript.lstrip()
    if not start.startswith("Human:"):
        return None
    return start.removeprefix("Human:").partition("\n\nAssistant:")[0]


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
