"""A run on a real Ray cluster of several nodes, some of which are lost on the way: the records are the local ones."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from bad_server import BROKEN, Server, answer, status
from rich.console import Console
from test_endpoint_run import ModelServer, files, spent

from autoif import pipeline, runner
from autoif.config import EngineConfig, RayConfig
from autoif.config_file import load_config
from autoif.engines import Request, Sampling, ray_http
from autoif.engines.ray import RayEngine
from autoif.errors import EngineError, EngineUnavailableError, InputError
from autoif.sandbox import Job, Sandbox
from autoif.sandbox.cluster import ClusterSandbox

ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'autoif[ray]'")

STAGES = list(pipeline.STAGES)[:7]


class Cluster:
    """A head without CPUs, which the driver is connected to, and nodes of one CPU each."""

    def __init__(self, nodes: int) -> None:
        from ray.cluster_utils import Cluster as Nodes

        self.nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        self.address = self.nodes.address
        self.workers = [self.nodes.add_node(num_cpus=1, wait=False) for _ in range(nodes)]
        self.nodes.wait_for_nodes(120)
        ray.init(address=self.address, log_to_driver=False, logging_level="ERROR")

    def kill_a_node(self) -> None:
        self.nodes.remove_node(self.workers.pop(0), allow_graceful=False)

    def restore(self) -> None:
        while len(self.workers) < 2:
            self.workers.append(self.nodes.add_node(num_cpus=1))


@pytest.fixture(scope="module")
def started() -> Iterator[Cluster]:
    """Workers at normal priority and only when they are needed: this is one machine."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("worker_niceness", "enable_worker_prestart", "prestart_worker_first_driver"):
            environment.setenv(f"RAY_{name}", "0")
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = Cluster(2)
        yield cluster
        ray.shutdown()
        cluster.nodes.shutdown()


@pytest.fixture
def cluster(started: Cluster) -> Cluster:
    started.restore()
    return started


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


def _engine(cluster: Cluster, server: Server, **fields: Any) -> RayEngine:
    settings: dict[str, Any] = {"concurrency": 6, "retries": 1, **fields}
    config = EngineConfig(engine="openai", model="m", base_url=server.url, api_key_env="NO_SUCH_KEY", **settings)
    return RayEngine(config, RayConfig(address=cluster.address))


def _request(prompt: str, **fields: Any) -> Request:
    return Request(prompt, [{"role": "user", "content": prompt}], Sampling(seed=5), **fields)


