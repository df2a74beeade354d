from __future__ import annotations

import pytest

from autoif.records import Candidates, Completion, Instruction, Query
from autoif.report.fates import Thresholds, fate, outcome
from autoif.report.tally import Answer, Subject

THRESHOLDS = Thresholds(chosen_at=0.5, rejected_at=0.0, min_quality=8)


def subject() -> Subject:
    query = Query.make(text="q", source="s")
    instruction = Instruction.make(text="i", origin="model", queries=(query,))
    return Subject("x", Candidates.make(instruction=instruction, verifiers=(), cases=()))


def answer(rate: float | None, quality: int | None = None) -> Answer:
    completion = Completion.make(query="q", instruction="i", prompt="p", text="t", sample=0, tokens=1)
    return Answer(completion, ("TRUE",), rate, quality)


@pytest.mark.parametrize(
    ("rate", "quality", "words"),
    [
        (1.0, None, "It passes, but there was nothing left to pair it with."),
        (1.0, 3, "It passes, but is rated 3 of 10 for its query; 8 is needed."),
        (0.0, None, "It fails, but there was nothing left to pair it with."),
        (0.25, None, "25% is in between: chosen needs at least 50%, rejected at most 0%."),
    ],
)
def test_an_unused_completion_says_why(rate: float, quality: int | None, words: str) -> None:
    assert fate(answer(rate, quality), subject(), THRESHOLDS) == ("unused", words)


def test_a_used_completion_says_how_often() -> None:
    about, good = subject(), answer(1.0)
    about.chosen[good.completion.id] = 2
    assert fate(good, about, THRESHOLDS) == ("chosen", "In 2 pairs: 100% of the verifiers say yes.")
    assert outcome(about, paired=True) == "kept/pairs"


def test_before_the_stages_have_run_a_completion_waits() -> None:
    assert fate(answer(None), subject(), None) == ("waiting", "Not scored yet.")
    assert fate(answer(0.5), subject(), None)[0] == "waiting"
    assert outcome(subject(), paired=False) == "kept/waiting"
    assert outcome(subject(), paired=True) == "kept/no_pairs"
