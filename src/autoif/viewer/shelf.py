"""A run's records and drops, found by number, by id and by parent, in whatever state the run is."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from autoif.lineage import Found
from autoif.report.folder import STAGES, Count, RunFolder, json_object
from autoif.rundir import RECORDS
from autoif.store import ENTRY
from autoif.viewer.lines import PATIENCE, Lines
from autoif.viewer.marks import FACETS, MARKS, drop_mark, record_mark

TURN = 0.03
"""Seconds for one file before the next has its turn."""


class Shelf:
    """The files of one run; `autoif.lineage` can look records up in it."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.records = {
            name: Lines(run.folder(name) / "records.jsonl", MARKS.get(name, record_mark), FACETS.get(name, ()))
            for name in RECORDS
        }
        self.drops = {name: Lines(run.folder(name) / "dropped.jsonl", drop_mark, ("reason",)) for name in RECORDS}

    @property
    def files(self) -> list[Lines]:
        return [lines for name in RECORDS for lines in (self.records[name], self.drops[name])]

    def close(self) -> None:
        for lines in self.files:
            lines.close()

    def read_on(self) -> bool:
        """Reads ahead in every file in turn, for as long as a request may take; returns whether all was read."""
        until = time.monotonic() + PATIENCE
        waiting = self.files
        while waiting and time.monotonic() < until:
            for lines in waiting:
                lines.extend(seconds=TURN)
            waiting = [lines for lines in waiting if not lines.whole]
        return not waiting

    def counts(self) -> list[Count]:
        return [self.count(name) for name in STAGES]

    def count(self, name: str) -> Count:
        """As the report counts, but a stage under way is not read from its beginning every time."""
        folder = self.run.folder(name)
        if name not in RECORDS or not folder.exists() or (folder / "done").exists():
            return self.run.count(name)
        records, drops = self.records[name], self.drops[name]
        for lines in (records, drops):
            lines.extend(seconds=PATIENCE / 2)
        reasons = tuple((reason, number) for (reason,), number in drops.counts().most_common())
        number = list(STAGES).index(name) + 1
        count = Count(name, number, "running", kept=len(records), dropped=reasons)
        return replace(count, **_spent(self.run, name))

    def record(self, stage: str, id: str) -> Found | None:
        found = (json_object(line) for _, line in self.records[stage].with_id(id))
        return next((Found(stage, record) for record in found if record.get("id") == id), None)

    def children(self, stage: str, parents: Collection[str]) -> Iterator[Found]:
        for _, line in self.records[stage].children(parents):
            record = json_object(line)
            if record.get("parent") in parents:
                yield Found(stage, record)
        for _, line in self.drops[stage].children(parents):
            drop = json_object(line)
            what = drop.get("what")
            if isinstance(what, dict) and what.get("parent") in parents:
                yield Found(stage, what, str(drop.get("reason")))


def _spent(run: RunFolder, name: str) -> dict[str, Any]:
    """What a stage under way took in and spent, by its journal."""
    try:
        entries = np.fromfile(run.folder(name) / "journal", ENTRY)
    except FileNotFoundError:
        return {}
    return {
        "taken": len(entries),
        "prompt_tokens": int(entries["read"].sum()),
        "completion_tokens": int(entries["written"].sum()),
        "seconds": float(entries["seconds"].sum()),
    }
