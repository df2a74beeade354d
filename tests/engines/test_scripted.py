"""The scripted engine, by itself and from a configuration."""

import json
from pathlib import Path

import pytest

from autoif.config import EngineConfig
from autoif.engines import Request, Sampling, load_engine
from autoif.engines.scripted import ScriptedEngine
from autoif.errors import EngineError, InputError


def _requests(count: int, **sampling: object) -> list[Request]:
    return [Request(str(n), [{"role": "user", "content": f"question {n}"}], Sampling(**sampling)) for n in range(count)]


def test_a_queue_is_used_in_order_and_from_its_start_again() -> None:
    assert [r.text for r in ScriptedEngine(["a", "b"]).generate(_requests(3))] == ["a", "b", "a"]


def test_usage_counts_four_characters_a_token() -> None:
    [reply] = ScriptedEngine(["12345"]).generate(_requests(1))
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (3, 2)


def test_max_tokens_and_stop_strings_end_a_reply() -> None:
    [cut] = ScriptedEngine(["x" * 100]).generate(_requests(1, max_tokens=5))
    assert (len(cut.text), cut.finish, cut.usage.completion_tokens) == (20, "length", 5)
    [stopped] = ScriptedEngine(["one END two"]).generate(_requests(1, stop=("END",)))
    assert (stopped.text, stopped.finish) == ("one ", "stop")


def test_faults_come_on_demand() -> None:
    engine = ScriptedEngine(["abcd"], error_every=3, cut_every=2, fail_after=6)
    replies = engine.generate(_requests(7))
    assert [next(replies).finish for _ in range(6)] == ["stop", "length", "error", "length", "stop", "error"]
    with pytest.raises(EngineError, match="after 6 replies"):
        next(replies)


def test_shuffled_order_answers_all_and_repeats_with_its_seed() -> None:
    def order(seed: int) -> list[str]:
        return [reply.id for reply in ScriptedEngine(["x"], window=8, seed=seed).generate(_requests(50))]

    assert order(1) == order(1) != order(2)
    assert sorted(order(1), key=int) == [str(n) for n in range(50)] != order(1)


def test_a_lone_surrogate_does_not_get_out() -> None:
    [reply] = ScriptedEngine(["a\udcffb"]).generate(_requests(1))
    assert reply.text == "a?b"


def test_a_reply_follows_from_the_request_so_that_a_resumed_run_gets_the_same() -> None:
    config = EngineConfig(engine="scripted", options={"replies": ["a", "b", "c"]})
    whole = [reply.text for reply in load_engine(config).generate(_requests(20))]
    rest = [reply.text for reply in load_engine(config).generate(_requests(20)[10:])]
    assert whole[10:] == rest
    assert set(whole) == {"a", "b", "c"}


def test_echo() -> None:
    config = EngineConfig(engine="scripted", options={"echo": True})
    assert [r.text for r in load_engine(config).generate(_requests(2))] == ["question 0", "question 1"]


def test_rules_from_a_file(tmp_path: Path) -> None:
    rules = [{"when": ["question", "1"], "replies": ["one"]}, {"replies": ["other"]}]
    path = tmp_path / "rules.jsonl"
    path.write_text("\n".join(map(json.dumps, rules)))
    config = EngineConfig(engine="scripted", options={"replies_file": str(path)})
    assert [r.text for r in load_engine(config).generate(_requests(3))] == ["other", "one", "other"]


@pytest.mark.parametrize(
    ("text", "says"), [("not json", "line 1"), ('{"replies": []}', "line 1"), ('\n{"reply": "x"}', "line 2")]
)
def test_a_broken_rule_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "rules.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        load_engine(EngineConfig(engine="scripted", options={"replies_file": str(path)}))


@pytest.mark.parametrize("options", [{"answers": ["x"]}, {"window": 0}, {"replies_file": "/no/such/file"}])
def test_a_wrong_option_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        load_engine(EngineConfig(engine="scripted", options=options))


def test_the_built_in_script_has_a_verifier_a_case_and_an_instruction() -> None:
    def answer(text: str) -> str:
        engine = load_engine(EngineConfig(engine="scripted"))
        return next(engine.generate([Request("", [{"role": "user", "content": text}])])).text

    assert "def evaluate" in answer("Use lowercase letters only. Write `evaluate(response: str) -> bool`.")
    cases = [json.loads(line) for line in answer('lowercase letters only: "response", "follows"').splitlines()]
    assert {case["follows"] for case in cases} == {True, False}
    assert answer("What is the capital of France?")
