"""The section of token pictures, as it stands in the file."""

from __future__ import annotations

import json
import re
import shutil
from html import unescape
from pathlib import Path

import pytest
from fake_run import write_run

from autoif.errors import InputError
from autoif.report import write_report
from autoif.report.folder import RunFolder
from autoif.report.pictures import details, moved, pictures, shades
from autoif.tokens.shades import css_class, level, show


def test_every_token_is_shown_in_its_shade(plain: Path) -> None:
    page = (plain / "report.html").read_text(encoding="utf-8")
    boxes = re.findall(r'<div class="text tokens"[^>]*>(.*?)</div>', page, re.DOTALL)
    found = [re.findall(r'<span class="(\w+)">(.*?)</span>', box, re.DOTALL) for box in boxes]
    answers = [answer for picture in pictures(RunFolder(plain)) for answer in picture.answers]
    assert len(found) == len(answers) == 12
    for tokens, answer in zip(found, answers, strict=True):
        wanted = [(css_class(level(span.difference)), show(span.text)) for span in answer.comparison.spans]
        assert [(name, unescape(text)) for name, text in tokens] == wanted


def test_sum_and_mean_are_of_the_whole_answer(plain: Path) -> None:
    text = (plain / "report.html").read_text(encoding="utf-8")
    assert text.count("over 39 tokens.") == 10
    assert text.count("over 46 tokens; the first 39 are shown.") == 2


def test_details_name_what_cannot_be_seen(hostile: Path) -> None:
    told = json.dumps(details(pictures(RunFolder(hostile))), ensure_ascii=False)
    assert "⟨F0⟩ −3.00" in told
    assert '"↵"' in told
    assert '"␣"' in told
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", told)


def test_what_moved_is_told_by_type(plain: Path) -> None:
    told = moved(RunFolder(plain))
    assert told is not None
    assert {row.type for row in told.types} == {"no_commas", "all_uppercase", "model"}
    assert all(row.answers == 4 for row in told.types)
    assert told.all.answers == 12
    assert [move.mean for move in told.all.tokens_moved[0]] == sorted(
        (m.mean for m in told.all.tokens_moved[0]), reverse=True
    )
    kinds = {move.text for side in told.all.classes for move in side}
    assert kinds <= {
        "line break",
        "space",
        "upper case",
        "lower case",
        "comma",
        "sentence end",
        "other mark",
        "end of turn",
    }


def test_a_run_without_pictures_says_so(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", queries=7)
    shutil.rmtree(run / "09_evaluate/tokens")
    page = write_report(run).read_text(encoding="utf-8")
    assert "No log-probabilities have been read." in page
    assert moved(RunFolder(run)) is None


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", queries=7)
    (run / "09_evaluate/tokens/pictures.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match=r"pictures\.jsonl:1"):
        write_report(run)


def test_odd_numbers_in_what_moved_do_no_harm(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", queries=7)
    path = run / "09_evaluate/tokens/moved.json"
    told = json.loads(path.read_text())
    told["all"]["tokens"]["up"].append({"text": "odd", "mean": "much"})
    told["types"]["broken"] = None
    path.write_text(json.dumps(told))
    assert "Token by token" in write_report(run).read_text(encoding="utf-8")


def test_there_is_a_rule_for_each_shade() -> None:
    rules = shades()
    assert rules.count("color-mix") == 20
    assert ".tokens .p10{background:color-mix(in srgb,var(--up) 100%,transparent)}" in rules
    assert ".tokens .m1{background:color-mix(in srgb,var(--down) 19%,transparent)}" in rules
