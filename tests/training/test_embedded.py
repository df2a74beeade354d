"""The embedded model, for real: a short training, the policy as GGUF, and both engines in agreement."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")
pytest.importorskip("openvino_genai")

from autoif.config import EngineConfig
from autoif.config_file import parse_config
from autoif.engines import load_engine
from autoif.engines.base import Request, Sampling
from autoif.training import reference_gguf, train, write_gguf

PROMPTS = ["Name three birds.", "What is the capital of France?", "Write a short poem about rain."]


@pytest.fixture(scope="module")
def reference(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reference_gguf(base, tmp_path_factory.mktemp("cache"))


def answers(engine: str, model: Path) -> dict[str, str]:
    greedy = Sampling(temperature=0, top_p=1, max_tokens=24)
    requests = [Request(prompt, [{"role": "user", "content": prompt}], greedy) for prompt in PROMPTS]
    with load_engine(EngineConfig(engine=engine, model=str(model), device="cpu", dtype="float32")) as loaded:
        return {reply.id: reply.text for reply in loaded.generate(requests)}


def test_the_untrained_model_exported_is_the_reference_to_the_byte(
    untrained: Path, base: Path, reference: Path, tmp_path: Path
) -> None:
    assert write_gguf(untrained, base, tmp_path / "policy.gguf").read_bytes() == reference.read_bytes()


def test_both_engines_write_the_same(untrained: Path, reference: Path) -> None:
    assert answers("openvino", reference) == answers("transformers", untrained)


def test_a_tuned_policy_answers_in_the_cpu_engine(base: Path, reference: Path, tmp_path: Path) -> None:
    """Two steps with a rate far too high, so that the answers differ from the reference's."""

    def said(role: str, text: str) -> list[dict[str, str]]:
        return [{"role": role, "content": text}]

    pairs = tmp_path / "records.jsonl"
    rows = [
        {"prompt": said("user", p), "chosen": said("assistant", "OK."), "rejected": said("assistant", "Sure, here")}
        for p in PROMPTS[:2]
    ]
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings: dict[str, Any] = {"learning_rate": 1e-4, "batch_size": 2, "max_length": 128, "warmup": 0, "epochs": 2}
    config = parse_config({"train": settings | {"nll_weight": 1.0}}, "test")
    summary = train(config, pairs, tmp_path / "08_train", funnel={"07_pairs": 2})
    assert summary.steps == 2
    assert summary.metrics["rewards/margins"] > 0
    tuned = write_gguf(summary.checkpoint, base, tmp_path / "policy.gguf")
    texts = answers("openvino", tuned)
    assert texts == answers("transformers", summary.checkpoint)
    assert texts != answers("openvino", reference)
    assert "license: apache-2.0" in (summary.checkpoint / "README.md").read_text()
