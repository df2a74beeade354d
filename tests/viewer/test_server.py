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
from fake_text import HOSTILE
from real_site import Page, Site

from autoif.records import Drop, Outcome, Query, Usage
from autoif.rundir import RECORDS, RunDirectory
from autoif.store import Journal, Stage
from autoif.viewer import lines, listing

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


def crawl(site: Site) -> dict[str, Page]:
    """Every page that can be reached by links, by address."""
    found: dict[str, Page] = {}
    waiting = ["/"]
    while waiting:
        path = waiting.pop().partition("#")[0]
        if path and path not in found:
            found[path] = site.page(path)
            waiting += found[path].links()
    return found


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


def quoted(words: str) -> str:
    return "".join(f"%{byte:02x}" for byte in words.encode())


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


def test_hostile_texts_stay_texts(serve: Serve, tmp_path):
    calm = crawl(serve(write_run(tmp_path / "calm", queries=8, samples=2)))
    known = {tag for page in calm.values() for tag, _ in page.elements} | {"mark"}
    hostile_site = serve(write_run(tmp_path / "hostile", queries=8, samples=2, hostile=True))
    found = crawl(hostile_site)
    for path in (*found, f"/queries?find={quoted(HOSTILE[0])}", f"/queries?find={quoted(HOSTILE[3])}"):
        answer = hostile_site.ask(path)
        page = answer.page
        assert {tag for tag, _ in page.elements} <= known
        names = {name for _, attributes in page.elements for name in attributes}
        assert not {name for name in names if name.startswith("on")} | names & {"style", "srcset", "ping"}
        assert {a.get("src") for tag, a in page.elements if tag == "script"} == {"/view.js"}
        assert all(link.startswith(("/", "#")) and not link.startswith("//") for link in page.links())
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", answer.text)
    whole = "".join(page.text for page in found.values())
    for text in ("<script>window.owned = 1</script>", "{{ 7 * 7 }} {% raw %} ${7 * 7}", "␀", "⟦RLO⟧"):
        assert text in whole


@pytest.mark.parametrize("path", ["/", "/queries", "/nope", "/view.js", "/view.css", "/queries?page=x"])
def test_every_answer_forbids_what_is_not_its_own(site, path):
    answer = site.ask(path)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "server" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "0.0.0.0", "[::1]", "localhost.evil"])
def test_another_name_for_this_machine_is_refused(site, host):
    answer = site.ask("/", Host=host)
    assert answer.status == 400
    assert "plain" not in answer.text


def test_its_own_names_are_answered(site):
    assert site.ask("/", Host="localhost:9").status == site.ask("/", Host="127.0.0.1").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_sent(site, method):
    for path in ("/", "/queries", "/queries/dropped", "/view.css"):
        assert site.ask(path, method).status == 405


def test_head_has_no_body(site):
    answer = site.ask("/queries", "HEAD")
    assert (answer.status, answer.text) == (200, "")


@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/train",
        "/config.json",
        "/queries/",
        "/queries/config.json",
        "/queries/zz",
        "/queries/" + "a" * 5_000,
        "/queries/dropped/",
        "/queries/dropped/0-00000000",
        "/queries/dropped/1-00000000",
        "/queries/dropped/999999999999-00000000",
        "/queries/dropped/1",
        "/../config.json",
        "/..%2fconfig.json",
        "/%2e%2e/config.json",
        "/01_queries/records.jsonl",
        "/queries/..%2f..%2fconfig.json",
        "/queries%00",
        "//etc/passwd",
        "/queries?page=0",
        "/queries?page=3",
        "/queries?page=999999999999",
        "/nope/dropped?reason=x",
        "/<script>",
    ],
)
def test_what_is_not_there_is_not_found(site, path):
    answer = site.ask(path)
    assert answer.status == 404
    assert "created" not in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "1e3", "%D9%A1", "9" * 5_000, "1%0a", "%00"])
def test_a_page_that_is_no_number(site, value):
    answer = site.ask(f"/queries?page={value}")
    assert answer.status == 400
    assert "page: expected a whole number" in answer.text
    assert site.ask(f"/queries?find=a&start={value}").status == 400


def test_a_search_beyond_the_end_finds_nothing(site):
    page = site.page("/queries", find="a", start=10**11)
    assert "0 found" in page.text
    assert page.links("next") == []


@pytest.mark.parametrize("stages", range(10))
def test_any_number_of_stages(serve: Serve, tmp_path, stages):
    site = serve(write_run(tmp_path / "run", queries=7, stages=stages))
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


def test_a_page_far_down_a_large_file_comes_when_it_was_reached(serve: Serve, tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "CHUNK", 2_000)
    run = write_run(tmp_path / "run", queries=200, samples=1)
    for name in ("extend",):
        original = getattr(lines.Lines, name)
        monkeypatch.setattr(lines.Lines, name, lambda self, *a, seconds=0.0, f=original: f(self, *a, seconds=0.0))
    site = serve(run)
    wanted = [f"/queries/{record['id']}#asked" for record in data(run, "queries")[150:200]]
    cards, asked = site.page("/queries", page=4).cards, 1
    assert cards == []
    while len(cards) < 50 and asked < 100:
        page = site.page("/queries", page=4)
        cards, asked = page.cards, asked + 1
    assert cards == wanted
    assert 2 < asked < 100
