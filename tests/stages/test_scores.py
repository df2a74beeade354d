"""Stage 6 in the real sandbox, and the writer's rating."""

import pytest

from autoif.config_file import parse_config
from autoif.engines.scripted import ScriptedEngine
from autoif.records import Completion, Instruction, Query, VerifiedInstruction, Verifier
from autoif.sandbox import Sandbox
from autoif.stages.scores import pass_rate, read_quality, scores

NO_COMMA = "def evaluate(response):\n    return ',' not in response\n"
SHORT = "def evaluate(response):\n    return len(response) < 5\n"
HANGS_ON_B = "def evaluate(response):\n    while 'b' in response:\n        pass\n    return True\n"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(workers=1, call_seconds=0.2) as box:
        yield box


def unit(sources, texts, instruction="i", confidence=1.0):
    query = Query.make(text="q", source="test")
    instruction = Instruction.make(parent=query.id, text=instruction, origin="model", queries=(query,))
    verifiers = tuple(Verifier.make(source=source, origin="model") for source in sources)
    verified = VerifiedInstruction.make(
        parent="c",
        instruction=instruction,
        verifiers=verifiers,
        cases=(),
        explanation="kept",
        confidence=confidence,
    )
    completions = tuple(
        Completion.make(parent=verified.id, query="q", instruction="i", prompt="q\ni", text=text, sample=n, tokens=1)
        for n, text in enumerate(texts)
    )
    return verified, completions


def run(sandbox, item, writer=None, method="votes"):
    config = parse_config({"scores": {"quality": True}, "crosscheck": {"method": method}}, "test")
    (outcome,) = scores(enumerate([item]), config, sandbox, writer)
    return outcome


def test_pass_rates_are_shares_of_true(sandbox):
    outcome = run(sandbox, unit([NO_COMMA, SHORT], ["a", "a, b, c", "a b c d"]))
    assert [(score.completion.text, score.pass_rate) for score in outcome.kept] == [
        ("a", 1.0),
        ("a, b, c", 0.0),
        ("a b c d", 0.5),
    ]
    assert outcome.kept[2].verdicts == ("TRUE", "FALSE")


def test_an_answer_that_was_cut_fails_whatever_the_verifiers_say(sandbox):
    verified, (answer,) = unit([NO_COMMA], ["a"])
    outcome = run(sandbox, (verified, (Completion.make(**{**answer.model_dump(exclude={"id"}), "cut": True}),)))
    assert [(score.pass_rate, score.verdicts) for score in outcome.kept] == [(0.0, ("TRUE",))]


def test_a_completion_that_no_verifier_can_judge_is_unstable(sandbox):
    outcome = run(sandbox, unit([HANGS_ON_B], ["a", "b"]))
    assert [score.completion.text for score in outcome.kept] == ["a"]
    assert [(drop.reason, drop.what["verdicts"]) for drop in outcome.dropped] == [("unstable", ("TIMEOUT",))]


STARS = [
    "def evaluate(response):\n    return response.count('*') == 2\n",
    "def evaluate(response):\n    return len(response.split('*')) == 3\n",
]
WORDS = [
    "def evaluate(response):\n    return len(response.split()) >= 3\n",
    "def evaluate(response):\n    words = response.split()\n    return len(words) >= 3\n",
]


def test_by_agreement_a_verdict_that_hangs_on_what_nobody_asked_about_is_unstable(sandbox):
    texts = ["* tea\n* milk", "tea", "* tea\n* **green** tea"]
    item = unit(STARS, texts, "Write exactly two bullets.", confidence=0.9)
    outcome = run(sandbox, item, method="agreement")
    assert [(drop.reason, drop.what["text"]) for drop in outcome.dropped] == [
        ("unstable", texts[0]),  # with one word in bold it would fail
        ("unstable", texts[2]),  # and this one would pass without
    ]
    assert [(score.completion.text, score.pass_rate) for score in outcome.kept] == [("tea", 0.0)]


@pytest.mark.parametrize("instruction", ["Use at least 3 words.", "Use at least three words."])
def test_by_agreement_an_answer_at_the_edge_of_a_bound_is_unstable(sandbox, instruction):
    texts = ["one", "one two three", "one two three four five"]
    outcome = run(sandbox, unit(WORDS, texts, instruction, confidence=0.9), method="agreement")
    assert [(score.completion.text, score.confidence) for score in outcome.kept] == [(texts[0], 0.9), (texts[2], 0.9)]
    assert outcome.dropped[0].what["text"] == "one two three"


def test_by_agreement_functions_that_part_on_real_answers_label_none_of_them(sandbox):
    part = [WORDS[0], WORDS[1].replace("words)", "words) + response.count('!')")]
    texts = ["one", "one two!", "one two three four five"]
    outcome = run(sandbox, unit(part, texts, "Be long.", confidence=0.9), method="agreement")
    assert outcome.kept == ()
    assert [drop.reason for drop in outcome.dropped] == ["unstable"] * 3


def test_an_instruction_without_completions_costs_nothing(sandbox):
    assert run(sandbox, unit([NO_COMMA], [])).kept == ()


@pytest.mark.parametrize(
    ("verdicts", "rate"),
    [
        (("TRUE", "TRUE"), 1.0),
        (("TRUE", "ERROR"), 0.5),
        (("ERROR", "ERROR", "FALSE"), None),
        (("FALSE",), 0.0),
        ((), None),
    ],
)
def test_pass_rate(verdicts, rate):
    assert pass_rate(verdicts) == rate


def test_only_passing_answers_are_rated(sandbox):
    asked = []
    writer = ScriptedEngine(lambda request: asked.append(request) or "Reason: it helps.\nScore: 9")
    outcome = run(sandbox, unit([NO_COMMA], ["a", "a, b", "c"]), writer)
    assert [(score.quality, score.quality_reason) for score in outcome.kept] == [
        (9, "it helps."),
        (None, None),
        (9, "it helps."),
    ]
    assert len(asked) == 2
    assert outcome.usage.prompt_tokens > 0


@pytest.mark.parametrize(
    ("text", "quality"),
    [("Score: 10", 10), ("score - **7**/10", 7), ("Score: 11", None), ("great", None), ("Score: 0", None), ("", None)],
)
def test_reading_a_rating(text, quality):
    assert read_quality(text)[0] == quality
