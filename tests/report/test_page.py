"""The page as a file: what is in it, that it is inert, and that it shows any state of a run."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fake_run import write_run
from fake_text import HOSTILE

from autoif.errors import InputError
from autoif.report import write_report

VOID = {"meta", "input", "br", "rect", "line", "circle", "polyline"}


class Page(HTMLParser):
    """The elements of a report with their attributes, and the text of its scripts and style."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_bytes().decode("utf-8")
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, dict[str, str | None], str]] = []
        self.text = ""
        self.feed(self.source)
        self.data: dict[str, Any] = json.loads(next(text for _, a, text in self.raw if a.get("id") == "data"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.raw.append((tag, dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.raw and self.cdata_elem:
            tag, attributes, text = self.raw[-1]
            self.raw[-1] = (tag, attributes, text + data)
        else:
            self.text += data

    def attribute(self, name: str) -> list[str]:
        return [a[name] or "" for _, a in self.elements if name in a]


def test_nothing_comes_from_outside_and_nothing_is_inline(hostile: Path) -> None:
    page = Page(hostile / "report.html")
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name.startswith("on")} | names & {"src", "srcset", "style", "action", "ping"}
    assert all(target.startswith("#") for target in page.attribute("href"))
    assert not {tag for tag, _ in page.elements} & {"link", "base", "iframe", "object", "embed", "img", "image", "use"}


def test_the_policy_names_the_page_s_own_script_and_style_by_hash(plain: Path) -> None:
    page = Page(plain / "report.html")
    policy = next(a["content"] or "" for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    for kind in ("script", "style"):
        text = next(t for tag, a, t in page.raw if tag == kind and "type" not in a)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert directives[f"{kind}-src"] == f"'sha256-{digest}'"
    assert "unsafe" not in policy


def test_hostile_text_stays_text(plain: Path, hostile: Path) -> None:
    calm, attacked = Page(plain / "report.html"), Page(hostile / "report.html")
    assert {tag for tag, _ in attacked.elements} <= {tag for tag, _ in calm.elements}
    assert [(tag, a) for tag, a, _ in attacked.raw] == [(tag, a) for tag, a, _ in calm.raw]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", attacked.source)
    written = json.dumps(attacked.data["entries"], ensure_ascii=False)
    for text in ("</script><script>window.owned = 2</script>", "{{ 7 * 7 }} {% raw %} ${7 * 7}", "␀", "⟦RLO⟧"):
        assert json.dumps(text, ensure_ascii=False)[1:-1] in written
    assert "<script>window.owned = 1</script>" in attacked.text  # in the samples, which the template writes


def test_long_texts_are_cut_and_say_so(hostile: Path) -> None:
    page = Page(hostile / "report.html")
    assert "a" * 4_001 not in page.source
    assert "[97,000 more characters]" in page.source
    assert len(page.source) < 2_000_000
    assert any(len(text) == 100_000 for text in HOSTILE)


def test_numbers_are_the_run_s(plain: Path) -> None:
    page, text = Page(plain / "report.html"), " ".join(Page(plain / "report.html").text.split())
    pairs = len(_lines(plain / "07_pairs/records.jsonl"))
    completions = len(_lines(plain / "06_scores/records.jsonl"))
    assert f"The run made {pairs} preference pairs" in text
    assert f"Over all {completions} completions" in text
    assert "60 of the 60 instructions" in text
    outcomes = Counter(entry["outcome"] for entry in page.data["entries"])
    drops = Counter(drop["reason"] for drop in _lines(plain / "04_crosscheck/dropped.jsonl"))
    assert {key.removeprefix("crosscheck/"): n for key, n in outcomes.items() if key.startswith("crosscheck/")} == drops
    for reason, number in drops.items():
        assert f"{reason.replace('_', ' ')} {number}" in text


def test_entries_carry_the_records_verdicts_and_fates(plain: Path) -> None:
    entries = {entry["id"]: entry for entry in Page(plain / "report.html").data["entries"] if "verifiers" in entry}
    chosen = Counter(pair["chosen_id"] for pair in _lines(plain / "07_pairs/records.jsonl"))
    by_text: dict[str, dict[str, Any]] = {}
    for scored in _lines(plain / "06_scores/records.jsonl"):
        by_text[scored["completion"]["text"]] = scored
    for record in _lines(plain / "04_crosscheck/records.jsonl"):
        entry = entries[record["id"]]
        assert [v["code"] for v in entry["verifiers"]] == [v["source"] for v in record["verifiers"]]
        assert [c["follows"] for c in entry["cases"]] == [c["follows"] for c in record["cases"]]
        for completion in entry["completions"]:
            scored = by_text[completion["text"]]
            assert completion["rate"] == scored["pass_rate"]
            assert completion["verdicts"] == "".join({"TIMEOUT": "O"}.get(v, v[0]) for v in scored["verdicts"])
            assert (completion["fate"] == "chosen") == (chosen[scored["completion"]["id"]] > 0)
    assert sum(len(entry.get("completions", ())) for entry in entries.values()) == len(by_text)


@pytest.mark.parametrize("stages", range(10))
def test_any_number_of_stages_makes_a_report(tmp_path: Path, stages: int) -> None:
    text = Page(write_report(write_run(tmp_path / "run", queries=7, stages=stages))).text
    assert text.count("Not run.") == 9 - stages
    assert ("No completions yet." in text) == (stages < 5)
    assert ("has not been trained yet" in text) == (stages < 8)
    assert ("has not been evaluated yet" in text) == (stages < 9)
    assert ("Pairs have not been made yet" in text) == (stages < 7)


def test_a_run_on_the_seeds_alone_names_no_writer(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", queries=7, stages=7)
    about = json.loads((run / "config.json").read_text())
    assert "answered instructions that people wrote" not in Page(write_report(run)).text
    about["config"]["instructions"] = {"per_query": 0}
    (run / "config.json").write_text(json.dumps(about))
    text = Page(write_report(run)).text
    assert "answered instructions that people wrote" in text
    assert "wrote instructions and verifiers for" not in text
    assert "wrote its own instructions" not in text


def test_a_stage_under_way_shows_what_is_there(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", queries=14, stages=6)
    for name in ("done", "stats.json"):
        (run / "06_scores" / name).unlink()
    with open(run / "06_scores/records.jsonl", "r+b") as records:
        records.truncate((run / "06_scores/records.jsonl").stat().st_size - 5)
    page = Page(write_report(run))
    whole = len((run / "06_scores/records.jsonl").read_bytes().splitlines()) - 1
    assert "Under way." in page.text
    assert sum(len(e.get("completions", ())) for e in page.data["entries"]) == whole


def test_the_same_run_makes_the_same_bytes_in_any_order_of_records(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", queries=20, hostile=True)
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first
    lines = (run / "04_crosscheck/records.jsonl").read_bytes().splitlines(keepends=True)
    random.Random(0).shuffle(lines)
    (run / "04_crosscheck/records.jsonl").write_bytes(b"".join(lines))
    assert write_report(run).read_bytes() == first


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run directory"):
        write_report(tmp_path)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", queries=7, stages=4)
    with open(run / "04_crosscheck/records.jsonl", "a") as records:
        records.write('{"id": 3}\n')
    with pytest.raises(InputError, match=r"records\.jsonl:8"):
        write_report(run)


def test_evaluation_lists_what_got_worse_first(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", queries=7)
    text = Page(write_report(run)).text
    table = text[text.index("by kind of instruction") :]
    order = [table.index(kind) for kind in ("\ncase", "keywords", "model-written", "length", "format") if kind in table]
    assert order == sorted(order)
    assert "The difference could be chance" not in text
    shutil.rmtree(run / "09_evaluate/samples")
    assert "No samples yet." in Page(write_report(run)).text


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]
