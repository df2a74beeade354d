"""DPO steps over groups: every prompt and every completion of a step is computed once. Imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch
from datasets import Dataset, Features, Value
from datasets import Sequence as List
from torch import Tensor
from transformers import Trainer
from transformers.trainer_callback import PrinterCallback

from autoif.training.groups import Group, deal, rows
from autoif.training.loss import dpo_loss
from autoif.training.packed import Packed, completion_logps, pack, prepared
from autoif.training.progress import Progress

IDS = List(Value("int32"))
COLUMNS = Features({"prompt": IDS, "completions": List(IDS), "chosen": IDS, "rejected": IDS})


def as_row(group: Group) -> dict[str, Any]:
    chosen, rejected = zip(*group.pairs, strict=True)
    return {"prompt": group.prompt, "completions": group.completions, "chosen": chosen, "rejected": rejected}


def as_group(row: dict[str, Any]) -> Group:
    return Group(row["prompt"], row["completions"], list(zip(row["chosen"], row["rejected"], strict=True)))


def counts(groups: Dataset, column: str) -> list[int]:
    """How many each group has of what is in the column, without reading it all into memory."""
    lengths: list[int] = pc.list_value_length(groups.data.column(column)).to_pylist()
    return lengths


class Reference:
    """log ref(completion | prompt) of all completions: one number each, kept in a file once they are computed."""

    def __init__(self, groups: Dataset) -> None:
        self.groups = groups
        self.starts = [0, *accumulate(counts(groups, "completions"))]
        self.logps = np.zeros(self.starts[-1], dtype=np.float32)

    def of(self, index: int) -> Tensor:
        """Of one group, shape (completions,)."""
        return torch.from_numpy(self.logps[self.starts[index] : self.starts[index + 1]])

    def compute(self, model: Any, most_tokens: int, file: Path, progress: Progress) -> None:
        """Reads the file of an earlier process, or runs the model over all groups."""
        if file.exists():
            self.logps = np.load(file)
            return
        groups = map(as_group, self.groups)
        pairs, done, start = sum(counts(self.groups, "chosen")), 0, 0
        model.eval()
        with torch.no_grad(), prepared(model):
            for row in rows(groups, most_tokens):
                logps = completion_logps(model, pack(row, model.device))
                self.logps[start : start + len(logps)] = logps.float().cpu()
                start += len(logps)
                done += sum(len(group.pairs) for group in row)
                progress(0, 0, {"reference_pairs": done, "pairs": pairs})
        partial = file.with_suffix(".partial.npy")
        np.save(partial, self.logps)
        partial.replace(file)


class Steps(torch.utils.data.Dataset[list[int]]):
    """One item is one optimiser step: the indices of its groups."""

    def __init__(self, groups: Dataset, batch_size: int, seed: int) -> None:
        self.steps = deal(counts(groups, "chosen"), batch_size, seed)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> list[int]:
        return self.steps[index]


class PackedTrainer(Trainer):
    """The Trainer of transformers with a step of our own; `beta` and `nll_weight` are those of the config."""

    def __init__(
        self, *, reference: Reference, beta: float, nll_weight: float, most_tokens: int, **options: Any
    ) -> None:
        self._reference = reference
        self._beta, self._nll_weight, self._most_tokens = beta, nll_weight, most_tokens
        self._told: dict[str, float] = {}
        self._tokens = 0
        super().__init__(data_collator=lambda items: {"groups": items[0]}, **options)
        self.remove_callback(PrinterCallback)

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """Forward and backward passes over the groups of one step. The loss is a mean over its pairs."""
        model.train()
        indices = inputs["groups"]
        groups = [as_group(self._reference.groups[index]) for index in indices]
        refs = {id(group): self._reference.of(index) for group, index in zip(groups, indices, strict=True)}
        self._tally = _Tally(groups, self._beta, self._nll_weight)
        packed_rows = list(rows(groups, self._most_tokens))
        for number, row in enumerate(packed_rows):
            packed = pack(row, self.args.device)
            with ExitStack() as held:
                if number + 1 < len(packed_rows):
                    held.enter_context(self.accelerator.no_sync(model))
                with self.compute_loss_context_manager():
                    logps = completion_logps(model, packed)
                reference = torch.cat([refs[id(group)] for group in row]).to(logps.device)
                self.accelerator.backward(self._tally.add(row, packed, logps, reference))
        self._tokens += self._tally.tokens
        self._told = self._tally.metrics() | {"num_tokens": float(self._tokens)}
        return torch.tensor(self._tally.loss, device=self.args.device)

    def log(self, logs: dict[str, float], *more: Any, **options: Any) -> None:
        super().log(logs | self._told if "loss" in logs else logs, *more, **options)


class _Tally:
    """The loss of one step, row by row, and what is told of it."""

    def __init__(self, groups: Sequence[Group], beta: float, nll_weight: float) -> None:
        self.beta, self.nll_weight = beta, nll_weight
        self.pairs = sum(len(group.pairs) for group in groups)
        self.chosen_tokens = sum(len(group.completions[c]) for group in groups for c, _ in group.pairs)
        self.loss = 0.0
        self.tokens = 0
        self.completions = 0
        self.sums: dict[str, float] = {}

    def add(self, row: Sequence[Group], packed: Packed, logps: Tensor, reference: Tensor) -> Tensor:
        """The row's share of the loss: DPO as a mean over the step's pairs, NLL as a mean over their chosen tokens."""
        starts = [0, *accumulate(len(group.completions) for group in row)]
        pairs = [(start + c, start + r) for start, group in zip(starts, row, strict=False) for c, r in group.pairs]
        chosen, rejected = torch.tensor(pairs, device=logps.device).T
        losses = dpo_loss(logps[chosen], logps[rejected], reference[chosen], reference[rejected], self.beta)
        nll = -logps[chosen].sum() / self.chosen_tokens
        loss = losses.sum() / self.pairs + self.nll_weight * nll
        self.loss += loss.item()
        self.tokens += packed.ids.numel()
        self.completions += len(logps)
        self._sum(logps.detach(), reference, chosen, rejected, nll.item())
        return loss

    def _sum(self, logps: Tensor, reference: Tensor, chosen: Tensor, rejected: Tensor, nll: float) -> None:
        rewards = self.beta * (logps - reference)
        found = {
            "nll": nll * self.pairs,
            "rewards/chosen": rewards[chosen].sum().item(),
            "rewards/rejected": rewards[rejected].sum().item(),
            "rewards/accuracies": (rewards[chosen] > rewards[rejected]).sum().item(),
            "logps/chosen": logps[chosen].sum().item(),
            "logps/rejected": logps[rejected].sum().item(),
            "kl": (reference - logps).sum().item(),
        }
        self.sums = {name: self.sums.get(name, 0.0) + value for name, value in found.items()}

    def metrics(self) -> dict[str, float]:
        """Means over the pairs; `kl` is one over the completions, samples of the reference: KL(reference || policy)."""
        means = {name: value / self.pairs for name, value in self.sums.items() if name != "kl"}
        means["rewards/margins"] = means["rewards/chosen"] - means["rewards/rejected"]
        return means | {"kl": self.sums["kl"] / self.completions}
