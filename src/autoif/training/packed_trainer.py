"""DPO steps over groups: every prompt and every completion of a step is computed once. Imports torch."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch
from accelerate import PartialState
from accelerate.utils import reduce
from datasets import Dataset
from torch import Tensor
from transformers import Trainer
from transformers.trainer_callback import PrinterCallback

from autoif.prompts import draw
from autoif.training.arrow import as_group
from autoif.training.groups import Group, deal, rows
from autoif.training.loss import dpo_loss
from autoif.training.packed import Packed, completion_logps, pack, prepared
from autoif.training.progress import Progress


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
        """Reads the file of an earlier run, or runs the model over all groups, every process over its share."""
        processes = PartialState()
        processes.wait_for_everyone()  # all see the file, or none
        if file.exists():
            self.logps = np.load(file)
            return
        pairs, done, start = sum(counts(self.groups, "chosen")), 0, 0
        model.eval()
        with torch.no_grad(), prepared(model):
            for number, row in enumerate(rows(map(as_group, self.groups), most_tokens)):
                end = start + sum(len(group.completions) for group in row)
                if number % processes.num_processes == processes.process_index:
                    self.logps[start:end] = completion_logps(model, pack(row, model.device)).float().cpu()
                start = end
                done += sum(len(group.pairs) for group in row)
                progress(0, 0, {"reference_pairs": done, "pairs": pairs})
        self.logps = reduce(torch.from_numpy(self.logps).to(model.device), "sum").cpu().numpy()
        if processes.is_main_process:
            partial = file.with_suffix(".partial.npy")
            np.save(partial, self.logps)
            partial.replace(file)


@dataclass(frozen=True, slots=True)
class Share:
    """What this `process` does of an optimiser step, and the others: the groups of each, by index."""

    process: int
    groups: list[list[int]]


class Steps(torch.utils.data.Dataset[Share]):
    """The shares of all processes in the first step, then in the second, and so on."""

    def __init__(self, groups: Dataset, batch_size: int, seed: int, processes: int) -> None:
        self.steps = deal(counts(groups, "chosen"), batch_size, seed)
        self.processes = processes

    def __len__(self) -> int:
        return len(self.steps) * self.processes

    def __getitem__(self, index: int) -> Share:
        number, process = divmod(index, self.processes)
        return Share(process, [self.steps[number][other :: self.processes] for other in range(self.processes)])


class InStep(torch.utils.data.Sampler[int]):
    """Steps in another random order in every epoch, each with the shares of all processes side by side."""

    def __init__(self, steps: Steps, seed: int) -> None:
        self.steps, self.seed, self.epoch = steps, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by accelerate."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[int]:
        order = list(range(len(self.steps.steps)))
        random.Random(draw(self.seed, "epoch", self.epoch)).shuffle(order)
        processes = self.steps.processes
        return (step * processes + process for step in order for process in range(processes))


class PackedTrainer(Trainer):
    """The Trainer of transformers with a step of our own; `beta` and `nll_weight` are those of the config.

    A step is the same on any number of processes: each computes its share of the groups, and gradients are averaged.
    """

    def __init__(
        self, *, reference: Reference, beta: float, nll_weight: float, most_tokens: int, **options: Any
    ) -> None:
        self._reference = reference
        self._beta, self._nll_weight, self._most_tokens = beta, nll_weight, most_tokens
        self._told: dict[str, float] = {}
        self._tokens = 0.0
        super().__init__(data_collator=lambda shares: {"share": shares[0]}, **options)
        self.remove_callback(PrinterCallback)

    def _get_train_sampler(self, train_dataset: Any = None) -> InStep:
        steps: Any = self.train_dataset
        return InStep(steps, self.args.seed)

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """Forward and backward passes over this process's groups of one step. The loss is a mean over the step's pairs.

        All processes make as many passes, the last ones for nothing where there is less to do: parts of the weights
        (FSDP) are gathered from all of them in every pass, and gradients are averaged in the last.
        """
        model.train()
        share: Share = inputs["share"]
        groups = [[as_group(self._reference.groups[index]) for index in indices] for indices in share.groups]
        work = [list(rows(those, self._most_tokens)) for those in groups]
        mine, passes = work[share.process], max(map(len, work))
        references = map(self._reference.of, share.groups[share.process])
        tally = _Tally(chain.from_iterable(groups), self._beta, self._nll_weight)
        for number in range(passes):
            row = mine[number] if number < len(mine) else groups[0][:1]
            last = number + 1 == passes
            self.accelerator.sync_gradients = last  # DeepSpeed's engine takes its step in the last backward pass
            with nullcontext() if last else self.accelerator.no_sync(model):
                packed = pack(row, self.args.device)
                with self.compute_loss_context_manager():
                    logps = completion_logps(model, packed)
                if number < len(mine):
                    loss = tally.add(row, packed, logps, torch.cat(list(islice(references, len(row)))).to(logps.device))
                else:
                    loss = 0 * logps.sum()
                self.accelerator.backward(loss * self.args.world_size)
        sums = reduce(torch.tensor(tally.sums, device=self.args.device), "sum")
        self._told = tally.metrics(sums.tolist())
        self._tokens += self._told.pop("tokens")
        self._told["num_tokens"] = self._tokens
        return torch.tensor(self._told.pop("loss"), device=self.args.device)

    def log(self, logs: dict[str, float], *more: Any, **options: Any) -> None:
        super().log(logs | self._told if "loss" in logs else logs, *more, **options)


SUMS = (
    "loss",
    "nll",
    "rewards/chosen",
    "rewards/rejected",
    "rewards/accuracies",
    "logps/chosen",
    "logps/rejected",
    "kl",
    "tokens",
    "completions",
)


class _Tally:
    """The loss of one step, row by row, and what is told of it. `step`: the groups of all processes."""

    def __init__(self, step: Iterable[Group], beta: float, nll_weight: float) -> None:
        self.beta, self.nll_weight = beta, nll_weight
        self.pairs = self.chosen_tokens = 0
        for group in step:
            self.pairs += len(group.pairs)
            self.chosen_tokens += sum(len(group.completions[c]) for c, _ in group.pairs)
        self.sums = [0.0] * len(SUMS)

    def add(self, row: Sequence[Group], packed: Packed, logps: Tensor, reference: Tensor) -> Tensor:
        """The row's share of the loss: DPO as a mean over the step's pairs, NLL as a mean over their chosen tokens."""
        starts = [0, *accumulate(len(group.completions) for group in row)]
        pairs = [(start + c, start + r) for start, group in zip(starts, row, strict=False) for c, r in group.pairs]
        chosen, rejected = torch.tensor(pairs, device=logps.device).T
        losses = dpo_loss(logps[chosen], logps[rejected], reference[chosen], reference[rejected], self.beta)
        nll = -logps[chosen].sum() / self.chosen_tokens
        loss = losses.sum() / self.pairs + self.nll_weight * nll
        rewards = self.beta * (logps.detach() - reference)
        found = (
            loss.item(),
            nll.item(),
            rewards[chosen].sum().item(),
            rewards[rejected].sum().item(),
            (rewards[chosen] > rewards[rejected]).sum().item(),
            logps[chosen].sum().item(),
            logps[rejected].sum().item(),
            (reference - logps).sum().item(),
            packed.ids.numel(),
            len(logps),
        )
        self.sums = [before + value for before, value in zip(self.sums, found, strict=True)]
        return loss

    def metrics(self, sums: Sequence[float]) -> dict[str, float]:
        """Of the sums of all processes: means over the pairs. `kl` is a mean over the completions, which are samples of
        the reference: an estimate of KL(reference || policy), in nats a completion."""
        told = dict(zip(SUMS, sums, strict=True))
        told["kl"] /= told.pop("completions")
        for name in SUMS[2:7]:
            told[name] /= self.pairs
        return told | {"rewards/margins": told["rewards/chosen"] - told["rewards/rejected"]}
