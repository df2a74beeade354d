"""Stages 1 to 7 through the command line against real servers: whatever these do, the files come out the same."""

import json
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from bad_server import BROKEN, Act, Handler, Server, body, completion, reset

from autoif import cli
from autoif.config import EngineConfig
from autoif.engines import Request, Sampling, endpoints
from autoif.engines.scripted import load_scripted

STAGES = ("queries", "instructions", "verifiers", "crosscheck", "completions", "scores", "pairs")
FAULTS = [*(act for name, act in BROKEN.items() if name not in ("hang", "drip", "429")), None]
"""None: a reply without choices that has its price all the same."""


class ModelServer(Server):
    """Answers like the scripted engine: the same body gets the same reply. Knows what it was paid for.

    `faulty`: a fifth of the bodies get a bad reply first. `dies_after`: so many answers.
    """

    def __init__(self, port: int = 0, faulty: bool = False, dies_after: int = 10**9) -> None:
        super().__init__(port)
        self.engine = load_scripted(EngineConfig(engine="scripted"))
        self.faulty = faulty
        self.dies_after = dies_after
        self.answered: Counter[str] = Counter()
        self.charged = 0
        self.turn = threading.Lock()

    def act(self, body: dict[str, Any]) -> Act:
        asked = json.dumps(body)
        with self.turn:
            self.tries[asked] += 1
            draw = zlib.crc32(asked.encode())
            if self.faulty and self.tries[asked] == 1 and draw % 5 == 0:
                return FAULTS[draw // 5 % len(FAULTS)] or self._costly()
            if self.answered.total() >= self.dies_after:
                return _die
            return self._answer(asked, body)

    def _costly(self) -> Act:
        self.charged += 18
        return body({**completion("x"), "choices": []})

    def _answer(self, asked: str, sent: dict[str, Any]) -> Act:
        sampling = Sampling(max_tokens=sent["max_tokens"], seed=sent["seed"])
        [reply] = self.engine.generate([Request("", sent["messages"], sampling)])
        said = completion(reply.text, reply.finish)
        said["usage"] = {
            "prompt_tokens": reply.usage.prompt_tokens,
            "completion_tokens": reply.usage.completion_tokens,
        }
        self.answered[asked] += 1
        self.charged += sum(said["usage"].values())
        return body(said)


def _die(handler: Handler) -> None:
    handler.server.stop()
    reset(handler)


Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the stages into a folder and gives the exit status of the last one that ran."""
    monkeypatch.setattr(endpoints, "FIRST_PAUSE", 0.001)
    config = tmp_path / "endpoint.yaml"

    def all_stages(folder: Path, *servers: Server) -> int:
        engine = {
            "engine": "openai",
            "model": "m",
            "base_url": [server.url for server in servers],
            "api_key_env": "NO_SUCH_KEY",
            "outage_minutes": 0.001,
            "concurrency": 6,
        }
        content = {
            "queries": {"limit": 12},
            "writer": engine,
            "policy": engine,
            "completions": {"per_instruction": 6, "wave": 3},
            "scores": {"quality": True},
        }
        config.write_text(yaml.safe_dump(content))
        try:
            for stage in STAGES:
                monkeypatch.setattr("sys.argv", ["autoif", stage, str(config), "--run", str(folder)])
                cli.main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    return all_stages


def files(folder: Path) -> dict[str, bytes]:
    """Everything but what tells of time and cost."""
    found = (path for path in folder.glob("0*/*") if path.name != "stats.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def spent(folder: Path) -> int:
    stats = [json.loads(path.read_text()) for path in folder.glob("0*/stats.json")]
    return sum(stage["prompt_tokens"] + stage["completion_tokens"] for stage in stats)


@pytest.fixture
def serve() -> Iterator[Callable[..., ModelServer]]:
    started: list[ModelServer] = []

    def start(**options: Any) -> ModelServer:
        started.append(ModelServer(**options))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def test_faults_and_outages_change_no_byte_and_nothing_is_paid_for_twice(
    run: Run,
    serve: Callable[..., ModelServer],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    good = serve()
    assert run(tmp_path / "good", good) == 0, capsys.readouterr().err
    asked = good.answered
    assert set(asked.values()) == {1}
    assert spent(tmp_path / "good") == good.charged
    assert files(tmp_path / "good")["07_pairs/records.jsonl"]

    faulty = serve(faulty=True)
    assert run(tmp_path / "faulty", faulty) == 0, capsys.readouterr().err
    assert files(tmp_path / "faulty") == files(tmp_path / "good")
    assert faulty.answered == asked
    assert faulty.tries.total() > 1.15 * asked.total()
    assert spent(tmp_path / "faulty") == faulty.charged > good.charged

    lasting, dying = serve(), serve(dies_after=asked.total() // 4)
    assert run(tmp_path / "two", lasting, dying) == 0, capsys.readouterr().err
    assert files(tmp_path / "two") == files(tmp_path / "good")
    assert lasting.answered + dying.answered == asked
    assert dying.answered.total() == asked.total() // 4
    assert f"{dying.url} does not answer" in caplog.text

    first = serve(dies_after=asked.total() * 2 // 3)
    assert run(tmp_path / "outage", first) == 1
    assert "run the same command again to continue" in capsys.readouterr().err
    assert list((tmp_path / "outage").glob("0*/replies")), "the answers of inputs that are not complete"
    second = serve(port=first.server_address[1])
    assert run(tmp_path / "outage", second) == 0, capsys.readouterr().err
    assert files(tmp_path / "outage") == files(tmp_path / "good")
    assert first.answered + second.answered == asked
    assert spent(tmp_path / "outage") == first.charged + second.charged
