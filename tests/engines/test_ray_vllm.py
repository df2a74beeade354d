"""vLLM on a Ray cluster, run by Ray Data's processor. Skipped where either is not installed."""

import json
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from autoif.config import EngineConfig, RayConfig
from autoif.engines import Engine, Reply, Request, Sampling, load_engine
from autoif.engines.ray import RayEngine
from autoif.stages.verifiers import PREFILL

ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'autoif[ray]'")
pytestmark = pytest.mark.skipif(
    util.find_spec("vllm") is None, reason="vllm is not installed: pip install 'autoif[vllm]'"
)

SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def config(tiny_llama: Path) -> Iterator[EngineConfig]:
    """Of a tiny model, with a Ray cluster of this machine alone to run it on."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        options = {"max_model_len": 512, "enforce_eager": True}
        yield EngineConfig(engine="vllm", model=str(tiny_llama), dtype="float32", concurrency=4, options=options)
        ray.shutdown()


def _request(id: str, text: str = "Hello", prefill: str = "", schema: Any = None, **sampling: Any) -> Request:
    settings: dict[str, Any] = {"temperature": 0.0, "max_tokens": 6, **sampling}
    return Request(id, [{"role": "user", "content": text}], Sampling(**settings), prefill, schema)


def _asked() -> Iterator[Request]:
    for n in range(8):
        yield _request(f"plain {n}", "Hello " * n, max_tokens=4 + n)
        yield _request(f"prefill {n}", f"Say {n}", PREFILL, max_tokens=8)
    yield _request("cut", "Hello", max_tokens=20, stop=("\n",))
    yield _request("drawn", temperature=1.0, seed=1, max_tokens=20)
    yield _request("schema", schema=SCHEMA, temperature=1.0, seed=3, max_tokens=200)  # random weights like white space
    yield _request("long", "x" * 600)


def _replies(engine: Engine) -> dict[str, Reply]:
    with engine:
        found = {reply.id: reply for reply in engine.generate(_asked())}
        again = list(engine.generate([_request("again")]))
    return found | {reply.id: reply for reply in again}


def test_ray_says_what_the_engine_in_this_process_says(config: EngineConfig) -> None:
    through_ray = _replies(RayEngine(config, RayConfig()))
    local = _replies(load_engine(config))
    long, refused = through_ray.pop("long"), local.pop("long")
    assert through_ray == local, "texts, finishes and usage"
    assert isinstance(json.loads(local["schema"].text)["ok"], bool)
    assert long.finish == refused.finish == "error"
    assert "longer than" in str(long.error) or "maximum" in str(long.error)
