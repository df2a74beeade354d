"""Log-probabilities of many completions in one forward pass that computes every prompt once. Imports torch.

A row is the tokens of several groups: prompt, completions, prompt, completions, ... without padding. A completion sees
its prompt and itself, at the positions that it would have alone, and logits exist for completion tokens only. So
log-probabilities and gradients are those of the plain computation, up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint
from transformers import AttentionInterface

from autoif.training.groups import Group

ATTENTION = "autoif_packed"
CHUNK = 512
"""Completion tokens whose logits are in memory at once."""
SUPPORTED = {"llama", "qwen2", "qwen3"}
"""Model types whose attention passes what it is given on to a registered function, and sees all that came before."""

Span = tuple[int, int]


@dataclass(frozen=True)
class Packed:
    """One row as tensors. `ids` and `positions`: (1, tokens). `sources`, `targets`: (completion tokens,)."""

    ids: Tensor
    positions: Tensor
    spans: list[tuple[Span, list[Span]]]
    """Of each group: where its prompt is, and where its completions are."""
    sources: Tensor
    """Where the hidden state is that predicts each completion token."""
    targets: Tensor
    """The completion tokens."""
    lengths: list[int]
    """Tokens of each completion, in order."""


def supports(model: Any) -> bool:
    """Whether this architecture computes packed rows rightly; the others are trained by TRL."""
    return model.config.model_type in SUPPORTED and not getattr(model.config, "use_sliding_window", False)


def pack(groups: Sequence[Group], device: torch.device) -> Packed:
    ids: list[int] = []
    positions: list[int] = []
    sources: list[int] = []
    spans: list[tuple[Span, list[Span]]] = []
    for group in groups:
        start, length = len(ids), len(group.prompt)
        ids += group.prompt
        positions += range(length)
        completions = []
        for completion in group.completions:
            begin = len(ids)
            ids += completion
            positions += range(length, length + len(completion))
            sources += [start + length - 1, *range(begin, len(ids) - 1)]
            completions.append((begin, len(ids)))
        spans.append(((start, start + length), completions))
    lengths = [len(completion) for group in groups for completion in group.completions]
    targets = [id for group in groups for completion in group.completions for id in completion]
    tensor = partial(torch.tensor, device=device)
    return Packed(tensor([ids]), tensor([positions]), spans, tensor(sources), tensor(targets), lengths)


def completion_logps(model: Any, packed: Packed) -> Tensor:
    """log pi(completion | prompt) of each completion in nats, shape (completions,). Call inside `prepared(model)`."""
    head = getattr(model, "module", model).get_output_embeddings()
    head.targets = packed.targets
    told = model(
        input_ids=packed.ids,
        position_ids=packed.positions,
        logits_to_keep=packed.sources,
        use_cache=False,
        spans=packed.spans,
    )
    return torch.stack([part.sum() for part in told.logits[0].split(packed.lengths)])


@contextmanager
def prepared(model: Any, lean: bool = True) -> Iterator[None]:
    """The model with packed attention, and a head that returns the targets' log-probabilities in place of logits.

    `lean`: what is cheap to compute again is not kept for the backward pass, a third of the memory of the activations.
    Gradient checkpointing keeps none of it in the first place.
    """
    head, before = model.get_output_embeddings(), model.config._attn_implementation
    model.set_attn_implementation(ATTENTION)
    head.forward, head.targets = partial(_target_logps, head), None
    changed = _lean(model) if lean else []
    for module, forward in changed:
        module.forward = forward
    try:
        yield
    finally:
        for module, _ in changed:
            del module.forward
        del head.forward, head.targets
        model.set_attn_implementation(before)


def _lean(model: nn.Module) -> list[tuple[nn.Module, Any]]:
    """Norms that keep their input alone, and MLPs that keep the outputs of their first two matrices alone."""
    again = partial(checkpoint, use_reentrant=False)
    found: list[tuple[nn.Module, Any]] = []
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            found.append((module, partial(again, module.forward)))
        elif hasattr(module, "gate_proj"):
            found.append((module, partial(_mlp, module, again)))
    return found


def _mlp(mlp: Any, again: Any, hidden: Tensor) -> Tensor:
    """down(act(gate(x)) * up(x)). Nothing needs the output of `down`, so it is not computed again."""
    return again(_down, mlp, mlp.gate_proj(hidden), mlp.up_proj(hidden))  # type: ignore[no-any-return]


def _down(mlp: Any, gate: Tensor, up: Tensor) -> Tensor:
    return mlp.down_proj(mlp.act_fn(gate) * up)  # type: ignore[no-any-return]


def _target_logps(head: nn.Linear, hidden: Tensor) -> Tensor:
    """(1, tokens, width) to (1, tokens). A chunk's logits are computed again in the backward pass, not kept."""
    targets: Any = head.targets
    parts = [
        checkpoint(
            _logps, hidden[0, at : at + CHUNK], head.weight, head.bias, targets[at : at + CHUNK], use_reentrant=False
        )
        for at in range(0, len(targets), CHUNK)
    ]
    return torch.cat(parts)[None]


def _logps(hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
    return -cross_entropy(linear(hidden, weight, bias).float(), targets, reduction="none")


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    spans: Sequence[tuple[Span, Sequence[Span]]],
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """A prompt attends to itself, a completion to its prompt and itself. Tensors are (1, heads, tokens, width)."""
    attend = partial(scaled_dot_product_attention, scale=scaling, enable_gqa=True)
    found = []
    for (start, end), completions in spans:
        q, k, v = (tensor[:, :, start:end] for tensor in (query, key, value))
        found.append(attend(q, k, v, is_causal=True))
        for begin, stop in completions:
            keys, values = (
                torch.cat((shared, tensor[:, :, begin:stop]), 2) for shared, tensor in ((k, key), (v, value))
            )
            mask = _causal(stop - begin, end - start, query.device)
            found.append(attend(query[:, :, begin:stop], keys, values, attn_mask=mask))
    return torch.cat(found, 2).transpose(1, 2), None


def _causal(length: int, seen: int, device: torch.device) -> Tensor:
    """(length, seen + length): True where a completion token may look: all of the prompt and what came before."""
    return torch.ones(length, seen + length, dtype=torch.bool, device=device).tril(seen)


AttentionInterface.register(ATTENTION, _attention)
