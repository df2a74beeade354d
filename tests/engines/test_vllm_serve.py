"""Two real vLLM servers behind one role, as on two machines. Skipped where vLLM is not installed."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from autoif import chat
from autoif.config import EngineConfig
from autoif.engines import Reply, Request, Sampling, load_engine
from autoif.records import Usage
from autoif.stages.verifiers import PREFILL

pytestmark = pytest.mark.skipif(
    util.find_spec("vllm") is None, reason="vllm is not installed: pip install 'autoif[vllm]'"
)

SECONDS = 600
"""How long a server may take to start: two at once on a busy machine."""
SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}


class Server:
    """What `vllm serve` starts, in a process group of its own."""

    def __init__(self, model: Path, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self.log = log
        line = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--served-model-name", "tiny"]
        line += ["--model", str(model), "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"]
        line += ["--enforce-eager", "--max-num-seqs", "8", "--generation-config", "vllm"]
        line += ["--default-chat-template-kwargs", json.dumps({"date_string": chat.DATE})]
        with log.open("wb") as said:
            self.process = subprocess.Popen(line, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)

    def wait(self) -> None:
        end = time.monotonic() + SECONDS
        while not self._healthy():
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < end, self.log.read_text()[-3000:]
            time.sleep(0.5)

    def _healthy(self) -> bool:
        try:
            return bool(urlopen(f"{self.address}/health").status == 200)
        except URLError:
            return False

    def answered(self) -> int:
        metrics = urlopen(f"{self.address}/metrics").read().decode()
        counts = re.findall(r"^vllm:request_success_total\{.*\} (\S+)$", metrics, re.MULTILINE)
        return int(sum(map(float, counts)))

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def servers(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    logs = tmp_path_factory.mktemp("vllm_serve")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        servers = [Server(tiny_llama, logs / f"{n}.log") for n in range(2)]
    try:
        for server in servers:
            server.wait()
        yield servers
    finally:
        for server in servers:
            server.kill()


def _engine(servers: list[Server]) -> Any:
    options = {"prefill": True, "json_schema": True}
    urls = tuple(f"{server.address}/v1" for server in servers)
    config = {"base_url": urls, "api_key_env": "NO_SUCH_KEY", "concurrency": 8, "options": options}
    return load_engine(EngineConfig(engine="openai", model="tiny", **config))


def _request(id: str, text: str = "Hello", prefill: str = "", schema: Any = None, **sampling: Any) -> Request:
    settings: dict[str, Any] = {"temperature": 0.0, "max_tokens": 6, **sampling}
    return Request(id, [{"role": "user", "content": text}], Sampling(**settings), prefill, schema)


def _asked() -> Iterator[Request]:
    """All greedy, so that every engine must say the same: plain ones, some with a prefill, one that does not fit."""
    for n in range(12):
        yield _request(f"plain {n}", "Hello " * n, max_tokens=4 + n)
        yield _request(f"prefill {n}", f"Say {n}", PREFILL, max_tokens=8)
    yield _request("long", "x" * 600)


def _replies(engine: Any) -> dict[str, Reply]:
    return {reply.id: reply for reply in engine.generate(_asked())}


def test_two_servers_share_the_requests_and_say_what_the_engine_in_this_process_says(
    servers: list[Server], tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [server.answered() for server in servers]
    with _engine(servers) as engine:
        served = _replies(engine)
    shares = [server.answered() - count for server, count in zip(servers, before, strict=True)]
    assert min(shares) > 0
    assert sum(shares) == 24, "the one that does not fit is refused, once"
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    options = {"max_model_len": 512, "enforce_eager": True}
    config = EngineConfig(engine="vllm", model=str(tiny_llama), dtype="float32", concurrency=8, options=options)
    with load_engine(config) as engine:
        local = _replies(engine)
    long, refused = served.pop("long"), local.pop("long")
    assert served == local, "texts, finishes and usage"
    assert long.finish == refused.finish == "error"
    assert "maximum context length" in str(long.error)


def test_a_schema_binds_the_reply_and_a_seed_repeats_it(servers: list[Server]) -> None:
    drawn = {"temperature": 1.0, "max_tokens": 200}  # random weights like white space
    with _engine(servers) as engine:
        asked = [_request(str(n), schema=SCHEMA, seed=3 + n // 2, **drawn) for n in range(6)]
        replies = {reply.id: reply.text for reply in engine.generate(asked)}
    assert all(isinstance(json.loads(text)["ok"], bool) for text in replies.values())
    assert [replies[str(n)] for n in (0, 2, 4)] == [replies[str(n)] for n in (1, 3, 5)]


def test_a_server_killed_in_the_middle_loses_nothing(
    servers: list[Server], tokenizer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    lasting, dying = servers
    asked = {str(n): _request(str(n), "Hello " * (n % 7), max_tokens=10 + 5 * (n % 4)) for n in range(40)}
    replies = []
    with _engine([lasting, dying]) as engine:
        for reply in engine.generate(asked.values()):
            replies.append(reply)
            if len(replies) == 10:
                assert engine.pool.endpoints[1].busy, "it has requests under way"
                dying.kill()
    assert sorted(reply.id for reply in replies) == sorted(asked)
    for reply in replies:
        request = asked[reply.id]
        prompt = chat.encode(tokenizer, chat.render(tokenizer, request.messages))
        assert (reply.usage, reply.error) == (Usage(len(prompt), request.sampling.max_tokens), None)
    assert f"{dying.address}/v1 does not answer" in caplog.text
