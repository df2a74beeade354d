"""What a training leaves behind: a Hugging Face folder that loads anywhere, and a card that says what it is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from autoif import __version__
from autoif.config import Config
from autoif.training.load import find_gguf
from autoif.training.rounding import BF16, dithered


def save_checkpoint(
    model: Any, tokenizer: Any, config: Config, pairs: int, funnel: Mapping[str, int], out: Path
) -> Path:
    """Writes `out/checkpoint` (weights, tokenizer, generation config, card), whole or not at all.

    A LoRA adapter is saved to `out/adapter` and merged into the checkpoint, so that the checkpoint needs no PEFT.
    """
    if config.train.lora is not None:
        model.save_pretrained(out / "adapter", save_embedding_layers=False)
        model = model.float().merge_and_unload()
    if config.train.dtype == "bfloat16":
        _to_bfloat16(model)
    partial, whole = out / "checkpoint.partial", out / "checkpoint"
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    (partial / "README.md").write_text(model_card(config, pairs, funnel), encoding="utf-8")
    shutil.rmtree(whole, ignore_errors=True)
    partial.replace(whole)
    return whole


def _to_bfloat16(model: Any) -> None:
    import torch

    for name, weight in model.named_parameters():
        rounded = dithered(weight.detach().cpu().numpy(), name, BF16)
        weight.data = torch.from_numpy(rounded).to(weight.device, torch.bfloat16)
    model.config.dtype = torch.bfloat16


def model_card(config: Config, pairs: int, funnel: Mapping[str, int]) -> str:
    """The card of a checkpoint: base model and licence, what it was trained on, how, and what to expect of it."""
    base = config.train.model or config.policy.model
    licence = base_licence(base)
    head = {
        "base_model": base,
        "license": licence or "unknown",
        "library_name": "transformers",
        "tags": ["autoif", "dpo"],
    }
    method = "a LoRA adapter, merged" if config.train.lora else "all weights"
    licence_line = licence or "unknown: nothing here states it; the terms of the base model apply, look them up"
    settings = yaml.safe_dump(config.train.model_dump(exclude={"model"}), sort_keys=False)
    rows = "".join(f"| {stage} | {kept} |\n" for stage, kept in funnel.items())
    return f"""---
{yaml.safe_dump(head, sort_keys=False)}---

# {Path(base).name}, trained to follow instructions

Trained with direct preference optimisation (arXiv 2305.18290) on {pairs} preference pairs. No person labelled them: a
completion is chosen or rejected by verification functions that were executed on it (AutoIF, arXiv 2406.13542).

- Base model and reference: `{base}`
- Licence of the base model: {licence_line}
- Trained: {method}
- Queries from: `{config.queries.source}`
- Instructions, verifiers and test cases written by: `{config.writer.model}`
- Written by autoif {__version__}, seed {config.seed}

## Data

| stage | kept |
|---|---|
{rows}| pairs trained on | {pairs} |

## Settings

```yaml
{settings}```

## Limits

The verifiers see form (length, format, keywords, punctuation), not whether an answer is right or harmless. Measure both
before you use this model.
"""


def base_licence(model: str) -> str | None:
    """The licence that a GGUF file or the card of a local folder states; None where it is not known."""
    gguf = find_gguf(model)
    if gguf is not None:
        from gguf import GGUFReader

        field = GGUFReader(gguf).get_field("general.license")
        return None if field is None else str(field.contents())
    card = Path(model) / "README.md"
    if not card.is_file():
        return None
    parts = card.read_text(encoding="utf-8", errors="replace").split("---\n")
    try:
        head = yaml.safe_load(parts[1]) if len(parts) > 2 else None
    except yaml.YAMLError:
        return None
    licence = head.get("license") if isinstance(head, dict) else None
    return None if licence is None else str(licence)
