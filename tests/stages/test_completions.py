"""Stage 5: samples of the policy, and what is dropped of them."""

import pytest

from autoif.config import CompletionsConfig
from autoif.config_file import parse_config
from autoif.engines.base import Reply
from autoif.engines.scripted import ScriptedEngine
from autoif.records import Instruction, Query, TestCase, VerifiedInstruction, Verifier
from autoif.sandbox import Sandbox
from autoif.stages.completions import completions, length_cap, promising

QUERY = Query.make(text="What is tea?", source="test")
SOURCE = "def evaluate(response):\n    return ',' not in response\n"
CASES = {"Walk to the lake and swim in it": True, "Walk, swim": False, "The writer is wrong, here": True}


def verified(split="train") -> VerifiedInstruction:
    instruction = Instruction.make(parent=QUERY.id, text="Use no commas.", origin="model", queries=(QUERY,))
    verifier = Verifier.make(parent=instruction.id, source=SOURCE, origin="model")
    cases = tuple(TestCase.make(parent="i", response=r, follows=f, origin="model") for r, f in CASES.items())
    return VerifiedInstruction.make(
        parent="c",
        instruction=instruction,
        verifiers=(verifier,),
        cases=cases,
        case_verdicts=(("TRUE", "FALSE", "FALSE"),),
        explanation="kept",
        split=split,
    )


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(workers=1) as box:
        yield box


def run(sandbox, script, split="train", prompt=None, **wanted):
    config = parse_config({"completions": {"per_instruction": 3, **wanted}}, "test")
    asked = []

    def reply(request):
        asked.append(request)
        return script[(len(asked) - 1) % len(script)]

    (outcome,) = completions(enumerate([(prompt or verified(split), QUERY)]), config, ScriptedEngine(reply), sandbox)
    return outcome, asked


def test_a_query_gets_its_samples(sandbox):
    outcome, asked = run(sandbox, ["a", "b", "c"])
    assert [(c.query, c.text, c.sample) for c in outcome.kept] == [
        (QUERY.text, text, n) for n, text in enumerate("abc")
    ]
    assert outcome.kept[0].prompt == asked[0].messages[0]["content"] == "What is tea?\nUse no commas."
    assert len({request.sampling.seed for request in asked}) == 3


def test_waves_go_on_only_where_both_kinds_of_answer_come(sandbox):
    fresh = [f"{kind}{n}" for n in range(40) for kind in ("no comma ", "a, comma ")]
    outcome, asked = run(sandbox, fresh, per_instruction=10, wave=4)
    assert len(outcome.kept) == len(asked) == 10
    assert [completion.sample for completion in outcome.kept] == list(range(10))
    assert len({request.sampling.seed for request in asked}) == 10
    _, asked = run(sandbox, fresh[::2], per_instruction=10, wave=4)
    assert len(asked) == 4
    _, asked = run(sandbox, fresh[::2], per_instruction=10, wave=4, min_contrast=0)
    assert len(asked) == 10
    _, asked = run(sandbox, fresh[::2], per_instruction=10, wave=None)
    assert len(asked) == 10


def test_truncated_answers_are_neither_kind(sandbox):
    _, asked = run(sandbox, ["a, b " * 20, "c"], per_instruction=12, wave=2, sampling={"max_tokens": 3})
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("passes", "worth"),
    [
        ([True] * 3, True),  # (0 + 1) / (3 + 2) is 0.2
        ([True] * 4, False),
        ([True] * 7 + [False], True),
        ([True] * 9 + [False], False),
        ([None] * 4, False),
        ([True, False] * 9, True),
    ],
)
def test_promising(passes, worth):
    assert promising(passes, CompletionsConfig(min_contrast=0.2)) is worth


def test_duplicates_empty_and_truncated_answers_are_dropped(sandbox):
    outcome, _ = run(sandbox, ["a", "a", " "], sampling={"max_tokens": 3})
    assert [drop.reason for drop in outcome.dropped] == ["duplicate", "empty"]
    outcome, _ = run(sandbox, ["long " * 40], sampling={"max_tokens": 3})
    assert {drop.reason for drop in outcome.dropped} == {"truncated"}


