"""The real server over HTTP: what it shows, in every state of a run, and what it refuses."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_run import write_run
from real_site import Page, Site, crawl, quoted

from autoif.records import Drop, Outcome, Query, Usage
from autoif.rundir import RECORDS, RunDirectory
from autoif.store import Journal, Stage
from autoif.viewer import lines, listing, shelf

Serve = Callable[[Path], Site]


def data(run: Path, name: str, file: str = "records") -> list[dict[str, Any]]:
    path = RunDirectory(run).folder(name) / f"{file}.jsonl"
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def pages(site: Site, path: str) -> Iterator[Page]:
    """A page and those that its link to the next leads to."""
    while path:
        page = site.page(path)
        yield page
        path = next(iter(page.links("next")), "")


def test_the_funnel_has_the_counts_and_leads_to_every_stage(site, plain):
    page = site.page("/")
    for name in RECORDS:
        assert f"{len(data(plain, name))} kept" in page.text
        assert f"/{name}" in page.links()
        for reason in Counter(drop["reason"] for drop in data(plain, name, "dropped")):
            assert f"/{name}/dropped?reason={reason}" in page.links()


@pytest.mark.parametrize("name", RECORDS)
def test_pages_show_every_record_once_and_in_order(site, plain, name):
    cards = [card for page in pages(site, f"/{name}") for card in page.cards]
    assert cards == [f"/{name}/{record['id']}#asked" for record in data(plain, name)]


def test_fifty_are_on_a_page_and_any_page_can_be_had(site, plain):
    records = data(plain, "scores")
    page = site.page("/scores", page=3)
    assert page.cards == [f"/scores/{record['id']}#asked" for record in records[100:150]]
    assert f"101 to 150 of {len(records)}" in page.text
    assert page.links("prev") == ["/scores?page=2"]
    assert page.links("next") == ["/scores?page=4"]
    assert site.page("/scores").links("prev") == []


@pytest.mark.parametrize("name", RECORDS)
def test_drops_of_each_reason(site, plain, name):
    drops = data(plain, name, "dropped")
    for reason in {drop["reason"] for drop in drops}:
        cards = [card for page in pages(site, f"/{name}/dropped?reason={reason}") for card in page.cards]
        numbers = [int(re.findall(r"/dropped/([0-9]+)-", card)[0]) for card in cards]
        assert numbers == [n for n, drop in enumerate(drops, 1) if drop["reason"] == reason]
    assert site.page(f"/{name}/dropped", reason="no_such_reason").cards == []


def test_filters_work_together(site, plain):
    records = data(plain, "crosscheck")
    for origin in ("", "seed", "model"):
        for split in ("", "train", "heldout_query", "heldout_instruction"):
            wanted = [
                f"/crosscheck/{record['id']}#asked"
                for record in records
                if record["split"].startswith(split) and record["instruction"]["origin"].startswith(origin)
            ]
            assert site.page("/crosscheck", origin=origin, split=split).cards == wanted[:50]


@pytest.mark.parametrize("words", ["(question 53)", "LISBON water", "endswith", "no such words", "“water”", '"\\'])
def test_search_finds_what_has_all_the_words(site, plain, words):
    for name in ("instructions", "crosscheck", "pairs"):
        texts = {record["id"]: json.dumps(record, ensure_ascii=False).lower() for record in data(plain, name)}
        escaped = [json.dumps(word, ensure_ascii=False)[1:-1] for word in words.lower().split()]
        wanted = [id for id, text in texts.items() if all(word in text for word in escaped)]
        found = [card for page in pages(site, f"/{name}?find={quoted(words)}") for card in page.cards]
        assert found == [f"/{name}/{id}#asked" for id in wanted]


def test_a_long_search_goes_on_where_it_stopped(site, plain, monkeypatch):
    monkeypatch.setattr(listing, "BLOCK", 7)
    monkeypatch.setattr(listing, "PATIENCE", 0.0)
    assert "Scanned 7 of" in site.page("/scores", find="no such words").text
    monkeypatch.setattr(listing, "PAGE", 3)
    found = [card for page in pages(site, "/scores?find=water") for card in page.cards]
    assert found == [f"/scores/{r['id']}#asked" for r in data(plain, "scores") if "water" in json.dumps(r).lower()]


def test_what_was_found_is_marked_with_its_surroundings(site):
    page = site.page("/crosscheck", find="Checks:")
    assert any(tag == "mark" for tag, _ in page.elements)
    assert 'def evaluate(response: str) -> bool: """ Checks: ' in page.text


