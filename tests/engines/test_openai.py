"""The endpoint engine against a real HTTP server that misbehaves on purpose."""

import asyncio
import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from autoif.config import EngineConfig
from autoif.engines import Request, Sampling
from autoif.engines.openai import LONGEST_PAUSE, OpenAIEngine, _pause
from autoif.errors import EngineError, EngineUnavailableError, InputError

Act = Callable[["Handler"], None]


class Server(ThreadingHTTPServer):
    """Plays the acts given for a prompt, one a try, and answers properly after the last."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.acts: dict[str, list[Act]] = {}
        self.tries: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.lock = threading.Lock()
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the play."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send(200, {"object": "list", "data": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][0]["content"]
        with self.server.lock:
            self.server.bodies.append(body)
            self.server.keys.add(self.headers["Authorization"])
            number = self.server.tries[prompt]
            self.server.tries[prompt] += 1
        acts = self.server.acts.get(prompt, [])
        (acts[number] if number < len(acts) else answer(f"re: {prompt}"))(self)

    def send(self, status: int, body: Any, headers: dict[str, str] | None = None, missing: int = 0) -> None:
        """`missing`: that many bytes of what was promised never come."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[: len(data) - missing])


def completion(text: Any, finish: str = "stop", **message: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "object": "chat.completion",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }


def answer(text: Any, finish: str = "stop", **message: Any) -> Act:
    return lambda handler: handler.send(200, completion(text, finish, **message))


def status(code: int, headers: dict[str, str] | None = None, message: str = "no") -> Act:
    return lambda handler: handler.send(code, {"error": {"message": message, "code": message}}, headers)


def body(data: Any, missing: int = 0) -> Act:
    return lambda handler: handler.send(200, data, missing=missing)


def reset(handler: Handler) -> None:
    """Hangs up with RST instead of FIN."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def hang(handler: Handler) -> None:
    handler.server.over.wait(20)


def drip(handler: Handler) -> None:
    """A byte now and then, so that no read ever times out."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.server.over.wait(0.02):
        handler.wfile.write(b" ")


BROKEN: dict[str, Act] = {
    "429": status(429, {"Retry-After": "3"}),
    "500": status(500),
    "503": status(503),
    "408": status(408),
    "reset": reset,
    "hang": hang,
    "drip": drip,
    "truncated": body(completion("x"), missing=20),
    "half": body(json.dumps(completion("x")).encode()[:40]),
    "not utf-8": body(b"\xff\xfe\x00"),
    "deep": body(b"[" * 100_000),
    "no choices": body({"choices": []}),
    "null choices": body({"choices": None}),
    "odd choices": body({"choices": [None]}),
    "no message": body({"choices": [{"finish_reason": "stop"}]}),
    "error body": body({"error": {"message": "overloaded"}}),
    "a list": body([1, 2]),
}


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


class Pauses(list[float]):
    """Stands for asyncio.sleep: notes how long, and does not wait."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def _engine(server: Server, pauses: Pauses | None = None, **fields: Any) -> OpenAIEngine:
    settings: dict[str, Any] = {"concurrency": 4, "retries": 3, "timeout_seconds": 30.0, **fields}
    config = EngineConfig(engine="openai", model="m", base_url=server.url, api_key_env="NO_SUCH_KEY", **settings)
    return OpenAIEngine(config, sleep=Pauses() if pauses is None else pauses)


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
    assert sum(server.tries.values()) == 75 + 15, "a request that was answered is never paid for twice"


def test_retry_after_is_respected(server: Server) -> None:
    server.acts["q"] = [status(429, {"Retry-After": "30"}), status(503, {"Retry-After": "nonsense"})]
    pauses = Pauses()
    _ask(server, pauses=pauses)
    assert pauses[0] == 30
    assert 1 <= pauses[1] <= 2


def test_retry_after_as_a_date_in_the_past_is_no_wait(server: Server) -> None:
    server.acts["q"] = [status(429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})]
    pauses = Pauses()
    _ask(server, pauses=pauses)
    assert 0.5 <= pauses[0] <= 1


def test_pauses_double_with_jitter_up_to_a_limit() -> None:
    for attempt in range(1, 12):
        full = min(LONGEST_PAUSE, 2 ** (attempt - 1))
        drawn = [_pause(attempt, 0) for _ in range(50)]
        assert all(full / 2 <= pause <= full for pause in drawn)
        assert len(set(drawn)) > 1
    assert _pause(1, 1e9) == 10 * LONGEST_PAUSE


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

        async def until_another_is_answered(_: float) -> None:
            seen = engine.answered
            while engine.answered == seen:
                await asyncio.sleep(0)

        engine.sleep = until_another_is_answered
        replies = {r.id: r.finish for r in engine.generate(map(_request, ["bad", *map(str, range(9))]))}
    assert replies.pop("bad") == "error"
    assert set(replies.values()) == {"stop"}


def test_an_outage_stops_the_run_and_loses_nothing(server: Server) -> None:
    for n in range(5, 50):
        server.acts[str(n)] = [status(503)] * 99
    replies: list[Any] = []
    with _engine(server, retries=20) as engine, pytest.raises(EngineError, match="is down"):
        replies.extend(engine.generate(_request(str(n)) for n in range(50)))
    assert {reply.id: reply.finish for reply in replies} == {str(n): "stop" for n in range(5)}


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
