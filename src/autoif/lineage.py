"""Where a record came from and what became of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from autoif.errors import InputError
from autoif.rundir import RECORDS, RunDirectory

HEAD = re.compile(rb'\{"id":"([0-9a-f]+)","parent":(?:"([0-9a-f]+)"|null)')
"""How every record's line begins, so that a scan need not parse the rest."""

SHORTEST = 4
"""Characters of an id that must be given."""


@dataclass(frozen=True, slots=True)
class Found:
    """A record (`reason` None) or a dropped item of one stage, with what came of it."""

    stage: str
    content: dict[str, Any]
    reason: str | None = None
    children: list[Found] = field(default_factory=list)


def lineage(run: RunDirectory, wanted: str) -> tuple[list[Found], Found]:
    """The record whose id begins with `wanted`: its ancestors, oldest first, and itself with all its descendants.

    The id of a verifier or a test case leads to the record that holds it. Raises InputError when there is none.
    """
    run.saved()
    found = _find(run, wanted)
    ancestors: list[Found] = []
    names = list(RECORDS)
    parent = found.content.get("parent")
    for name in reversed(names[: names.index(found.stage)]):
        match = next((line for id, _, line in _lines(run, name) if id == parent), None) if parent else None
        if match:
            ancestors.insert(0, Found(name, json.loads(match)))
            parent = ancestors[0].content.get("parent")
    _attach_descendants(run, found)
    return ancestors, found


def _find(run: RunDirectory, wanted: str) -> Found:
    if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST},}}", wanted):
        raise InputError(f"{wanted!r}: expected an id as in records.jsonl: at least {SHORTEST} characters of 0-9 a-f.")
    key = wanted.encode()
    for name in RECORDS:
        for id, _, line in _lines(run, name):
            if id.startswith(wanted):
                return Found(name, json.loads(line))
    for name in RECORDS:
        for _, _, line in _lines(run, name):
            if b'"id":"' + key in line:
                return Found(name, json.loads(line))
    raise InputError(f"{wanted}: no record of {run.path} has an id that begins so.")


def _attach_descendants(run: RunDirectory, root: Found) -> None:
    names = list(RECORDS)
    level = {root.content["id"]: root}
    for name in names[names.index(root.stage) + 1 :]:
        for id, parent, line in _lines(run, name):
            if parent in level:
                child = Found(name, json.loads(line))
                level[parent].children.append(child)
                level[id] = child
        for drop in run.stage(name).drops():
            parent = drop["what"].get("parent") if isinstance(drop["what"], dict) else None
            if parent in level:
                level[parent].children.append(Found(name, drop["what"], drop["reason"]))


def _lines(run: RunDirectory, name: str) -> Iterator[tuple[str, str | None, bytes]]:
    path = run.folder(name) / "records.jsonl"
    if not path.exists():
        return
    with open(path, "rb") as lines:
        for line in lines:
            head = HEAD.match(line)
            if head and line.endswith(b"\n"):
                yield head[1].decode(), head[2].decode() if head[2] else None, line
