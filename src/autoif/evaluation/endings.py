"""lm-eval's transformers model, reading the endings of one context together. Imports lm-eval and torch."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM

from autoif.training.groups import Group, rows
from autoif.training.packed import completion_logps, pack, prepared

MOST_TOKENS = 2048
"""Of one forward pass."""


class Endings(HFLM):  # type: ignore[misc]
    """HFLM with a context computed once for all of its endings, and logits for the endings alone.

    Log-likelihoods are HFLM's up to rounding. Whether greedy decoding would write an ending, which HFLM tells too, is
    always denied: no metric of HellaSwag asks.
    """

    def _loglikelihood_tokens(self, requests: list[Any], *arguments: Any, **options: Any) -> list[tuple[float, bool]]:
        """`requests`: (texts, ids of the context, ids of the ending). Those of one context stand side by side."""
        if any(len(context) + len(ending) > self.max_length for _, context, ending in requests):
            cut: list[tuple[float, bool]] = super()._loglikelihood_tokens(requests, *arguments, **options)
            return cut
        groups = (
            Group(context, [ending for _, _, ending in same]) for context, same in groupby(requests, key=itemgetter(1))
        )
        with torch.inference_mode(), prepared(self.model, lean=False):
            parts = [completion_logps(self.model, pack(row, self.device)) for row in rows(groups, MOST_TOKENS)]
        return [(value, False) for value in torch.cat(parts).tolist()]