def _config(folder: Path, server: Server, **fields: Any) -> Path:
    engine = {"engine": "openai", "model": "m", "base_url": server.url, "api_key_env": "NO_SUCH_KEY", "concurrency": 6}
    content = {
        "queries": {"limit": 10},
        "writer": engine,
        "policy": engine,
        "completions": {"per_instruction": 6, "wave": 3},
        "sandbox": {"workers": 1},
        **fields,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def _run(config: Path, folder: Path) -> Path:
    with runner.opened(load_config(config, (f"run={folder}",)), Console(quiet=True)) as run:
        for name in STAGES:
            pipeline.STAGES[name](run)
    return folder


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, server = tmp_path_factory.mktemp("local"), ModelServer()
    run = _run(_config(folder, server), folder / "run")
    server.stop()
    return run


def test_a_run_that_loses_a_node_and_meets_bad_replies_keeps_the_local_records(
    cluster: Cluster, local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_http, "FIRST_PAUSE", 0.01)
    server = ModelServer(faulty=True)
    half = threading.Thread(target=_when_answered, args=(server, 60, cluster.kill_a_node))
    half.start()
    run = _run(_config(tmp_path, server, executor="ray", ray={"address": cluster.address}), tmp_path / "run")
    half.join()
    server.stop()
    assert files(run) == files(local)
    assert len(cluster.workers) == 1, "the node was lost before the run ended"
    assert spent(run) <= server.charged, "a reply lost with its node was paid for, and is counted nowhere"
    assert max(server.answered.values()) <= 2


def _when_answered(server: ModelServer, count: int, act: Any) -> None:
    while server.answered.total() < count:
        time.sleep(0.05)
    act()


def test_a_killed_driver_goes_on_where_it_was(cluster: Cluster, local: Path, tmp_path: Path) -> None:
    server = ModelServer()
    config = _config(tmp_path, server, executor="ray", ray={"address": cluster.address})
    line = [sys.executable, "-m", "autoif.cli", "run", str(config), "--run", str(tmp_path / "run")]
    first = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    _when_answered(server, 60, lambda: os.killpg(first.pid, signal.SIGKILL))
    assert first.wait() == -signal.SIGKILL
    paid = server.answered.total()
    run = _run(config, tmp_path / "run")
    server.stop()
    assert files(run) == files(local)
    assert server.answered.total() - paid < len(server.answered), "what was answered before was not all asked again"


def test_bad_rows_are_error_replies_and_the_rest_goes_on(
    cluster: Cluster, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_http, "FIRST_PAUSE", 0.01)
    server.acts["long"] = [status(400, message="This model's maximum context length is 4096 tokens")]
    server.acts["bad"] = [BROKEN["no choices"]] * 9
    server.acts["cut"] = [answer("half", "length")]
    server.acts["once"] = [BROKEN["reset"]]
    with _engine(cluster, server) as engine:
        names = ["long", "bad", "cut", "once", *map(str, range(20))]
        replies = {reply.id: reply for reply in engine.generate(map(_request, names))}
        again = [reply.text for reply in engine.generate([_request("again")])]
    assert sorted(replies) == sorted(names)
    assert "maximum context length" in str(replies["long"].error)
    assert "no choices" in str(replies["bad"].error)
    assert (replies["cut"].text, replies["cut"].finish) == ("half", "length")
    assert [replies[name].text for name in ("once", "7")] == ["re: once", "re: 7"]
    assert again == ["re: again"], "the pipeline stays open between calls"
    assert server.tries["bad"] == server.tries["once"] == 2
    assert server.tries["long"] == server.tries["7"] == 1


def test_an_outage_and_a_refusal_end_the_run(cluster: Cluster, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_http, "FIRST_PAUSE", 0.01)
    server.acts["q"] = [status(404)]
    for prompt in ("down", "Hi"):
        server.acts[prompt] = [status(503)] * 9
    with _engine(cluster, server) as engine:
        with pytest.raises(EngineError, match="status 404"):
            list(engine.generate([_request("q")]))
        with pytest.raises(EngineError, match="does not answer"):
            list(engine.generate([_request("down")]))


def _jobs(count: int) -> Iterator[Job]:
    for n in range(count):
        source = f"import time\ndef evaluate(response):\n    time.sleep(0.02)\n    return len(response) > {n % 7}"
        yield Job(str(n), source, ["a" * size for size in range(n % 11)])


def test_jobs_of_a_lost_node_are_done_again(cluster: Cluster) -> None:
    with Sandbox(workers=1) as box:
        expected = {result.id: result for result in box.run(_jobs(100))}
    with ClusterSandbox(cluster.address, 2) as box:
        arrived = {}
        for result in box.run(_jobs(100), check_determinism=True):
            assert result.id not in arrived
            arrived[result.id] = result
            if len(arrived) == 20:
                cluster.kill_a_node()
    assert arrived == expected


def test_a_closed_sandbox_and_bad_settings_say_so(cluster: Cluster) -> None:
    box = ClusterSandbox(cluster.address, 1)
    with box:
        assert [result.id for result in box.run(_jobs(3))] == ["0", "1", "2"]
    with pytest.raises(Exception, match="closed"):
        list(box.run(_jobs(1)))


def test_no_cluster_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(InputError, match="no Ray cluster can be reached at") as caught:
            ClusterSandbox(f"127.0.0.1:{free.getsockname()[1]}", 1).__enter__()
    assert "\n" not in str(caught.value)


def test_no_server_and_several_are_one_sentence(cluster: Cluster, server: Server) -> None:
    server.stop()
    with pytest.raises(EngineUnavailableError, match="No server answers"):
        _engine(cluster, server)
    with pytest.raises(InputError, match="one base_url"):
        RayEngine(EngineConfig(engine="openai", base_url=("http://a", "http://b")), RayConfig(address=cluster.address))


def test_vllm_gets_a_processor_with_errors_in_rows(cluster: Cluster, tiny_llama: Path) -> None:
    """As far as it goes without vLLM: the configuration that Ray takes, and the rows in and out."""
    from autoif.engines.ray_vllm import VllmRows, _answered

    rows = VllmRows(EngineConfig(engine="vllm", model=str(tiny_llama), concurrency=8, options={"max_model_len": 512}))
    processor = rows.processor(2)
    assert processor.list_stage_names() == ["vLLMEngineStage"]
    stage = processor.get_stage_by_name("vLLMEngineStage")
    assert stage.fn_constructor_kwargs["should_continue_on_error"]
    assert stage.map_batches_kwargs["max_concurrency"] == 4
    asked = rows.row(_request("Hello", prefill="def ", schema={"type": "object"}))
    assert rows.tokenizer.decode(asked["tokenized_prompt"]).endswith("def ")
    assert asked["sampling_params"]["structured_outputs"] == {"json": '{"type": "object"}'}
    out = {**asked, "id": "1", "generated_text": "pass", "num_input_tokens": 9, "num_generated_tokens": asked["limit"]}
    reply, _ = rows.reply("x", _answered(out))
    assert (reply.id, reply.text, reply.finish, reply.usage.prompt_tokens) == ("x", "pass", "length", 9)
    failed, outage = rows.reply("x", {"id": "1", "__inference_error__": "ValueError: too long"})
    assert (failed.finish, failed.error, outage) == ("error", "ValueError: too long", False)