def test_a_record_has_its_whole_lineage(site, plain):
    pair = data(plain, "pairs")[3]
    scored = {s["completion"]["id"]: s for s in data(plain, "scores")}
    chosen, rejected = scored[pair["chosen_id"]], scored[pair["rejected_id"]]
    verified = next(v for v in data(plain, "crosscheck") if v["id"] == pair["parent"])
    query = verified["instruction"]["queries"][0]
    candidates = next(c for c in data(plain, "verifiers") if c["instruction"]["id"] == verified["instruction"]["id"])
    completions = [s for s in scored.values() if s["completion"]["parent"] == verified["id"]]
    for path in (
        f"/pairs/{pair['id']}",
        f"/scores/{chosen['id']}",
        f"/completions/{pair['rejected_id']}",
        f"/crosscheck/{verified['id']}",
        f"/verifiers/{candidates['id']}",
        f"/instructions/{verified['instruction']['id']}",
    ):
        page = site.page(path)
        text = page.text
        for words in (query["text"], verified["instruction"]["text"], chosen["completion"]["text"]):
            assert " ".join(words.split()) in text
        assert " ".join(rejected["completion"]["text"].split()) in text
        assert text.count("pass rate") >= len(completions)
        assert "def evaluate ( response" in " ".join(re.sub(r"([(:])", r" \1 ", text).split())
        assert sum(a.get("class") == "expected" for _, a in page.elements) >= 1
        assert f"/queries/{query['id']}#asked" in page.links()
    of_query = site.page(f"/queries/{query['id']}")
    assert f"/instructions/{verified['instruction']['id']}#asked" in of_query.links()


def test_the_completion_that_was_asked_for_is_marked(site, plain):
    scored = data(plain, "scores")[5]
    page = site.page(f"/scores/{scored['id']}")
    place = next(i for i, (_, a) in enumerate(page.elements) if a.get("id") == "asked")
    assert "asked" in (page.elements[place - 1][1]["class"] or "")
    assert sum(a.get("id") == "asked" for _, a in page.elements) == 1


def test_every_link_works_and_no_id_is_there_twice(serve: Serve, tmp_path):
    found = crawl(serve(write_run(tmp_path / "run", queries=9, samples=3)))
    assert len(found) > 100
    for path, page in found.items():
        ids = [a["id"] for _, a in page.elements if "id" in a]
        assert len(ids) == len(set(ids)), path
        assert {link[1:] for link in page.links() if link.startswith("#")} <= set(ids), path


@pytest.mark.parametrize("stages", range(10))
def test_any_number_of_stages(serve: Serve, tmp_path, stages):
    site = serve(write_run(tmp_path / "run", queries=7, samples=2, stages=stages))
    assert site.page("/").text.count("Not run.") == 9 - stages
    for number, name in enumerate(RECORDS, 1):
        page = site.page(f"/{name}")
        assert bool(page.cards) == (number <= stages)
        assert site.page(f"/{name}/dropped").cards or number > stages
        for card in page.cards[:2]:
            assert site.page(card.partition("#")[0]).text


def query(number: int) -> Query:
    return Query.make(text=f"query {number}", source="here")


