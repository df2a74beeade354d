"""The endpoint engine against a real HTTP server that misbehaves on purpose."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from bad_server import BROKEN, Act, Handler, Server, Time, answer, body, completion, hang, status

from autoif.config import EngineConfig
from autoif.engines import Request, Sampling
from autoif.engines.endpoints import LONGEST_PAUSE, pause
from autoif.engines.openai import OpenAIEngine
from autoif.errors import EngineError, EngineUnavailableError, InputError
from autoif.records import Usage


def _engine(server: Server, time: Time | None = None, **fields: Any) -> OpenAIEngine:
    settings: dict[str, Any] = {"concurrency": 4, "retries": 3, "timeout_seconds": 30.0, **fields}
    config = EngineConfig(engine="openai", model="m", base_url=server.url, api_key_env="NO_SUCH_KEY", **settings)
    time = time or Time()
    return OpenAIEngine(config, time.sleep, time.clock)


def _request(prompt: str, **fields: Any) -> Request:
    return Request(prompt, [{"role": "user", "content": prompt}], Sampling(seed=5), **fields)


def _ask(server: Server, prompt: str = "q", **fields: Any) -> Any:
    with _engine(server, **fields) as engine:
        [reply] = engine.generate([_request(prompt)])
    return reply


def test_a_reply_with_its_usage(server: Server) -> None:
    reply = _ask(server)
    assert (reply.id, reply.text, reply.finish, reply.error) == ("q", "re: q", "stop", None)
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (11, 7)


def test_the_request_carries_its_sampling(server: Server) -> None:
    sampling = Sampling(0.3, 0.8, 99, 12, ("END",))
    with _engine(server) as engine:
        next(engine.generate([Request("1", [{"role": "user", "content": "q\ud800"}], sampling, "ignored", {})]))
    [sent] = server.bodies
    assert sent == {
        "model": "m",
        "messages": [{"role": "user", "content": "q?"}],
        "temperature": 0.3,
        "top_p": 0.8,
        "max_tokens": 99,
        "seed": 12,
        "stop": ["END"],
    }


@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_try_is_followed_by_a_good_one(server: Server, name: str) -> None:
    server.acts["q"] = [BROKEN[name]]
    waits = name in ("hang", "drip")
    assert _ask(server, timeout_seconds=0.3 if waits else 30.0).text == "re: q"
    assert server.tries["q"] == 2


def test_twenty_percent_bad_replies_change_nothing(server: Server) -> None:
    kinds = [act for name, act in BROKEN.items() if name not in ("hang", "drip")]
    for n in range(0, 75, 5):
        server.acts[str(n)] = [kinds[n // 5 % len(kinds)]]
    with _engine(server, concurrency=16) as engine:
        replies = {reply.id: reply.text for reply in engine.generate(_request(str(n)) for n in range(75))}
    assert replies == {str(n): f"re: {n}" for n in range(75)}
    assert sum(server.tries[str(n)] for n in range(75)) == 75 + 15, (
        "a request that was answered is never paid for twice"
    )


def test_retry_after_is_respected(server: Server) -> None:
    server.acts["q"] = [status(429, {"Retry-After": "30"}), status(503, {"Retry-After": "nonsense"})]
    time = Time()
    _ask(server, time=time)
    assert 30.5 <= time.now <= 32, "30 seconds, then a pause of its own"


def test_retry_after_as_a_date_in_the_past_is_no_wait(server: Server) -> None:
    server.acts["q"] = [status(429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})]
    time = Time()
    _ask(server, time=time)
    assert 0.5 <= time.now <= 1


def test_pauses_double_with_jitter_up_to_a_limit() -> None:
    for attempt in (*range(1, 12), 10_000):
        full = min(LONGEST_PAUSE, 2 ** (attempt - 1))
        drawn = [pause(attempt) for _ in range(50)]
        assert all(full / 2 <= seconds <= full for seconds in drawn)
        assert len(set(drawn)) > 1


@pytest.mark.parametrize(
    ("code", "says"), [(400, "configuration"), (401, "NO_SUCH_KEY"), (403, "NO_SUCH_KEY"), (404, "base_url")]
)
def test_another_4xx_stops_at_once_in_one_sentence(server: Server, code: int, says: str) -> None:
    server.acts["q"] = [status(code)]
    with pytest.raises(EngineError, match=says) as caught:
        _ask(server)
    assert server.tries["q"] == 1
    assert "\n" not in str(caught.value)


def test_a_used_up_quota_is_not_tried_again(server: Server) -> None:
    server.acts["q"] = [status(429, message="insufficient_quota")]
    with pytest.raises(EngineError, match="quota"):
        _ask(server)
    assert server.tries["q"] == 1


def test_a_400_about_one_prompt_is_an_error_reply(server: Server) -> None:
    server.acts["q"] = [status(400, message="This model's maximum context length is 4096 tokens")]
    reply = _ask(server)
    assert reply.finish == "error"
    assert "maximum context length" in reply.error
    assert server.tries["q"] == 1


def test_replies_that_stay_broken_become_one_error_reply(server: Server) -> None:
    server.acts["q"] = [BROKEN["no choices"]] * 9
    reply = _ask(server)
    assert (reply.text, reply.finish) == ("", "error")
    assert "no choices" in reply.error
    assert server.tries["q"] == 4, "the first try and three more"


def test_a_request_that_fails_while_others_succeed_is_an_error_reply(server: Server) -> None:
    server.acts["bad"] = [status(500)] * 9
    with _engine(server, concurrency=2) as engine:
        replies = {r.id: r.finish for r in engine.generate(map(_request, ["bad", *map(str, range(9))]))}
    assert replies.pop("bad") == "error"
    assert set(replies.values()) == {"stop"}
    assert server.tries["bad"] == 4
    assert server.tries["Hi"] == 1, "something else was answered at that moment"


@pytest.mark.parametrize("probe", [503, 200])
def test_an_outage_stops_the_run_and_loses_nothing(server: Server, probe: int) -> None:
    """Also one in which small requests are answered and every real one is refused."""
    for prompt in (*map(str, range(5, 50)), *(["Hi"] if probe == 503 else [])):
        server.acts[prompt] = [status(503)] * 999
    replies: list[Any] = []
    with _engine(server, outage_minutes=5) as engine, pytest.raises(EngineError, match="run the same command again"):
        replies.extend(engine.generate(_request(str(n)) for n in range(50)))
    assert {reply.id: reply.finish for reply in replies} == {str(n): "stop" for n in range(5)}


def test_broken_replies_are_an_outage_when_nothing_else_is_answered(server: Server) -> None:
    """A proxy that says 200 to everything while what is behind it is gone."""
    for prompt, times in {"a": 2, "b": 2, "Hi": 10}.items():
        server.acts[prompt] = [body(b"<html>maintenance</html>")] * times
    with _engine(server, retries=1, outage_minutes=999) as engine:
        assert {r.id: r.text for r in engine.generate(map(_request, "ab"))} == {"a": "re: a", "b": "re: b"}


def test_what_thrown_away_replies_cost_is_counted_once(server: Server) -> None:
    costly = body({**completion("x"), "choices": []})
    server.acts["q"] = [costly, status(500), costly]
    with _engine(server) as engine:
        first, second = engine.generate([_request("q")]), engine.generate([_request("p")])
        replies = [*first, *second]
    assert [reply.usage for reply in replies] == [Usage(11, 7)] * 2
    assert [reply.spent for reply in replies] == [Usage(33, 21), Usage(11, 7)]


def test_a_lost_reply_costs_what_its_tries_and_the_probe_cost(server: Server) -> None:
    server.acts["q"] = [body({**completion("x"), "choices": []})] * 9
    reply = _ask(server)
    assert reply.finish == "error"
    assert reply.spent == Usage(5 * 11, 5 * 7)


def test_answers_under_way_are_yielded_before_an_error(server: Server) -> None:
    refused = threading.Event()

    def refuse(handler: Handler) -> None:
        status(401)(handler)
        refused.set()

    def late(handler: Handler) -> None:
        refused.wait(20)
        answer("paid for")(handler)

    server.acts = {"bad": [refuse], "late": [late]}
    replies: list[Any] = []
    with _engine(server) as engine, pytest.raises(EngineError, match="NO_SUCH_KEY"):
        replies.extend(engine.generate(map(_request, ["late", "bad"])))
    assert [reply.text for reply in replies] == ["paid for"]


@pytest.mark.parametrize(
    ("act", "text", "finish"),
    [
        (answer(None, refusal="I cannot help."), "I cannot help.", "stop"),
        (answer(None), "", "stop"),
        (answer(""), "", "stop"),
        (answer("cut", "length"), "cut", "length"),
        (answer([{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}, 3]), "in parts", "stop"),
        (answer("a\ud800b"), "a?b", "stop"),
    ],
)
def test_what_the_model_says_is_a_reply(server: Server, act: Act, text: str, finish: str) -> None:
    server.acts["q"] = [act]
    reply = _ask(server)
    assert (reply.text, reply.finish) == (text, finish)
    assert server.tries["q"] == 1


def test_missing_or_odd_usage_counts_nothing(server: Server) -> None:
    server.acts["q"] = [body({**completion("x"), "usage": {"prompt_tokens": "many", "completion_tokens": -1}})]
    server.acts["p"] = [body({**completion("x"), "usage": None})]
    for prompt in "qp":
        assert _ask(server, prompt).usage.prompt_tokens == 0


def test_the_key_comes_from_the_named_variable_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not this one")
    monkeypatch.setenv("MY_KEY", "secret")
    _ask(server)
    assert server.keys == {"Bearer none"}
    with OpenAIEngine(EngineConfig(engine="openai", base_url=server.url, api_key_env="MY_KEY")) as engine:
        next(engine.generate([_request("q")]))
    assert server.keys == {"Bearer none", "Bearer secret"}


def test_requests_run_at_once_and_are_pulled_as_room_comes(server: Server) -> None:
    together = threading.Barrier(3, timeout=20)
    pulled = 0

    def meet(handler: Handler) -> None:
        together.wait()
        answer("met")(handler)

    def source() -> Iterator[Request]:
        nonlocal pulled
        for n in range(30):
            server.acts[str(n)] = [meet]
            pulled += 1
            yield _request(str(n))

    with _engine(server, concurrency=3) as engine:
        for received, reply in enumerate(engine.generate(source()), 1):
            assert reply.text == "met"
            assert pulled - received <= 2


def test_leaving_early_cancels_what_is_under_way(server: Server) -> None:
    server.acts["slow"] = [hang]
    with _engine(server) as engine:
        replies = engine.generate([_request("slow"), _request("quick")])
        assert next(replies).id == "quick"
        replies.close()
    assert not engine.thread.is_alive()
    engine.close()


def test_prefill_and_schema_are_used_when_the_server_knows_them(server: Server) -> None:
    schema = {"type": "object"}
    with _engine(server, options={"prefill": True, "json_schema": True}) as engine:
        assert engine.supports_prefill
        assert engine.supports_schema
        next(engine.generate([_request("q", prefill="def f(", schema=schema)]))
    [sent] = server.bodies
    assert sent["messages"][-1] == {"role": "assistant", "content": "def f("}
    assert (sent["continue_final_message"], sent["add_generation_prompt"]) == (True, False)
    assert sent["response_format"]["json_schema"]["schema"] == schema


@pytest.mark.parametrize("url", ["http://[broken", "localhost", "http://no.such.host.invalid/v1"])
def test_an_address_of_nothing_is_one_sentence(url: str) -> None:
    with pytest.raises(EngineUnavailableError, match="correct base_url"):
        OpenAIEngine(EngineConfig(engine="openai", base_url=url))


def test_no_server_is_one_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(EngineUnavailableError, match="No server answers"):
            OpenAIEngine(EngineConfig(engine="openai", base_url=url))


def test_a_missing_key_or_a_wrong_option_is_one_sentence(server: Server) -> None:
    with pytest.raises(EngineUnavailableError, match="NO_SUCH_KEY"):
        OpenAIEngine(EngineConfig(engine="openai", api_key_env="NO_SUCH_KEY"))
    with pytest.raises(InputError, match="prefill, json_schema"):
        _engine(server, options={"prefil": True})
