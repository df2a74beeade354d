"""Reads from a line of a run, without parsing its JSON, what it is found by: its id, its parent, and a few values.

A quote inside a JSON string is escaped, so no text that a model wrote can look like the keys sought here.
"""

from __future__ import annotations

from typing import get_args

from autoif.records import Origin, Split
from autoif.viewer.lines import Mark

FACETS: dict[str, tuple[str, ...]] = {
    "instructions": ("origin",),
    "verifiers": ("origin",),
    "crosscheck": ("origin", "split"),
}
"""What the records of a stage can be filtered by; drops by their reason."""

VALUES: dict[str, tuple[str, ...]] = {"origin": get_args(Origin), "split": get_args(Split)}

ID = slice(len('{"id":"'), len('{"id":"') + 8)
"""Every record's line begins with its id."""
PARENT, ORIGIN, SPLIT = b'"parent":"', b'"origin":"', b'"split":"'
DROP_PARENT, DROP_REASON = b'"parent": "', b'"reason": "'


def record_mark(line: bytes) -> Mark:
    """That of a record that has nothing to filter by."""
    return line[ID], _start(line, PARENT), ()


def instruction_mark(line: bytes) -> Mark:
    """The instruction's origin comes before those of its verifiers and test cases."""
    return line[ID], _start(line, PARENT), (_value(line, ORIGIN, line.find(ORIGIN)),)


def verified_mark(line: bytes) -> Mark:
    values = _value(line, ORIGIN, line.find(ORIGIN)), _value(line, SPLIT, line.rfind(SPLIT))
    return line[ID], _start(line, PARENT), values


def drop_mark(line: bytes) -> Mark:
    """The first parent in a drop is its own: those of the records within it come later."""
    return b"", _start(line, DROP_PARENT), (_value(line, DROP_REASON, line.find(DROP_REASON)),)


MARKS = {"instructions": instruction_mark, "verifiers": instruction_mark, "crosscheck": verified_mark}


def _start(line: bytes, key: bytes) -> bytes:
    """The first characters of the first string under this key."""
    at = line.find(key)
    return line[at + len(key) : at + len(key) + 8] if at >= 0 else b""


def _value(line: bytes, key: bytes, at: int) -> bytes:
    """The string under the key that is at this place; empty when the place is -1."""
    start = at + len(key)
    return line[start : line.find(b'"', start)] if at >= 0 else b""
