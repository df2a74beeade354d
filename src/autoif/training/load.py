"""The weights to train, with their tokenizer, ready for training and for saving."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autoif import chat
from autoif.config import EngineConfig
from autoif.engines import models


def find_gguf(model: str) -> Path | None:
    """The GGUF file behind a model's name, None when it is a folder or a Hugging Face id of plain weights."""
    found = models.resolve_model(model)
    return models.fetch_model(model) if str(found).endswith(".gguf") else None


def load_policy(model: str, dtype: str) -> tuple[Any, Any]:
    """(model, tokenizer) of a Hugging Face id, a local folder, a GGUF file or the embedded model, on the CPU.

    `dtype` is float32 or bfloat16. The tokenizer keeps its chat template and gets a padding token that is not its end
    of turn; the generation config stops at every end of turn. Raises InputError, EngineUnavailableError or
    MissingExtraError when the model cannot be loaded.
    """
    use_cores()
    from autoif.engines.transformers import load

    policy, tokenizer = load(EngineConfig(engine="transformers", model=model, dtype=dtype, device="cpu"))
    if policy.config.to_dict().get("quantization_config", {}).get("quant_method") == "gguf":
        _make_plain(policy)
    policy.name_or_path = policy.config._name_or_path = model  # a GGUF file's own title leads nowhere
    tokenizer.pad_token = chat.pad_token(tokenizer)
    policy.config.pad_token_id = policy.generation_config.pad_token_id = tokenizer.pad_token_id
    policy.generation_config.eos_token_id = chat.stop_ids(tokenizer, policy.generation_config)
    return policy, tokenizer


def _make_plain(policy: Any) -> None:
    """A model read from GGUF still counts as quantised, and so would refuse to be trained and saved."""
    policy.hf_quantizer = None
    policy.is_quantized = False
    del policy.config.quantization_config


def on_cpu(device: str) -> bool:
    """Whether `policy.device` means the CPU here: it says so, or there is nothing else."""
    import torch

    return device == "cpu" or not torch.accelerator.is_available()


def use_cores() -> None:
    """Has torch use the cores this process may use, and no more.

    Threads that wait must sleep: on a busy machine spinning ones made two threads eight times slower than one
    (135M parameters, float32). The setting is read when torch is first imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        import torch
    except ImportError:
        return  # whoever needs torch says so
    torch.set_num_threads(min(torch.get_num_threads(), _cores()))


@contextmanager
def repeatable(device: str) -> Iterator[None]:
    """On the CPU, adds up in the same order every time: the same training gives the same weights, to the last bit."""
    import torch

    memory: Any = torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled(), memory.fill_uninitialized_memory
    if device == "cpu":
        torch.use_deterministic_algorithms(True, warn_only=True)
        memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        memory.fill_uninitialized_memory = before[1]


def _cores() -> int:
    """The process's affinity, or less where a control group limits it."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, min(available, int(quota) // int(period)))
    except (OSError, ValueError):
        return available
