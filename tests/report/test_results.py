"""Training and evaluation files as they come: with gaps, with more than is known, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autoif.report.folder import RunFolder
from autoif.report.results import Row, evaluation, lengths, samples, training


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "08_train").mkdir()
    (tmp_path / "09_evaluate" / "samples").mkdir(parents=True)
    return RunFolder(tmp_path)


def save(run: RunFolder, scores: dict[str, Any]) -> None:
    (run.folder("evaluate") / "scores.json").write_text(json.dumps(scores))


def test_curves_leave_out_what_is_no_number(run: RunFolder) -> None:
    lines = [
        '{"step": 1, "loss": 0.7}',
        '{"step": 2, "loss": NaN}',
        "not json",
        '{"loss": 0.5, "rewards/margins": "x"}',
    ]
    (run.folder("train") / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 4, "loss": 0.4')
    (figure,) = training(run)
    assert figure.title == "Loss"
    assert figure.steps == (1, 3)
    assert figure.lines[0].values == (0.7, 0.5)


def test_without_files_there_is_nothing(run: RunFolder) -> None:
    assert training(run) == evaluation(run) == lengths(run) == samples(run, 3) == []


def test_tables_are_benchmarks_first_then_their_parts_what_got_worse_first(run: RunFolder) -> None:
    parts = {"up": {"policy": 0.6, "reference": 0.5, "n": 4}, "down": {"policy": 0.4, "reference": 0.5, "n": 5}}
    save(
        run, {"ifeval": {"policy": 0.5, "reference": 0.5, "n": 9, "metric": "a_b", "by_kind": parts, "lost": 3}, "x": 1}
    )
    whole, kinds = evaluation(run)
    assert [(row.name, row.n, row.metric) for row in whole.rows] == [("ifeval", 9, "a b")]
    assert (kinds.benchmark, kinds.part, [row.name for row in kinds.rows]) == ("ifeval", "kind", ["down", "up"])


def test_the_sft_before_has_its_curve(run: RunFolder) -> None:
    for name, loss in (("sft_metrics", 2.5), ("metrics", 0.7)):
        lines = [json.dumps({"step": step, "loss": loss / step}) for step in (1, 2)]
        (run.folder("train") / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    assert [(figure.title, figure.lines[0].values) for figure in training(run)] == [
        ("SFT loss", (2.5, 1.25)),
        ("Loss", (0.7, 0.35)),
    ]


def test_rounds_have_a_table_of_their_own(run: RunFolder) -> None:
    score = {"policy": 0.4, "reference": 0.3, "n": 40}
    save(run, {"heldout": score})
    assert [table.part for table in evaluation(run)] == ["benchmark"]
    for number, policy in ((2, 0.5), (3, 0.6)):
        again = RunFolder(run.path).round(number).folder("evaluate")
        again.mkdir()
        (again / "scores.json").write_text(json.dumps({"heldout": score | {"policy": policy}}))
    rounds = evaluation(run)[1]
    assert (rounds.benchmark, rounds.part) == ("heldout", "round")
    assert [(row.name, row.policy) for row in rounds.rows] == [("round 1", 0.4), ("round 2", 0.5), ("round 3", 0.6)]


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.2, "better"),
        (-0.2, -0.01, "worse"),
        (-0.1, 0.1, "unclear"),
        (0.0, 0.1, "unclear"),
        (None, None, "open"),
    ],
)
def test_a_change_counts_when_its_interval_excludes_zero(low: float, high: float, verdict: str) -> None:
    assert Row("x", 30, 0.5, 0.6, low, high).verdict == verdict


def test_a_handful_is_too_few_to_conclude_from() -> None:
    assert Row("x", 29, 0.5, 0.6, 0.01, 0.2).verdict == "few"


def test_lengths_need_all_four_numbers(run: RunFolder) -> None:
    words, cut = {"policy": 9.0, "reference": 8.0}, {"policy": 0.1, "reference": 0.2}
    save(run, {"a": {"mean_words": words, "truncated": cut}, "b": {"mean_words": words}})
    (found,) = lengths(run)
    assert (found.benchmark, found.policy_words, found.reference_cut) == ("a", 9.0, 0.2)


def test_samples_are_grouped_and_counted(run: RunFolder) -> None:
    rates = [(1, 0)] * 5 + [(0, 1)] * 2 + [(0.5, 0.5)]
    lines = [
        json.dumps({"id": f"s{i}", "reference": {"text": "r", "pass_rate": r}, "policy": {"text": "p", "pass_rate": p}})
        for i, (r, p) in enumerate(rates)
    ]
    (run.folder("evaluate") / "samples/heldout.jsonl").write_text("\n".join([*lines, "[]", ""]))
    found = samples(run, 3)
    assert [(group.name, group.total, len(group.shown)) for group in found] == [
        ("worse", 5, 3),
        ("better", 2, 2),
        ("same", 1, 1),
    ]
    assert found == samples(run, 3)
