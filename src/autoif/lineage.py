"""Where a record came from and what became of it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

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


class Source(Protocol):
    """Where records are looked up."""

    def record(self, stage: str, id: str) -> Found | None: ...

    def children(self, stage: str, parents: Collection[str]) -> Iterable[Found]:
        """The records and drops of the stage whose parent is one of these."""


def lineage(run: RunDirectory, wanted: str) -> tuple[list[Found], Found]:
    """The record whose id begins with `wanted`: its ancestors, oldest first, and itself with all its descendants.

    The id of a verifier or a test case leads to the record that holds it. Raises InputError when there is none.
    """
    run.saved()
    found, source = _find(run, wanted), Scan(run)
    attach_descendants(source, found)
    return ancestors(source, found), found


def ancestors(source: Source, found: Found) -> list[Found]:
    """The records that `found` comes from, oldest first."""
    line: list[Found] = []
    names = list(RECORDS)
    parent = found.content.get("parent")
    for name in reversed(names[: names.index(found.stage)]):
        match = source.record(name, parent) if parent else None
        if match:
            line.insert(0, match)
            parent = match.content.get("parent")
    return line


def attach_descendants(source: Source, root: Found) -> None:
    """Gives `root` and its descendants their children."""
    names = list(RECORDS)
    level = {root.content["id"]: root}
    for name in names[names.index(root.stage) + 1 :]:
        for child in source.children(name, level):
            level[child.content["parent"]].children.append(child)
            if child.reason is None:
                level[child.content["id"]] = child


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


class Scan:
    """Reads the files of a run from their beginnings for every look-up."""

    def __init__(self, run: RunDirectory) -> None:
        self.run = run

    def record(self, stage: str, id: str) -> Found | None:
        line = next((line for found, _, line in _lines(self.run, stage) if found == id), None)
        return Found(stage, json.loads(line)) if line else None

    def children(self, stage: str, parents: Collection[str]) -> Iterator[Found]:
        for _, parent, line in _lines(self.run, stage):
            if parent in parents:
                yield Found(stage, json.loads(line))
        for drop in self.run.stage(stage).drops():
            parent = drop["what"].get("parent") if isinstance(drop["what"], dict) else None
            if parent in parents:
                yield Found(stage, drop["what"], drop["reason"])


def _lines(run: RunDirectory, name: str) -> Iterator[tuple[str, str | None, bytes]]:
    path = run.folder(name) / "records.jsonl"
    if not path.exists():
        return
    with open(path, "rb") as lines:
        for line in lines:
            head = HEAD.match(line)
            if head and line.endswith(b"\n"):
                yield head[1].decode(), head[2].decode() if head[2] else None, line
