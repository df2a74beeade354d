"""Stage 3: cutting functions and test cases out of whatever a model writes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoif.config_file import parse_config
from autoif.engines.scripted import ScriptedEngine
from autoif.records import Instruction, Query
from autoif.sandbox import Sandbox
from autoif.seeds import SEEDS
from autoif.stages.verifiers import PREFILL, verifiers
from autoif.stages.written import read_cases, read_function

QUERY = Query.make(text="What is tea?", source="test")
WRITTEN = Instruction.make(parent=QUERY.id, text="Use no commas.", origin="model", queries=(QUERY,))
BODY = "    return ',' not in response\n"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(workers=1) as box:
        yield box


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


def test_a_unit_of_each_origin(sandbox):
    seed = SEEDS[0]
    parameters = seed.choices()[-1]
    text = seed.fill(**parameters).instruction
    seeded = Instruction.make(
        parent=QUERY.id, text=text, origin="seed", queries=(QUERY,), seed=seed.name, parameters=parameters
    )
    config = parse_config({"verifiers": {"functions": 2, "wave": None, "case_replies": 1}}, "test")
    replies = [f"def evaluate(response):\n{BODY}", "no function", '{"response": "a", "follows": true}\n{"x": 1}']
    first, second = verifiers(enumerate([WRITTEN, seeded]), config, ScriptedEngine(replies), sandbox)
    assert [verifier.source for verifier in first.kept[0].verifiers] == [f"def evaluate(response):\n{BODY}"]
    assert [(case.response, case.follows) for case in first.kept[0].cases] == [("a", True)]
    assert [drop.reason for drop in first.dropped] == ["no_function", "malformed_test_case"]
    assert second.kept[0].verifiers[0].origin == "seed"
    assert {case.follows for case in second.kept[0].cases} == {True, False}
    assert second.usage.completion_tokens == 0


def test_an_instruction_without_any_function_is_not_passed_on(sandbox):
    config = parse_config({"verifiers": {"functions": 2, "wave": None, "case_replies": 1}}, "test")
    (outcome,) = verifiers(enumerate([WRITTEN]), config, ScriptedEngine(["nothing"]), sandbox)
    assert outcome.kept == ()
    assert [drop.reason for drop in outcome.dropped] == ["no_function", "no_function", "malformed_test_case"]


def test_prefill_and_schema_are_asked_for_where_the_engine_can(sandbox):
    asked = []
    engine = ScriptedEngine(lambda request: asked.append(request) or "", prefill=True, schema=True)
    config = parse_config({"verifiers": {"functions": 1, "wave": None, "case_replies": 1}}, "test")
    list(verifiers(enumerate([WRITTEN]), config, engine, sandbox))
    assert asked[0].prefill == PREFILL
    assert asked[0].schema is None
    assert asked[1].schema["properties"]["cases"]


PASSES = ("',' not in response", "response.count(',') == 0", "response.find(',') == -1")
GOOD = [f"def evaluate(response):\n    return {body}\n" for body in PASSES]
OTHER = [f"def evaluate(response):\n    return len(response) > {n}\n" for n in (40, 200, 900, 3000)]
CONSTANT = "def evaluate(response):\n    return True\n"
CASES = '{"response": "a", "follows": true}'


@pytest.mark.parametrize(
    ("functions", "asked", "cases"),
    [
        (GOOD, 3, 1),  # decided at once
        ([OTHER[0], *GOOD], 5, 1),  # 3, then the two that are left
        ([*OTHER, GOOD[0]], 5, 1),
        ([CONSTANT, "no function", CONSTANT], 3, 0),  # hopeless
        ([GOOD[0], CONSTANT, CONSTANT, CONSTANT], 5, 1),
    ],
)
def test_functions_are_written_in_waves_and_cases_only_where_they_agree(sandbox, functions, asked, cases):
    sent = []

    def reply(request):
        writes_cases = "JSON" in request.messages[-1]["content"]
        sent.append(request)
        return CASES if writes_cases else functions[min(len(sent), len(functions)) - 1]

    config = parse_config({"verifiers": {"functions": 5, "wave": 3, "case_replies": 1}}, "test")
    (outcome,) = verifiers(enumerate([WRITTEN]), config, ScriptedEngine(reply), sandbox)
    assert len(sent) == asked + cases
    assert len({request.sampling.seed for request in sent}) == len(sent)
    assert [len(kept.cases) for kept in outcome.kept] == [cases] * bool(outcome.kept)


def test_votes_need_all_functions_and_cases_at_once(sandbox):
    config = parse_config({"crosscheck": {"method": "votes"}, "verifiers": {"functions": 6}}, "test")
    (outcome,) = verifiers(enumerate([WRITTEN]), config, ScriptedEngine([*GOOD, *OTHER[1:], CASES, CASES]), sandbox)
    assert len(outcome.kept[0].verifiers) == 6
    assert len(outcome.kept[0].cases) == 2


def test_the_writer_is_asked_to_break_the_cases_that_it_takes_for_right(sandbox):
    cases = (
        '{"response": "a", "follows": true}\n{"response": "b, c", "follows": false}\n{"response": "d", "follows": true}'
    )
    functions = iter(GOOD)

    def reply(request):
        text = request.messages[-1]["content"]
        broken = [new for old, new in {"a": "a, b", "d": "d"}.items() if f"\n{old}\n" in text]
        return broken[0] if broken else cases if "JSON" in text else next(functions)

    config = parse_config({"verifiers": {"wave": 3, "case_replies": 1, "mutations": 2}}, "test")
    (outcome,) = verifiers(enumerate([WRITTEN]), config, ScriptedEngine(reply), sandbox)
    found = [(case.response, case.follows) for case in outcome.kept[0].cases]
    assert found == [("a", True), ("b, c", False), ("d", True), ("a, b", False)]  # "d" came back unchanged
    assert outcome.kept[0].cases[3].parent == outcome.kept[0].cases[0].id
