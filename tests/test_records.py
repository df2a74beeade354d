"""Records: their lines on disk are a contract, and their ids follow from their content alone."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from autoif.records import (
    Candidates,
    Completion,
    Instruction,
    PreferencePair,
    Query,
    Record,
    ScoredCompletion,
    TestCase,
    Usage,
    VerifiedInstruction,
    Verifier,
    clean,
)

GOLDEN = Path(__file__).parent / "golden" / "records.jsonl"


def one_of_each() -> list[Record]:
    query = Query.make(text="What is tea? é \x00", source="builtin:1")
    instruction = Instruction.make(
        parent=query.id,
        text="Use 3 words.",
        origin="seed",
        queries=(query,),
        seed="n_words",
        parameters={"n": 3, "w": "a"},
    )
    verifier = Verifier.make(parent=instruction.id, source="def evaluate(response): ...", origin="seed")
    case = TestCase.make(parent=instruction.id, response="a b c", follows=True, origin="seed")
    fields = {"instruction": instruction, "verifiers": (verifier,), "cases": (case,)}
    candidates = Candidates.make(parent=instruction.id, **fields)
    verified = VerifiedInstruction.make(
        parent=candidates.id, explanation="kept: 1 of 1", split="heldout_query", **fields
    )
    completion = Completion.make(
        parent=verified.id, query="q", instruction="i", prompt="q\ni", text="a b c", sample=0, tokens=4
    )
    scored = ScoredCompletion.make(
        parent=completion.id, completion=completion, verdicts=("TRUE", "ERROR"), pass_rate=0.5
    )
    pair = PreferencePair.make(
        parent=verified.id,
        prompt=[{"role": "user", "content": "q\ni"}],
        chosen=[{"role": "assistant", "content": "a b c"}],
        rejected=[{"role": "assistant", "content": "a"}],
        chosen_id=completion.id,
        rejected_id="0" * 20,
        chosen_score=1.0,
        rejected_score=0.0,
    )
    return [query, instruction, candidates, verified, completion, scored, pair]


def test_lines_are_the_golden_ones_and_read_back():
    lines = [record.model_dump_json() for record in one_of_each()]
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert lines == GOLDEN.read_text(encoding="utf-8").splitlines()
    for record, line in zip(one_of_each(), lines, strict=True):
        assert type(record).model_validate_json(line) == record
        assert line.startswith('{"id":"' + record.id + '","parent":')


@given(st.text(), st.text())
def test_ids_follow_from_content(first, second):
    first, second = clean(first), clean(second)
    assert (Query.make(text=first, source="") == Query.make(text=second, source="")) == (first == second)
    assert Query.make(text=first, source="").id != Query.make(text=first, source=" ").id


def test_kinds_have_ids_of_their_own():
    assert Query.make(text="a", source="b").id != Verifier.make(source="a", origin="seed").id


@given(st.text(st.characters(codec=None)))
def test_clean_text_can_be_written(text):
    clean(text).encode("utf-8")
    assert clean("é\ud800") == "é?"


def test_records_are_immutable_and_closed():
    query = Query.make(text="a", source="b")
    with pytest.raises(ValidationError):
        query.text = "c"
    with pytest.raises(ValidationError):
        Query.make(text="a", source="b", extra=1)


def test_usage_adds_up():
    assert Usage(1, 2) + Usage(3, 4) == Usage(4, 6)
