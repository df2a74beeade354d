"""Stage 5: samples of the policy, and what is dropped of them."""

from autoif.config_file import parse_config
from autoif.engines.base import Reply
from autoif.engines.scripted import ScriptedEngine
from autoif.records import Instruction, Query, VerifiedInstruction, Verifier
from autoif.stages.completions import completions

QUERIES = tuple(Query.make(text=text, source="test") for text in ("What is tea?", "What is rice?"))
SOURCE = "def evaluate(response):\n    return ',' not in response\n"


def verified(split="train") -> VerifiedInstruction:
    instruction = Instruction.make(parent=QUERIES[0].id, text="Use no commas.", origin="model", queries=QUERIES)
    verifier = Verifier.make(parent=instruction.id, source=SOURCE, origin="model")
    return VerifiedInstruction.make(
        parent="c", instruction=instruction, verifiers=(verifier,), cases=(), explanation="kept", split=split
    )


def run(script, split="train", **wanted):
    config = parse_config({"completions": {"per_instruction": 3, **wanted}}, "test")
    asked = []

    def reply(request):
        asked.append(request)
        return script[(len(asked) - 1) % len(script)]

    (outcome,) = completions(enumerate([verified(split)]), config, ScriptedEngine(reply))
    return outcome, asked


def test_every_query_gets_its_samples():
    outcome, asked = run(["a", "b", "c"])
    assert [(c.query, c.text, c.sample) for c in outcome.kept] == [
        (query.text, text, n) for query in QUERIES for n, text in enumerate("abc")
    ]
    assert outcome.kept[0].prompt == asked[0].messages[0]["content"] == "What is tea?\nUse no commas."
    assert len({request.sampling.seed for request in asked}) == 6


def test_duplicates_empty_and_truncated_answers_are_dropped():
    outcome, _ = run(["a", "a", " "], sampling={"max_tokens": 3})
    assert [drop.reason for drop in outcome.dropped] == ["duplicate", "empty"] * 2
    outcome, _ = run(["long " * 40], sampling={"max_tokens": 3})
    assert {drop.reason for drop in outcome.dropped} == {"truncated"}


def test_held_out_instructions_are_not_answered():
    for split in ("heldout_query", "heldout_instruction"):
        outcome, asked = run(["a"], split)
        assert (outcome.kept, outcome.dropped, asked) == ((), (), [])


def test_a_shown_verifier_is_in_the_prompt_but_never_in_the_record():
    outcome, asked = run(["a", "b", "c"], show_verifier=True)
    assert all(SOURCE in request.messages[0]["content"] for request in asked)
    assert all("evaluate" not in completion.model_dump_json() for completion in outcome.kept)


def test_an_error_reply_is_a_drop():
    class Broken(ScriptedEngine):
        def generate(self, requests):
            for request in requests:
                yield Reply(request.id, "", "error", error="lost")

    config = parse_config({"completions": {"per_instruction": 1}}, "test")
    (outcome,) = completions(enumerate([verified()]), config, Broken(["x"]))
    assert [(drop.reason, drop.what["error"]) for drop in outcome.dropped] == [("empty", "lost")] * 2
