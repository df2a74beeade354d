"""Which records the browser of instructions shows when they do not all fit."""

from __future__ import annotations

from pathlib import Path

from fake_run import write_run

from autoif.report.browser import PER_REASON, choices, choose_entries, outcome_choices
from autoif.report.folder import STAGES, RunFolder
from autoif.report.tally import tally
from autoif.report.text import page_json


def test_entries_fit_into_the_room_and_no_reason_crowds_out_another(tmp_path: Path) -> None:
    run = RunFolder(write_run(tmp_path / "run", queries=40, hostile=True))
    found = tally(run, 1000)
    entries = choose_entries(run, found, 300_000)
    assert len(page_json(entries).encode()) < 300_000
    reasons = {f"{name}/{reason}" for name in STAGES for reason, _ in run.count(name).dropped}
    assert reasons <= {entry["outcome"] for entry in entries}
    assert 0 < sum(entry["outcome"].startswith("kept/") for entry in entries) < 40


def test_markup_counts_as_what_it_takes_on_the_page(tmp_path: Path) -> None:
    run = RunFolder(write_run(tmp_path / "run", queries=7, stages=1))
    (run.folder("queries") / "dropped.jsonl").write_text(
        "".join(f'{{"unit": {i}, "reason": "too_short", "what": {{"text": "{"<" * 2900}"}}}}\n' for i in range(30))
    )
    entries = choose_entries(run, tally(run, 10), 200_000)
    assert len(entries) == 60_000 // (2900 * 6)
    assert len(page_json(entries)) < 60_000


def test_a_sample_is_the_smallest_ids_with_all_their_completions(plain: Path) -> None:
    run = RunFolder(plain)
    everything, some = tally(run, 1000), tally(run, 5)
    assert list(some.subjects) == sorted(everything.subjects)[:5]
    assert some.origins.total() == 60
    assert all(some.subjects[id].answers == everything.subjects[id].answers for id in some.subjects)
    assert some.pass_rates == everything.pass_rates


def test_filters_offer_what_is_there_with_its_numbers(plain: Path) -> None:
    run = RunFolder(plain)
    entries = choose_entries(run, tally(run, 1000), 5_000_000)
    groups = dict(outcome_choices(entries, [run.count(name) for name in STAGES]))
    assert list(groups) == [
        "kept",
        "queries",
        "instructions",
        "verifiers",
        "crosscheck",
        "completions",
        "scores",
        "pairs",
    ]
    assert sum(choice.shown for choice in groups["kept"]) == 60
    assert [(c.value, c.shown, c.total) for c in groups["scores"]] == [("scores/unstable", 1, 1)]
    assert {choice.value for choice in choices(entries, "origin")} == {"model", "seed"}


def test_at_most_so_many_examples_of_a_reason(tmp_path: Path) -> None:
    run = RunFolder(write_run(tmp_path / "run", queries=7, stages=1))
    lines = [f'{{"unit": {i}, "reason": "too_short", "what": {{"text": "q{i}"}}}}\n' for i in range(100)]
    path = run.folder("queries") / "dropped.jsonl"
    path.write_text("".join(lines))
    drawn = run.examples("queries", PER_REASON)["too_short"]
    path.write_text("".join(reversed(lines)))
    assert len(drawn) == PER_REASON
    assert drawn == run.examples("queries", PER_REASON)["too_short"]
    assert max(example.unit for example in drawn) > 50  # drawn from the whole file, not from its beginning
