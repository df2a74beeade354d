"""vLLM on a Llama 3 in miniature. It runs wherever vLLM does, its CPU build included; elsewhere it is skipped."""

import json
import multiprocessing
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from autoif import chat
from autoif.config import EngineConfig
from autoif.engines import Request, Sampling, load_engine
from autoif.errors import MissingExtraError

here = util.find_spec("vllm") is not None
needs_vllm = pytest.mark.skipif(not here, reason="vllm is not installed: pip install 'autoif[vllm]'")


@pytest.fixture(scope="module")
def engine(tiny_llama: Path) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        with _load(tiny_llama) as engine:
            yield engine


def _load(model: Path) -> Any:
    options = {"max_model_len": 512, "enforce_eager": True}
    return load_engine(EngineConfig(engine="vllm", model=str(model), dtype="float32", concurrency=4, options=options))


def _request(id: str, text: str = "Hello", **sampling: Any) -> Request:
    settings: dict[str, Any] = {"temperature": 0.0, "max_tokens": 6, **sampling}
    return Request(id, [{"role": "user", "content": text}], Sampling(**settings))


@pytest.mark.skipif(here, reason="vllm is installed")
def test_without_vllm_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(MissingExtraError, match=r"autoif\[vllm\]"):
        load_engine(EngineConfig(engine="vllm", model=str(tmp_path)))


@needs_vllm
def test_every_request_is_answered_once_with_exact_usage(engine: Any) -> None:
    requests = [_request(str(n), "Hello " * n, max_tokens=3 + n) for n in range(9)]
    replies = {reply.id: reply for reply in engine.generate(iter(requests))}
    assert sorted(replies) == sorted(request.id for request in requests)
    prompt = chat.encode(engine.tokenizer, chat.render(engine.tokenizer, requests[0].messages))
    assert replies["0"].usage.prompt_tokens == len(prompt)
    assert replies["0"].finish == "length"
    assert replies["0"].usage.completion_tokens == 3


@needs_vllm
def test_a_request_is_pulled_only_when_there_is_room(engine: Any) -> None:
    pulled = []

    def source() -> Iterator[Request]:
        for n in range(100):
            pulled.append(n)
            yield _request(str(n), max_tokens=2)

    replies = engine.generate(source())
    next(replies)
    assert len(pulled) == 4
    replies.close()
    assert not engine.llm.llm_engine.has_unfinished_requests()


@needs_vllm
def test_a_seed_repeats_a_sample_and_another_does_not(engine: Any) -> None:
    texts = [
        next(engine.generate([_request("1", temperature=1.0, seed=seed, max_tokens=20)])).text for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]


@needs_vllm
def test_a_schema_binds_the_reply(engine: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    plain = _request("1", temperature=1.0, seed=3, max_tokens=200)  # random weights like white space
    reply = next(engine.generate([Request("1", plain.messages, plain.sampling, schema=schema)]))
    assert isinstance(json.loads(reply.text)["ok"], bool)


@needs_vllm
def test_a_prompt_longer_than_the_context_is_an_error_reply(engine: Any) -> None:
    replies = {reply.id: reply for reply in engine.generate([_request("long", "x" * 600), _request("short")])}
    assert replies["long"].finish == "error"
    assert replies["short"].finish == "length"


@needs_vllm
def test_closing_ends_its_processes_and_another_can_follow(engine: Any, tiny_llama: Path) -> None:
    engine.close()
    engine.close()
    assert not multiprocessing.active_children()
    _save_adapter(tiny_llama, tiny_llama.parent / "adapter")
    with _load(tiny_llama.parent / "adapter") as adapted:
        assert adapted.adapter is not None
        [reply] = adapted.generate([_request("1")])
    assert reply.usage.completion_tokens == 6


def _save_adapter(base: Path, folder: Path) -> None:
    """A LoRA adapter as PEFT writes it, with random weights."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    config = {
        "peft_type": "LORA",
        "base_model_name_or_path": str(base),
        "r": 8,
        "lora_alpha": 16,
        "target_modules": ["o_proj"],
        "bias": "none",
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    prefix = "base_model.model.model.layers.{}.self_attn.o_proj.lora_{}.weight"
    shapes = {"A": (8, 64), "B": (64, 8)}
    tensors = {prefix.format(n, side): torch.randn(shape) for n in range(2) for side, shape in shapes.items()}
    save_file(tensors, folder / "adapter_model.safetensors")
