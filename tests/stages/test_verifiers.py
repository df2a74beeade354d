"""Stage 3: cutting functions and test cases out of whatever a model writes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoif.config_file import parse_config
from autoif.engines.scripted import ScriptedEngine
from autoif.records import Instruction, Query
from autoif.seeds import SEEDS
from autoif.stages.verifiers import PREFILL, read_cases, read_function, verifiers

QUERY = Query.make(text="What is tea?", source="test")
WRITTEN = Instruction.make(parent=QUERY.id, text="Use no commas.", origin="model", queries=(QUERY,))
BODY = "    return ',' not in response\n"


@pytest.mark.parametrize(
    "reply",
    [
        f"def evaluate(response: str) -> bool:\n{BODY}",
        f"Sure! Here is it:\n```python\ndef evaluate(response: str) -> bool:\n{BODY}```\nIt looks for commas.",
        f"```\ndef evaluate(response: str) -> bool:\n{BODY}",
        f"def evaluate(response: str) -> bool:\n{BODY}\nThis function looks for commas.",
    ],
)
def test_functions_are_found_without_a_prefill(reply):
    assert read_function(reply) == f"def evaluate(response: str) -> bool:\n{BODY}"


def test_imports_and_helpers_stay():
    source = f"import re\n\nLIMIT = 3\n\n\ndef helper(text):\n    return text\n\n\ndef evaluate(response):\n{BODY}"
    assert read_function(f"The code:\n{source}") == source


@pytest.mark.parametrize("tail", ["", "```\nIt looks for commas.", "\nExplanation: it looks for commas."])
def test_functions_are_found_behind_a_prefill(tail):
    assert read_function("\n" + BODY + tail, PREFILL) == f"{PREFILL}\n{BODY}"


@pytest.mark.parametrize("reply", ["", "I cannot do that.", "def check(x):\n    return True", "x" * 30_000])
def test_replies_without_a_function(reply):
    assert read_function(reply) is None


@pytest.mark.parametrize("reply", ["", "\n", " # Check the words.\n", "\n    for word in response:\n"])
def test_a_head_without_a_body_is_no_function(reply):
    assert read_function(reply, PREFILL) is None


def test_cases_in_every_shape():
    good = [("a, b", False), ("a b", True)]
    lines = [{"response": "a, b", "follows": False}, {"response": "a b", "follows": True}]
    as_lines = "\n".join(map(json.dumps, lines))
    assert read_cases(as_lines) == (good, [])
    assert read_cases(f"```json\n{as_lines}\n```") == (good, [])
    assert read_cases(json.dumps(lines)) == (good, [])
    assert read_cases(json.dumps({"cases": lines})) == (good, [])
    assert read_cases('{"response": "a", "result": true}') == ([("a", True)], [])


@pytest.mark.parametrize(
    "line",
    [
        '{"response": "a", "follows": "true"}',
        '{"response": 3, "follows": true}',
        '{"response": "a"}',
        '{"response": "a", "follows": tru',
        "[1]",
        "no JSON at all",
        "[" * 100_000,
    ],
)
def test_malformed_cases_are_told(line):
    found, bad = read_cases(line)
    assert found == []
    assert len(bad) == 1


@given(st.text())
def test_no_reply_crashes_the_readers(text):
    read_function(text)
    read_function(text, PREFILL)
    for response, _ in read_cases(text)[0]:
        response.encode()


def test_a_unit_of_each_origin():
    seed = SEEDS[0]
    parameters = seed.choices()[-1]
    text = seed.fill(**parameters).instruction
    seeded = Instruction.make(
        parent=QUERY.id, text=text, origin="seed", queries=(QUERY,), seed=seed.name, parameters=parameters
    )
    config = parse_config({"verifiers": {"functions": 2, "case_replies": 1}}, "test")
    replies = [f"def evaluate(response):\n{BODY}", "no function", '{"response": "a", "follows": true}\n{"x": 1}']
    first, second = verifiers(enumerate([WRITTEN, seeded]), config, ScriptedEngine(replies))
    assert [verifier.source for verifier in first.kept[0].verifiers] == [f"def evaluate(response):\n{BODY}"]
    assert [(case.response, case.follows) for case in first.kept[0].cases] == [("a", True)]
    assert [drop.reason for drop in first.dropped] == ["no_function", "malformed_test_case"]
    assert second.kept[0].verifiers[0].origin == "seed"
    assert {case.follows for case in second.kept[0].cases} == {True, False}
    assert second.usage.completion_tokens == 0


def test_an_instruction_without_any_function_is_not_passed_on():
    config = parse_config({"verifiers": {"functions": 2, "case_replies": 1}}, "test")
    (outcome,) = verifiers(enumerate([WRITTEN]), config, ScriptedEngine(["nothing"]))
    assert outcome.kept == ()
    assert [drop.reason for drop in outcome.dropped] == ["no_function", "no_function", "malformed_test_case"]


def test_prefill_and_schema_are_asked_for_where_the_engine_can():
    asked = []
    engine = ScriptedEngine(lambda request: asked.append(request) or "", prefill=True, schema=True)
    list(
        verifiers(
            enumerate([WRITTEN]), parse_config({"verifiers": {"functions": 1, "case_replies": 1}}, "test"), engine
        )
    )
    assert asked[0].prefill == PREFILL
    assert asked[0].schema is None
    assert asked[1].schema["properties"]["cases"]
