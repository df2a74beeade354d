"""TRL's DPO trainer on pairs that are tokens already. Imports torch and TRL: import it only to train."""

from __future__ import annotations

import json
import math
import shutil
import time
from pathlib import Path
from typing import Any, TextIO

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from datasets import Dataset
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer

from autoif.errors import AutoIFError
from autoif.stopping import asked, stop_if_asked
from autoif.training.progress import Progress

WHOLE = "whole"
"""Marks a saved state as completely written."""

PEAKS = {"B200": 2250, "H200": 989, "H100": 989, "A100": 312, "L40S": 362, "L4": 121, "RTX 4090": 165}
"""Dense bfloat16 TFLOP/s of GPUs by a part of their name, from NVIDIA's data sheets."""


class PairTrainer(DPOTrainer):
    """DPOTrainer with our token ids, the NLL among its metrics, and progress while it computes the reference."""

    def __init__(self, *args: Any, progress: Progress, **options: Any) -> None:
        self._progress = progress
        self._referred = 0
        self._pairs = len(options["train_dataset"])
        super().__init__(*args, **options)
        self.remove_callback(PrinterCallback)

    def _prepare_dataset(self, dataset: Dataset, *unused: Any) -> Dataset:
        """TRL would render and tokenise by itself, with its own idea of the prompt and the end of a turn."""
        return dataset

    def compute_ref_log_probs(self, model: Any, inputs: dict[str, Tensor]) -> Any:
        parent: Any = super()
        logps = parent.compute_ref_log_probs(model, inputs)
        self._referred += len(inputs["input_ids"]) // 2
        self._progress(0, 0, {"reference_pairs": self._referred, "pairs": self._pairs})
        return logps

    def _compute_loss(self, model: Any, inputs: dict[str, Tensor], return_outputs: bool) -> Any:
        """TRL logs its sum of losses; the NLL follows from the log-probabilities that it logs."""
        parent: Any = super()
        loss = parent._compute_loss(model, inputs, return_outputs)
        metrics = self._metrics["train"]
        chosen = inputs["completion_mask"].chunk(2)[0][:, 1:]
        metrics["nll"].append(-metrics["logps/chosen"][-1] * len(chosen) / chosen.sum().item())
        return loss


def collator(pad_id: int) -> DataCollatorForPreference:
    return DataCollatorForPreference(pad_token_id=pad_id)


class MetricsCallback(TrainerCallback):
    """Appends one JSON line per step to a file, and tells the caller how far the training is."""

    def __init__(self, file: Path, progress: Progress) -> None:
        self._file = file
        self._progress = progress
        self._lines: TextIO | None = None
        self.last: dict[str, float] = {}

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **on: Any) -> None:
        if state.is_world_process_zero:
            _keep_steps(self._file, state.global_step)
            self._lines = self._file.open("a", encoding="utf-8")
        self._tokens, self._clock = 0.0, time.monotonic()
        self._full_rate = full_rate(on["model"].num_parameters(), args.device) * args.world_size

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        logs = more["logs"]
        if "loss" not in logs:  # the summary at the end
            return
        if not math.isfinite(logs["loss"]):
            raise AutoIFError(f"The training diverged at step {state.global_step}: lower train.learning_rate.")
        rate = self._rate(logs["num_tokens"])
        self.last = metrics = {"step": state.global_step, **logs, "tokens_per_second": rate}
        if self._full_rate:
            metrics["mfu"] = round(rate / self._full_rate, 4)
        if self._lines is not None:
            self._lines.write(json.dumps(metrics) + "\n")
            self._lines.flush()
        self._progress(state.global_step, state.max_steps, metrics)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._lines is not None:
            self._lines.close()

    def _rate(self, tokens: float) -> float:
        """Tokens read per second since the last step."""
        now = time.monotonic()
        rate = (tokens - self._tokens) / max(now - self._clock, 1e-9)
        self._tokens, self._clock = tokens, now
        return round(rate, 1)


def full_rate(parameters: int, device: torch.device) -> float:
    """Tokens per second of training at a GPU's peak: 6 FLOP for each weight and token (arXiv 2001.08361, section 2.1).

    0 on a CPU, and on a GPU whose peak is not known here. The share of it that is reached is the MFU.
    """
    if device.type != "cuda":
        return 0.0
    name = torch.cuda.get_device_name(device)
    peak = next((peak for part, peak in PEAKS.items() if part in name), 0)
    return peak * 1e12 / (6 * parameters)


class SaveCallback(TrainerCallback):
    """Saves the state of the training every so many seconds, or to stop, and marks what is completely written.

    The main process's clock decides for all. `save_last`: at the end as well.
    """

    def __init__(self, folder: Path, seconds: float, save_last: bool) -> None:
        self._folder = folder
        self._seconds = seconds
        self._save_last = save_last
        self._clock = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.global_step == state.max_steps:
            control.should_save = self._save_last
        else:
            due = [asked() or time.monotonic() - self._clock >= self._seconds]
            control.should_save = broadcast_object_list(due)[0] if args.world_size > 1 else due[0]

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        PartialState().wait_for_everyone()  # every process has written its part
        (self._folder / f"checkpoint-{state.global_step}" / WHOLE).touch()
        self._clock = time.monotonic()
        stop_if_asked()


def saved_state(work: Path) -> str | None:
    """The newest completely written state in `work`; half-written ones are removed."""
    with PartialState().main_process_first():
        return _saved_state(work)


def _saved_state(work: Path) -> str | None:
    states = sorted(work.glob("checkpoint-*"), key=lambda state: int(state.name.split("-")[1]))
    whole = [state for state in states if (state / WHOLE).exists()]
    for state in states:
        if state not in whole[-1:]:
            shutil.rmtree(state)
    return str(whole[-1]) if whole else None


def _keep_steps(file: Path, step: int) -> None:
    """Forgets what was logged after the state that the training goes on from, and a torn last line."""
    kept = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except ValueError:
            break
    file.write_text("".join(kept), encoding="utf-8")