def test_a_stage_under_way_shows_what_is_there_and_then_what_was_sealed(serve: Serve, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    site = serve(tmp_path)
    assert site.page("/queries").cards == []
    journal = Journal(Stage(tmp_path / "01_queries", Query))
    order = [2, 0, 1, *range(3, 60)]
    for n, unit in enumerate(order, 1):
        journal.append(Outcome(unit, (query(unit),), (Drop("too_short", {"text": str(unit)}),), Usage(1, 1)))
        page = site.page("/queries")
        assert page.cards == [f"/queries/{query(u).id}#asked" for u in order[:n]][:50]
        assert f"of {n}" in page.text
        assert f"{n} dropped" in page.text
    with open(tmp_path / "01_queries/records.jsonl", "ab") as torn:
        torn.write(query(99).line()[:30])
    assert site.page("/queries", page=2).cards == [f"/queries/{query(u).id}#asked" for u in order[50:]]
    assert "Under way." in site.page("/").text
    unsealed = site.page("/queries")
    first = site.page("/queries/dropped").cards[0]
    assert site.ask(first).status == 200
    journal.seal(lambda record: "duplicate" if record.text == "query 7" else None)
    sealed = site.page("/queries")
    assert sealed.cards == [f"/queries/{query(u).id}#asked" for u in range(60) if u != 7][:50]
    versions = [a["data-version"] for page in (unsealed, sealed) for _, a in page.elements if "data-version" in a]
    assert versions[0] != versions[1]
    assert len(site.page("/queries/dropped", reason="duplicate").cards) == 1
    assert "61 dropped" in sealed.text
    gone = site.ask(first)
    assert gone.status == 404
    assert "puts its drops in order" in gone.text
    assert [a for tag, a in sealed.elements if tag == "body"] == [{}]


def test_the_run_is_neither_locked_nor_written(serve: Serve, tmp_path):
    run = write_run(tmp_path / "run", queries=7, samples=2)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in run.rglob("*")}
    crawl(serve(run))
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in run.rglob("*")} == before


def test_damaged_lines_are_shown_as_such(serve: Serve, tmp_path):
    run = write_run(tmp_path / "run", queries=7)
    with open(run / "04_crosscheck/records.jsonl", "ab") as records:
        records.write(b'{"id":"' + b"a" * 20 + b'","parent":null}\n\xff\xfe\n[]\n\n')
    with open(run / "04_crosscheck/dropped.jsonl", "ab") as drops:
        drops.write(b'\xff{"\n{"unit": 1, "reason": "odd", "what": ["' + b"[" * 5_000 + b'"]}\n{"what": 3}\n')
    site = serve(run)
    assert site.page("/crosscheck", find="evaluate").cards
    assert site.page("/crosscheck").text.count("cannot be read") == 4
    answer = site.ask(f"/crosscheck/{'a' * 20}")
    assert answer.status == 500
    assert "not a VerifiedInstruction" in answer.text
    for card in site.page("/crosscheck/dropped").cards:
        assert site.ask(card).status == 200


def slow_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request reads two thousand bytes of a file, as if that took as long as a request may take."""
    extend = lines.Lines.extend
    monkeypatch.setattr(lines, "CHUNK", 2_000)
    monkeypatch.setattr(shelf, "PATIENCE", 0.001)
    monkeypatch.setattr(lines.Lines, "extend", lambda self, *wanted, seconds=0.0: extend(self, *wanted, seconds=0.0))


def test_a_page_far_down_a_large_file_comes_when_it_was_reached(serve: Serve, tmp_path, monkeypatch):
    run = write_run(tmp_path / "run", queries=200, samples=1)
    slow_down(monkeypatch)
    site = serve(run)
    wanted = [f"/queries/{record['id']}#asked" for record in data(run, "queries")[150:200]]
    cards, asked = site.page("/queries", page=4).cards, 1
    assert cards == []
    while len(cards) < 50 and asked < 100:
        page = site.page("/queries", page=4)
        cards, asked = page.cards, asked + 1
    assert cards == wanted
    assert 2 < asked < 100


def test_a_record_far_down_a_large_file_comes_when_it_was_reached(serve: Serve, tmp_path, monkeypatch):
    run = write_run(tmp_path / "run", queries=60, samples=2)
    slow_down(monkeypatch)
    site = serve(run)
    pair = data(run, "pairs")[-1]
    page, asked = site.page(f"/pairs/{pair['id']}"), 1
    regions = {a["id"] for _, a in page.elements if "data-swap" in a}
    assert "The record will come by itself" in page.text
    while "Still reading" in page.text and asked < 1_000:
        assert ("data-live", None) in next(a for tag, a in page.elements if tag == "body").items()
        page, asked = site.page(f"/pairs/{pair['id']}"), asked + 1
    assert {a["id"] for _, a in page.elements if "data-swap" in a} == regions
    for side in ("chosen", "rejected"):
        assert " ".join(pair[side][0]["content"].split()) in page.text
    assert 2 < asked < 1_000
