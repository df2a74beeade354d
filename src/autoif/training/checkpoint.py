"""What a training leaves behind: a Hugging Face folder that loads anywhere, and a card that says what it is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from autoif import __version__
from autoif.config import Config
from autoif.engines.models import hub_id, public_name
from autoif.markdown import block, code
from autoif.store import disk
from autoif.training.load import find_gguf
from autoif.training.rounding import BF16, dithered

LICENCES = (
    *("apache-2.0", "mit", "bsd-3-clause", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "openrail", "openrail++", "odc-by"),
    *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3"),
    *("llama4", "gemma", "other", "unknown"),
)
"""The names that models give their licences, of those that the hub knows; it refuses a card with any other."""


def save_checkpoint(
    model: Any, tokenizer: Any, config: Config, pairs: int, funnel: Mapping[str, int], out: Path, moved: str = ""
) -> Path:
    """Writes `out/checkpoint` (weights, tokenizer, generation config, card), whole or not at all.

    A LoRA adapter is saved to `out/adapter` and merged into the checkpoint, so that the checkpoint needs no PEFT.
    `moved` as in `model_card`. Raises AutoIFError when the disk is full.
    """
    licence = base_licence(config.train.model or config.policy.model)
    partial, whole = out / "checkpoint.partial", out / "checkpoint"
    with disk(out):
        if hasattr(model, "merge_and_unload"):
            _save(model, out / "adapter", save_embedding_layers=False)
            model = model.float().merge_and_unload()
        if config.train.dtype == "bfloat16":
            _to_bfloat16(model)
        shutil.rmtree(partial, ignore_errors=True)
        _save(model, partial)
        tokenizer.save_pretrained(partial)
        (partial / "README.md").write_text(model_card(config, pairs, funnel, licence, moved=moved), encoding="utf-8")
        shutil.rmtree(whole, ignore_errors=True)
        partial.replace(whole)
    return whole


def _save(model: Any, folder: Path, **options: Any) -> None:
    from safetensors import SafetensorError

    try:
        model.save_pretrained(folder, **options)
    except SafetensorError as error:  # a full disk is no OSError to it
        raise OSError(None, str(error)) from None


def _to_bfloat16(model: Any) -> None:
    import torch

    for name, weight in model.named_parameters():
        rounded = dithered(weight.detach().cpu().numpy(), name, BF16)
        weight.data = torch.from_numpy(rounded).to(weight.device, torch.bfloat16)
    model.config.dtype = torch.bfloat16


def model_card(
    config: Config,
    pairs: int,
    funnel: Mapping[str, int],
    licence: str | None,
    head: Mapping[str, Any] | None = None,
    results: str = "",
    moved: str = "",
) -> str:
    """The card of a checkpoint: base model and licence, what it was trained on, how, and what to expect of it.

    `licence` is the base model's, None when it is not known; `head` adds to the front matter; `results` is Markdown:
    what was measured; `moved` is what `between` says. Of paths only the last part is told.
    """
    base = config.train.model or config.policy.model
    known = hub_id(base)
    front = {
        **({"base_model": known} if known else {}),  # the hub refuses a card whose base model is not an id
        "license": hub_licence(licence),
        "library_name": "transformers",
        "tags": ["autoif", "dpo"],
        **(head or {}),
    }
    method = "a LoRA adapter, merged" if config.train.lora else "all weights"
    unknown = "unknown: nothing here states it; the terms of the base model apply, look them up"
    settings = yaml.safe_dump(config.train.model_dump(mode="json", exclude={"model"}), sort_keys=False)
    rows = "".join(f"| {stage} | {kept} |\n" for stage, kept in funnel.items())
    return f"""---
{yaml.safe_dump(front, sort_keys=False)}---

# {code(public_name(base))}, trained to follow instructions

Trained with direct preference optimisation (arXiv 2305.18290) on {pairs} preference pairs. No person labelled them: a
completion is chosen or rejected by verification functions that were executed on it (AutoIF, arXiv 2406.13542).

- Base model and reference: {code(public_name(base))}
- Licence of the base model: {code(licence) if licence else unknown}
- Trained: {method}{moved and f"; {moved}"}
- Queries from: {code(public_name(config.queries.source))}
- Instructions, verifiers and test cases written by: {_writers(config)}
- Written by autoif {__version__}, seed {config.seed}

## Data

| stage | kept |
|---|---|
{rows}| pairs trained on | {pairs} |
{results and chr(10) + results}
## Settings

{block(settings, "yaml")}

## Limits

The verifiers see form (length, format, keywords, punctuation), not whether an answer is right or harmless. Measure both
before you use this model.
"""


def between(stats: Mapping[str, Any]) -> str:
    """Markdown, of the stats.json of stage 8: where an interpolated policy lies. Empty for one as it was trained."""
    if "share" not in stats:
        return ""
    return f"then moved to {stats['share']:.0%} of the way from the base model to {code(stats['of'])}"


def _writers(config: Config) -> str:
    """Markdown. What people wrote in advance is always a part, were it as the writer's examples."""
    seeds = "people, as seeds"
    wrote = config.instructions.per_query or config.instructions.mode == "paper"
    return f"{code(public_name(config.writer.model))} and {seeds}" if wrote else seeds


def hub_licence(licence: str | None) -> str:
    """What the front matter of a card calls a licence."""
    return "unknown" if licence is None else licence if licence in LICENCES else "other"


def base_licence(model: str) -> str | None:
    """The licence that a GGUF file or the card of a local folder states; None where it is not known."""
    gguf = find_gguf(model)
    if gguf is not None:
        return _gguf_licence(gguf)
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


@cache
def _gguf_licence(path: Path) -> str | None:
    """Cached: the library takes in the whole vocabulary, which is seconds."""
    from gguf import GGUFReader

    field = GGUFReader(path).get_field("general.license")
    return None if field is None else str(field.contents())
