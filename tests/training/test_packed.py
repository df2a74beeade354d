"""Packed rows against the plain computation, one completion at a time."""

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM  # noqa: E402

from autoif.config_file import parse_config  # noqa: E402
from autoif.training import packed as packed_module  # noqa: E402
from autoif.training import token_logps, train  # noqa: E402
from autoif.training.groups import Group  # noqa: E402
from autoif.training.packed import completion_logps, pack, prepared, supports  # noqa: E402

GROUPS = [Group([5, 6, 7], [[8], [9, 10, 11, 12], [13, 14]]), Group([20], [[21, 22], [23]])]
WEIGHTS = torch.tensor([1.0, -2.0, 0.5, 3.0, -1.0])
SHAPE = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}


def model(kind: str, tiny_llama: Path) -> Any:
    torch.manual_seed(0)
    if kind == "llama":
        return AutoModelForCausalLM.from_pretrained(tiny_llama)
    if kind == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**SHAPE))
    return Qwen3ForCausalLM(Qwen3Config(**SHAPE, head_dim=8, tie_word_embeddings=True))


def plain_logps(policy: Any) -> torch.Tensor:
    found = []
    for group in GROUPS:
        for completion in group.completions:
            ids = torch.tensor([group.prompt + completion])
            found.append(token_logps(policy(ids).logits, ids)[0, len(group.prompt) - 1 :].sum())
    return torch.stack(found)


def gradients(policy: Any, logps: torch.Tensor) -> torch.Tensor:
    policy.zero_grad()
    (logps * WEIGHTS).sum().backward()
    return torch.cat([weight.grad.flatten() for weight in policy.parameters()])


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_log_probabilities_and_gradients_are_those_of_the_plain_computation(
    kind: str, checkpointing: bool, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_module, "CHUNK", 3)
    policy = model(kind, tiny_llama).train()
    assert supports(policy)
    plain = plain_logps(policy)
    wanted = gradients(policy, plain)
    if checkpointing:
        policy.gradient_checkpointing_enable()
    with prepared(policy, lean=not checkpointing):
        found = completion_logps(policy, pack(GROUPS, policy.device))
        assert torch.allclose(found, plain, rtol=1e-5)
        got = gradients(policy, found)
    assert (got - wanted).norm() / wanted.norm() < 1e-5
    again = plain_logps(policy)  # the model is as it was
    assert torch.allclose(again, plain)


def test_an_architecture_that_is_not_supported_is_trained_by_trl(tiny_llama: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    folder = tmp_path / "gpt2"
    GPT2LMHeadModel(
        GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=1, n_head=2, n_positions=256)
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    said = {"prompt": ("user", "Say tea."), "chosen": ("assistant", "tea"), "rejected": ("assistant", "TEA")}
    pair = {key: [{"role": role, "content": text}] for key, (role, text) in said.items()}
    pairs = tmp_path / "records.jsonl"
    pairs.write_text((json.dumps(pair) + "\n") * 2, encoding="utf-8")
    settings = {"policy": {"model": str(folder), "device": "cpu"}, "train": {"batch_size": 2, "max_length": 200}}
    summary = train(parse_config(settings, "test"), pairs, tmp_path / "out")
    assert (summary.by, summary.pairs, summary.steps) == ("trl", 2, 1)
