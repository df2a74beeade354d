"""Stage 4 in the real sandbox: what survives, what is told of what does not, and who is held out."""

import pytest

from autoif.config_file import parse_config
from autoif.records import Candidates, Instruction, Query, TestCase, Verifier
from autoif.sandbox import Sandbox
from autoif.stages.crosscheck import crosscheck, split

NO_COMMA = "def evaluate(response):\n    return ',' not in response\n"
HELPER = "import re\nPATTERN = re.compile(',')\ndef has(text):\n    return bool(PATTERN.search(text))\n"
WITH_HELPER = HELPER + "def evaluate(response):\n    return not has(response)\n"
WRONG = "def evaluate(response):\n    return ',' in response\n"
MOODY = "import random\ndef evaluate(response):\n    return random.random() < 0.5\n"
CASES = [("a b", True), ("a, b", False), ("no", True), (",", False)]


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(workers=1) as box:
        yield box


def candidates(sources, cases=CASES, number=0) -> Candidates:
    query = Query.make(text=f"query {number}", source="test")
    instruction = Instruction.make(parent=query.id, text="Use no commas.", origin="model", queries=(query,))
    return Candidates.make(
        parent=instruction.id,
        instruction=instruction,
        verifiers=tuple(Verifier.make(source=source, origin="model") for source in sources),
        cases=tuple(TestCase.make(response=text, follows=follows, origin="model") for text, follows in cases),
    )


def run(sandbox, *units, method="votes", examples=()):
    config = parse_config({"crosscheck": {"method": method}}, "test")
    outcomes = crosscheck(enumerate(units), config, sandbox, examples)
    return sorted(outcomes, key=lambda outcome: outcome.unit)


def test_right_functions_survive_and_wrong_ones_go(sandbox):
    (outcome,) = run(sandbox, candidates([NO_COMMA, WRONG, WITH_HELPER]))
    assert [verifier.source for verifier in outcome.kept[0].verifiers] == [NO_COMMA, WITH_HELPER]
    assert outcome.kept[0].explanation.startswith("kept: 2 of 3 verifiers agree with 4 test cases")


def test_drops_carry_the_evidence(sandbox):
    outcomes = run(
        sandbox,
        candidates(["def evaluate(:", "x ="]),
        candidates([MOODY] * 2, [(f"text {n}", n % 2 == 0) for n in range(12)]),
        candidates(["def evaluate(response):\n    return 1\n"] * 2),
        candidates([NO_COMMA] * 2, CASES[::2]),
    )
    reasons = [outcome.dropped[0].reason for outcome in outcomes]
    assert reasons == ["does_not_compile", "nondeterministic", "not_boolean", "one_polarity"]
    evidence = outcomes[3].dropped[0].what
    assert evidence["verdicts"] == [["TRUE", "TRUE"]] * 2
    assert evidence["cases"][0] == {"response": "a b", "follows": True}
    assert evidence["explanation"].startswith("dropped: ")


def test_by_agreement_sources_that_differ_are_believed_whatever_the_test_cases_say(sandbox):
    wrong_cases = [(text, not follows) for text, follows in CASES]
    (outcome,) = run(sandbox, candidates([NO_COMMA, WRONG, WITH_HELPER], wrong_cases), method="agreement")
    assert [verifier.source for verifier in outcome.kept[0].verifiers] == [NO_COMMA, WITH_HELPER]
    assert outcome.kept[0].cases == ()
    assert outcome.kept[0].explanation.startswith("kept: 2 of 3 verifiers, 2 of different source, agree on 4 cases and")
    assert 0.9 <= outcome.kept[0].confidence < 1


def test_by_agreement_a_copy_of_an_example_is_no_evidence(sandbox):
    written = candidates([NO_COMMA, WITH_HELPER])
    (outcome,) = run(sandbox, written, method="agreement", examples=["# shown\n" + NO_COMMA])
    assert outcome.dropped[0].reason == "below_threshold"
    assert outcome.dropped[0].what["verdicts"] == [["TRUE", "FALSE", "TRUE", "FALSE"]] * 2


def test_the_split_follows_from_the_seed_alone():
    config = parse_config({"crosscheck": {"heldout_queries": 0.3, "heldout_instructions": 0.2}}, "test")
    texts = [candidates([NO_COMMA], number=n).instruction.model_copy(update={"text": f"t{n}"}) for n in range(400)]
    splits = [split(instruction, config) for instruction in texts]
    assert splits == [split(instruction, config) for instruction in texts]
    assert 50 < splits.count("heldout_instruction") < 110
    assert 65 < splits.count("heldout_query") < 130
    nobody = parse_config({"crosscheck": {"heldout_queries": 0, "heldout_instructions": 0}}, "test")
    assert {split(instruction, nobody) for instruction in texts} == {"train"}
