"""What the shelf finds is what reading the files from their beginnings finds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest
from fake_run import write_run

from autoif.lineage import Scan, ancestors, attach_descendants, lineage
from autoif.records import Candidates, Drop, Outcome, Query, Usage
from autoif.report.folder import RunFolder
from autoif.rundir import RECORDS, RunDirectory
from autoif.store import Journal, Stage
from autoif.viewer.marks import FACETS, MARKS, drop_mark, record_mark
from autoif.viewer.shelf import Shelf


@pytest.fixture(params=["plain", "hostile"])
def run(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def shelf(run: Path) -> Iterator[Shelf]:
    with closing(Shelf(RunFolder(run))) as opened:
        yield opened


def test_marks_are_what_the_json_says(run):
    for name, model in RECORDS.items():
        for line in (RunDirectory(run).folder(name) / "records.jsonl").read_bytes().splitlines(keepends=True):
            record = json.loads(line)
            instruction = record if name == "instructions" else record.get("instruction", {})
            values = {"origin": "", "split": record.get("split")}
            if name in FACETS:
                values["origin"] = instruction["origin"]
            label = tuple(values[facet].encode() for facet in FACETS.get(name, ()))
            parent = (record["parent"] or "").encode()[:8]
            assert MARKS.get(name, record_mark)(line) == (record["id"].encode()[:8], parent, label), model
        for line in (RunDirectory(run).folder(name) / "dropped.jsonl").read_bytes().splitlines(keepends=True):
            drop = json.loads(line)
            parent = (drop["what"].get("parent") or "").encode()
            id, found, label = drop_mark(line)
            assert (id, found.split(b'"')[0], label) == (b"", parent[:8], (drop["reason"].encode(),))


def test_the_parent_of_a_dropped_record_is_not_that_of_what_is_in_it(tmp_path):
    query = Query.make(text='"parent": "0123456789" "reason": "made up"', source="s", parent=None)
    whole = Candidates.make(
        parent="abcdefabcdef", instruction={"text": "", "origin": "seed", "queries": (query,)}, verifiers=(), cases=()
    )
    journal = Journal(Stage(tmp_path, Candidates))
    journal.append(Outcome(0, (), (Drop("near_duplicate", whole),), Usage()))
    journal.close()
    assert drop_mark((tmp_path / "dropped.jsonl").read_bytes()) == (b"", b"abcdefab", (b"near_duplicate",))


def test_lineages_are_those_that_show_finds(shelf, run):
    assert shelf.read_on()
    directory = RunDirectory(run)
    for name in RECORDS:
        for record in list(directory.stage(name))[:6]:
            line, wanted = lineage(directory, record.id)
            found = shelf.record(name, record.id)
            assert found is not None
            attach_descendants(shelf, found)
            assert [asdict(step) for step in ancestors(shelf, found)] == [asdict(step) for step in line]
            assert asdict(found) == asdict(wanted)
    assert shelf.record("queries", "0" * 20) is None
    assert Scan(directory).record("queries", "0" * 20) is None


def test_counts_are_those_of_the_report_in_any_state(tmp_path):
    run = write_run(tmp_path / "run", queries=14, stages=5)
    journal = Journal(Stage(run / "06_scores", Query))
    for unit in range(5):
        journal.append(Outcome(unit, (Query.make(text="x", source="y"),), (Drop("unstable", {}),) * 2, Usage(3, 4)))
    folder = RunFolder(run)
    with closing(Shelf(folder)) as shelf:
        counts = shelf.counts()
        assert [count.state for count in counts] == ["done"] * 5 + ["running"] + ["missing"] * 3
        for count in counts:
            reported = folder.count(count.name)
            assert asdict(count) == asdict(reported) | {"seconds": pytest.approx(reported.seconds, abs=0.01)}
        assert (counts[5].taken, counts[5].kept, counts[5].dropped) == (5, 5, (("unstable", 10),))
        assert (counts[5].prompt_tokens, counts[5].completion_tokens) == (15, 20)
    journal.close()
