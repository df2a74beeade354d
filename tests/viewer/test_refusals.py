"""Hostile texts, hostile requests, and addresses that lead nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_run import write_run
from fake_text import HOSTILE
from real_site import Site, crawl, quoted

Serve = Callable[[Path], Site]


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
