"""Reads from a line of a run, without parsing its JSON, what it is found by.

A quote inside a JSON string is escaped, so no text that a model wrote can look like the keys sought here.
"""

from __future__ import annotations

import re
from typing import get_args

from autoif.lineage import HEAD
from autoif.records import Origin, Split
from autoif.viewer.lines import Mark

FACETS: dict[str, tuple[str, ...]] = {
    "instructions": ("origin",),
    "verifiers": ("origin",),
    "crosscheck": ("origin", "split"),
}
"""What the records of a stage can be filtered by; drops by their reason."""

VALUES: dict[str, tuple[str, ...]] = {"origin": get_args(Origin), "split": get_args(Split)}

DROP = re.compile(rb'\{"unit": \d+, "reason": "([^"\\]*)"')
PARENT = re.compile(rb'"parent": "([0-9a-f]+)"')


def record_mark(line: bytes) -> Mark:
    """That of a record that has nothing to filter by."""
    return _mark(line, ())


def instruction_mark(line: bytes) -> Mark:
    """The instruction's origin comes before those of its verifiers and test cases."""
    return _mark(line, (_value(line, line.find(b'"origin":"')),))


def verified_mark(line: bytes) -> Mark:
    return _mark(line, (_value(line, line.find(b'"origin":"')), _value(line, line.rfind(b'"split":"'))))


def drop_mark(line: bytes) -> Mark:
    """The first parent in a drop is its own: those of the records within it come later."""
    head, parent = DROP.match(line), PARENT.search(line)
    return Mark(b"", parent[1] if parent else b"", (_text(head[1]) if head else "",))


MARKS = {"instructions": instruction_mark, "verifiers": instruction_mark, "crosscheck": verified_mark}


def _mark(line: bytes, label: tuple[str, ...]) -> Mark:
    head = HEAD.match(line)
    return Mark(head[1], head[2] or b"", label) if head else Mark(b"", b"", label)


def _value(line: bytes, key: int) -> str:
    """The string after the key that begins at this place; empty when the place is -1."""
    start = line.find(b':"', key) + 2
    return _text(line[start : line.find(b'"', start)]) if key >= 0 else ""


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
