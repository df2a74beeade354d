"""Reads what an evaluation wants from the probabilities of the reference and then of the policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from autoif.evaluation.answers import SIDES, Progress, silent

Weights = Callable[[], tuple[Any, Any]]
"""Opens a transformers model and its tokenizer."""


class Reader(Protocol):
    """What is read of both models, and what it is worth."""

    def read(self, side: str, weights: Weights, folder: Path, progress: Progress) -> None:
        """Reads one side; `weights` is called only if something is missing in `folder`/answers."""

    def score(self, folder: Path) -> dict[str, Any]:
        """This reader's part of scores.json, once both sides are read."""


def read_all(
    readers: Sequence[Reader], models: Mapping[str, Weights], folder: Path, progress: Progress = silent
) -> dict[str, Any]:
    """The parts of scores.json. One model is in memory at a time, opened once for all readers, if at all."""
    for side in SIDES:
        weights = cache(_placed(models[side]))
        for reader in readers:
            reader.read(side, weights, folder, progress)
    return {name: part for reader in readers for name, part in reader.score(folder).items()}


def _placed(weights: Weights) -> Weights:
    """On the GPU where there is one with room for it."""

    def open_model() -> tuple[Any, Any]:
        import torch

        model, tokenizer = weights()
        if torch.cuda.is_available():
            size = sum(part.numel() * part.element_size() for part in model.parameters())
            if 1.2 * size < torch.cuda.mem_get_info()[0]:
                model = model.to("cuda")
        return model.eval(), tokenizer

    return open_model