def test_an_answer_that_is_cut_in_a_loop_is_a_failing_one(sandbox):
    loop, cut = "You see a cat. " * 20, " ".join(map(str, range(60)))
    outcome, asked = run(sandbox, [loop, "a leaf", cut, "b"], per_instruction=4, wave=2, sampling={"max_tokens": 20})
    assert len(asked) == 4  # one passes and one fails, so there is a second wave
    assert [(kept.sample, kept.cut) for kept in outcome.kept] == [(0, True), (1, False), (3, False)]
    assert [drop.reason for drop in outcome.dropped] == ["truncated"]


def test_held_out_instructions_are_not_answered(sandbox):
    for split in ("heldout_query", "heldout_instruction"):
        outcome, asked = run(sandbox, ["a"], split)
        assert (outcome.kept, outcome.dropped, asked) == ((), (), [])


def test_a_shown_verifier_is_in_the_prompt_but_never_in_the_record(sandbox):
    outcome, asked = run(sandbox, ["a", "b", "c"], show_verifier=True)
    assert all(SOURCE in request.messages[0]["content"] for request in asked)
    assert all("evaluate" not in completion.model_dump_json() for completion in outcome.kept)


def test_cases_are_shown_where_no_answer_passes(sandbox):
    good = next(iter(CASES))
    replies = ["a, b", "b, c", "a leaf", "c, d", "a pot", f"You {good.lower()}", "a cup", "never asked"]
    outcome, asked = run(sandbox, replies, per_instruction=8, wave=2, show_cases=True)
    first, later = asked[:2], asked[2:]
    plain = {"role": "user", "content": "What is tea?\nUse no commas."}
    example = [{"role": "user", "content": "Use no commas."}, {"role": "assistant", "content": good}]
    assert all(request.messages == [plain] for request in first)
    assert all(request.messages == [*example, plain] for request in later)
    assert [drop.reason for drop in outcome.dropped] == ["copied"]
    assert [(kept.sample, kept.text) for kept in outcome.kept] == [
        (0, "a, b"), (1, "b, c"), (2, "a leaf"), (3, "c, d"), (4, "a pot"), (6, "a cup"), (7, "never asked")
    ]  # fmt: skip
    assert {kept.prompt for kept in outcome.kept} == {plain["content"]}


@pytest.mark.parametrize(
    ("replies", "plain", "shown"),
    [
        (["a, b", "a leaf", *(f"{n}, {n}" for n in range(6))], 8, 0),  # (1 + 1) / (6 + 2) pass
        ([f"{n}, {n}" for n in range(8)], 2, 4),  # (0 + 1) / (4 + 2) of those after a shown case are below 0.2
        ([f"leaf {n}" for n in range(8)], 4, 0),
    ],
)
def test_cases_are_shown_only_as_long_as_it_helps(sandbox, replies, plain, shown):
    _, asked = run(sandbox, replies, per_instruction=8, wave=2, show_cases=True)
    assert [len(request.messages) for request in asked] == [1] * plain + [3] * shown


def test_without_a_case_that_follows_nothing_more_is_asked(sandbox):
    lacking = verified().model_copy(update={"case_verdicts": (("FALSE", "FALSE", "FALSE"),)})
    _, asked = run(sandbox, [f"{n}, {n}" for n in range(8)], prompt=lacking, per_instruction=8, wave=4, show_cases=True)
    assert len(asked) == 4  # (0 + 1) / (4 + 2) pass


def test_an_error_reply_is_a_drop(sandbox):
    class Broken(ScriptedEngine):
        def generate(self, requests):
            for request in requests:
                yield Reply(request.id, "", "error", error="lost")

    config = parse_config({"completions": {"per_instruction": 1}}, "test")
    (outcome,) = completions(enumerate([(verified(), QUERY)]), config, Broken(["x"]), sandbox)
    assert [(drop.reason, drop.what["error"]) for drop in outcome.dropped] == [("empty", "lost")]


@pytest.mark.parametrize(
    ("instruction", "tokens"),
    [
        ("Keep your whole answer to at most 20 words.", 96),
        ("Be brief: one paragraph, no more than three sentences.", 316),
        ("It must fit into 80 characters, counting spaces.", 96),
        ("No shorter than 20 words and no longer than 40 words.", 176),
        ("None of your sentences may have more than 12 words.", None),
        ("End with a line of at most 5 words.", None),
        ("Use at least 50 words.", None),
        ("At most 5 words, or exactly 90 characters.", None),
        ("At most 5 lines.", None),
    ],
)
def test_an_upper_bound_in_the_instruction_caps_the_tokens(instruction, tokens):
    assert length_cap(instruction) == tokens
