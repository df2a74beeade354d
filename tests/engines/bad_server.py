"""A real HTTP server that speaks the OpenAI protocol and misbehaves on purpose, and a clock that nobody waits for."""

import asyncio
import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Act = Callable[["Handler"], None]


class Server(ThreadingHTTPServer):
    """Plays the acts given for a prompt, one a try, and answers properly after the last."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.acts: dict[str, list[Act]] = {}
        self.tries: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.lock = threading.Lock()
        self.over = threading.Event()

        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """May be called again, and from within an act."""
        self.over.set()
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def act(self, body: dict[str, Any]) -> Act:
        """What to do about a request."""
        prompt = body["messages"][0]["content"]
        with self.lock:
            number = self.tries[prompt]
            self.tries[prompt] += 1
        acts = self.acts.get(prompt, [])
        return acts[number] if number < len(acts) else answer(f"re: {prompt}")

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
        with self.server.lock:
            self.server.bodies.append(body)
            self.server.keys.add(self.headers["Authorization"])
        self.server.act(body)(self)

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


class Time:
    """Stands for asyncio.sleep and the clock: notes how long, and lets that time pass at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def clock(self) -> float:
        return self.now
