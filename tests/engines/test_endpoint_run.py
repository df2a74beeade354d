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


Serve = Callable[..., ModelServer]


def run(folder: Path, *servers: Server) -> int:
    """The exit status of the last stage that ran. Pauses are a thousand times shorter than they are."""
    engine = {
        "engine": "openai",
        "model": "m",
        "base_url": [server.url for server in servers],
        "api_key_env": "NO_SUCH_KEY",
        "outage_minutes": 0.001,
        "concurrency": 6,
    }
    content = {
        "queries": {"limit": 6},
        "writer": engine,
        "policy": engine,
        "crosscheck": {"method": "votes"},
        "completions": {"per_instruction": 4, "wave": 2},
        "scores": {"quality": True},
        "sandbox": {"workers": 1},
    }
    config = folder.with_suffix(".yaml")
    config.write_text(yaml.safe_dump(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(endpoints, "FIRST_PAUSE", 0.001)
        try:
            for stage in STAGES:
                patch.setattr("sys.argv", ["autoif", stage, str(config), "--run", str(folder)])
                cli.main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def files(folder: Path) -> dict[str, bytes]:
    """Everything but what tells of time and cost."""
    found = (path for path in folder.glob("0*/*") if path.name != "stats.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def spent(folder: Path) -> int:
    stats = [json.loads(path.read_text()) for path in folder.glob("0*/stats.json")]
    return sum(stage["prompt_tokens"] + stage["completion_tokens"] for stage in stats)


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    started: list[ModelServer] = []

    def start(**options: Any) -> ModelServer:
        started.append(ModelServer(**options))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="module")
def good(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], Counter[str]]:
    """The files of a run without faults, and what was asked."""
    folder, server = tmp_path_factory.mktemp("good") / "run", serve()
    assert run(folder, server) == 0
    assert spent(folder) == server.charged
    made = files(folder)
    assert made["07_pairs/records.jsonl"]
    assert {Path(name).name for name in made} == {"records.jsonl", "dropped.jsonl", "done"}
    assert set(server.answered.values()) == {1}
    return made, server.answered


def test_a_fifth_of_all_replies_bad_changes_no_byte(serve: Serve, good: Any, tmp_path: Path) -> None:
    made, asked = good
    server = serve(faulty=True)
    assert run(tmp_path / "run", server) == 0
    assert files(tmp_path / "run") == made
    assert server.answered == asked, "nothing is paid for twice"
    assert server.tries.total() > 1.1 * asked.total()
    assert spent(tmp_path / "run") == server.charged


def test_one_of_two_servers_dies(serve: Serve, good: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made, asked = good
    lasting, dying = serve(), serve(dies_after=asked.total() // 4)
    assert run(tmp_path / "run", dying, lasting) == 0
    assert files(tmp_path / "run") == made
    assert lasting.answered + dying.answered == asked
    assert dying.answered.total() == asked.total() // 4
    assert f"{dying.url} does not answer" in caplog.text
    assert spent(tmp_path / "run") == lasting.charged + dying.charged


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_an_outage_ends_the_run_and_the_same_command_continues_it(
    serve: Serve, good: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], share: float
) -> None:
    made, asked = good
    first = serve(dies_after=int(asked.total() * share))
    assert run(tmp_path / "run", first) == 1
    said = capsys.readouterr().err
    assert "No answer since" in said
    assert "run the same command again to continue" in said
    second = serve(port=first.server_address[1])
    assert run(tmp_path / "run", second) == 0
    assert files(tmp_path / "run") == made
    assert first.answered + second.answered == asked, "also what inputs still open were told is not asked again"
    assert spent(tmp_path / "run") == first.charged + second.charged
