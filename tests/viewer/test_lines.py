"""Paging in a file that is complete, growing, replaced, truncated, or not there."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoif.viewer import lines as module
from autoif.viewer.lines import Lines

SEEDS, MODELS = {"origin": "seed"}, {"origin": "model"}


def mark(line: bytes) -> tuple[bytes, bytes, tuple[bytes, ...]]:
    """Lines are `id parent origin text`."""
    id, parent, origin, *_ = [*line.split(), b"", b"", b""]
    return id[:8], parent[:8], (origin,)


def line(number: int, origin: str = "seed", more: str = "") -> str:
    return f"id{number:06d} parent{number // 3:02d} {origin} {more}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.jsonl"


@pytest.fixture
def lines(path: Path) -> Lines:
    return Lines(path, mark, ("origin",))


def read(lines: Lines, wanted: dict[str, str] | None = None) -> list[str]:
    lines.extend(seconds=60)
    return [found.decode() for _, found in lines.page(wanted or {}, 0, 10**9)]


def test_a_page_needs_no_more_than_what_comes_before_it(path, lines, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 1_000)
    path.write_text("".join(line(n) for n in range(1_000)))
    lines.extend(50)
    assert 50 <= len(lines) < 120
    assert lines.read < 3_000
    assert [number for number, _ in lines.page({}, 0, 50)] == list(range(50))
    lines.extend(seconds=0)
    assert len(lines) < 160


def test_lines_are_found_by_number_value_id_and_parent(path, lines):
    texts = [line(n, "seed" if n % 7 == 0 else "model") for n in range(300)]
    path.write_text("".join(texts))
    assert read(lines) == texts
    assert read(lines, SEEDS) == texts[::7]
    assert read(lines, {"origin": "nobody"}) == []
    assert (lines.count(SEEDS), lines.count(MODELS), lines.count({})) == (43, 257, 300)
    assert lines.counts() == {("seed",): 43, ("model",): 257}
    assert [number for number, _ in lines.page(SEEDS, 10, 12)] == [70, 77]
    assert lines.with_id("id000123") == [(123, texts[123].encode())]
    assert lines.with_id("id009999") == []
    assert [number for number, _ in lines.children(["parent04", "parent50", "parentXX"])] == [12, 13, 14, 150, 151, 152]


def test_a_line_without_its_end_is_not_there_yet(path, lines):
    path.write_text(line(0) + "id000001 par")
    assert read(lines) == [line(0)]
    with open(path, "a") as file:
        file.write("ent00 seed \n" + line(2)[:5])
    assert read(lines) == [line(0), line(1)]


def test_a_line_longer_than_a_chunk(path, lines, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 64)
    texts = [line(0), line(1, more="x" * 5_000), line(2)]
    path.write_text("".join(texts))
    assert read(lines) == texts


def test_a_file_that_is_replaced_vanishes_and_comes_back(path, lines):
    assert read(lines) == []
    path.write_text(line(0) + line(1))
    assert read(lines) == [line(0), line(1)]
    before = lines.version
    path.with_suffix(".sorted").write_text(line(1) + line(0))
    path.with_suffix(".sorted").replace(path)
    assert read(lines) == [line(1), line(0)]
    assert lines.version != before
    path.unlink()
    assert read(lines) == []
    path.write_text(line(5) + line(6))  # the system may give it the number of the file before
    assert read(lines) == [line(5), line(6)]


def test_a_tail_that_is_cut_off_and_written_anew(path, lines):
    path.write_text(line(0) + line(1, more="not committed"))
    assert len(read(lines)) == 2
    path.write_text(line(0))
    assert read(lines) == [line(0)]
    with open(path, "a") as file:
        file.write(line(1, more="longer than what was there before"))
    assert read(lines) == [line(0), line(1, more="longer than what was there before")]


def test_a_file_changed_in_place_is_read_anew(path, lines):
    path.write_text(line(0, more="aaa") + line(1))
    assert len(read(lines)) == 2
    path.write_text(line(0) + line(1) + line(2))
    read(lines)
    assert read(lines) == [line(0), line(1), line(2)]


def test_more_values_than_a_run_writes(path, lines):
    texts = [line(n, f"origin{n}") for n in range(400)]
    path.write_text("".join(texts))
    assert read(lines) == texts
    assert read(lines, {"origin": "origin7"}) == [texts[7]]
    assert sum(lines.counts().values()) >= 400


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 60), max_size=30), st.integers(10, 200))
def test_however_it_grows_the_lines_are_the_same(tmp_path_factory, sizes, chunk):
    path = tmp_path_factory.mktemp("grown") / "records.jsonl"
    lines = Lines(path, mark, ("origin",))
    texts = [line(n, more="é" * (n % 5)) for n in range(12)]
    whole = "".join(texts).encode()
    ends = [*itertools.accumulate(sizes), len(whole)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        for end in ends:
            path.open("wb" if end == ends[0] else "r+b").write(whole[:end])
            assert (
                read(lines) == whole[:end].decode(errors="ignore").splitlines(keepends=True)[: whole[:end].count(b"\n")]
            )
    lines.close()
