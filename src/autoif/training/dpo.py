"""Direct preference optimisation of a policy on the pairs of a run."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from autoif import chat
from autoif.config import Config, TrainConfig
from autoif.config import LoraConfig as AdapterConfig
from autoif.errors import EngineUnavailableError, InputError, MissingExtraError, NothingToDoError
from autoif.training.checkpoint import save_checkpoint
from autoif.training.curves import draw_curves
from autoif.training.groups import group_pairs
from autoif.training.load import load_policy, use_cores
from autoif.training.pairs import LeftOut, Row, digest, encode_pairs
from autoif.training.progress import Progress, quiet, silent

if TYPE_CHECKING:
    from datasets import Dataset
    from peft import LoraConfig

    from autoif.training.packed_trainer import PackedTrainer
    from autoif.training.trainer import PairTrainer


@dataclass(frozen=True, slots=True)
class TrainSummary:
    """What a training did. `metrics` are those of the last step."""

    checkpoint: Path
    pairs: int
    too_long: int
    steps: int
    seconds: float
    by: Literal["packed", "trl"]
    """Who computed the steps: our own, or TRL for an architecture that they do not support."""
    metrics: Mapping[str, float]


def train(
    config: Config,
    pairs: Path,
    out: Path,
    *,
    start: Path | None = None,
    funnel: Mapping[str, int] | None = None,
    progress: Progress = silent,
    save_seconds: float = 300.0,
) -> TrainSummary:
    """Trains the policy of `config` on a file of preference pairs; writes checkpoint, metrics.jsonl, figures to `out`.

    `start` is a checkpoint of an earlier round to go on from; the reference is then the one that `train.reference` says,
    else the policy as it is. `funnel` (records kept by stage) goes into the model card. The state is saved every `save_seconds` to `out/state`,
    from where the same training goes on after an interruption; it is removed at the end.

    Raises InputError for a model that cannot be loaded or a malformed line of `pairs`, NothingToDoError when no pair
    is left to train on, AutoIFError when the loss is no longer a number.
    """
    started = time.monotonic()
    _need_libraries()
    untrained = config.train.model or config.policy.model
    model = str(start or untrained)
    state = _state_folder(config, model, pairs, out)
    left_out = LeftOut()
    with quiet():
        use_cores()  # before anything imports torch
        import transformers

        from autoif.training.packed import prepared, supports
        from autoif.training.packed_trainer import counts
        from autoif.training.trainer import MetricsCallback, SaveCallback, saved_state

        policy, tokenizer = _load(config, model)
        packed = supports(policy)
        stops = frozenset(chat.stop_ids(tokenizer, policy.generation_config))
        rows = encode_pairs(tokenizer, pairs, stops, config.train.max_length, left_out)
        dataset = _on_disk(rows, config, state, packed)
        count = sum(counts(dataset, "chosen")) if packed else len(dataset)
        if not count:
            why = f" ({left_out.too_long} are longer than train.max_length)" if left_out.too_long else ""
            raise NothingToDoError(f"{pairs}: there is nothing to train on, no pairs{why}.")
        transformers.set_seed(config.seed)  # the adapter is drawn before the trainer sets it
        make = _packed_trainer if packed else _trl_trainer
        reference = untrained if start and config.train.reference == "start" else None
        trainer = make(policy, reference, tokenizer, dataset, config, state, progress)
        log = MetricsCallback(out / "metrics.jsonl", progress)
        trainer.add_callback(log)
        trainer.add_callback(SaveCallback(state, save_seconds))
        with prepared(policy) if packed else nullcontext():
            trainer.train(resume_from_checkpoint=saved_state(state))
        save_checkpoint(trainer.model, tokenizer, config, count, funnel or {}, out)
    draw_curves(out / "metrics.jsonl", out / "figures")
    shutil.rmtree(out / "state")
    seconds = round(time.monotonic() - started, 1)
    by: Literal["packed", "trl"] = "packed" if packed else "trl"
    return TrainSummary(out / "checkpoint", count, left_out.too_long, trainer.state.global_step, seconds, by, log.last)


def _need_libraries() -> None:
    for library in ("torch", "transformers", "datasets", "peft", "trl"):
        if find_spec(library) is None:
            raise MissingExtraError(library, "train")


def _load(config: Config, model: str) -> tuple[Any, Any]:
    try:
        return load_policy(model, _weights_dtype(config.train))
    except EngineUnavailableError as error:
        raise InputError(f"train.model: {error}") from None


def _state_folder(config: Config, model: str, pairs: Path, out: Path) -> Path:
    """Where this very training can be resumed from; what another config or other pairs left behind is removed."""
    key = f"{config.train.model_dump_json()} {config.seed} {model} {digest(pairs)}"
    state = out / "state" / hashlib.blake2b(key.encode(), digest_size=10).hexdigest()
    for other in (out / "state").glob("*"):
        if other != state:
            shutil.rmtree(other)
    state.mkdir(parents=True, exist_ok=True)
    return state


def _weights_dtype(train: TrainConfig) -> str:
    """bfloat16 only under a LoRA adapter, which is float32 itself.

    Weights that are trained stay float32 and are computed with in bfloat16: a step of 1e-6 on a bfloat16 weight, whose
    neighbours are 0.4 % away, would be rounded to nothing.
    """
    return train.dtype if train.lora else "float32"


def _on_disk(rows: Iterable[Row], config: Config, state: Path, packed: bool) -> Dataset:
    """The token ids of all pairs, as groups or one by one, in a file that is read as needed."""
    from datasets import Dataset
    from datasets.arrow_writer import ArrowWriter

    from autoif.training.packed_trainer import COLUMNS as GROUPS
    from autoif.training.packed_trainer import as_row
    from autoif.training.trainer import COLUMNS as PAIRS

    file = state / "pairs.arrow"
    groups = group_pairs(rows, config.train.batch_size, _most_tokens(config.train))
    with ArrowWriter(path=str(file), features=GROUPS if packed else PAIRS) as writer:
        for row in map(as_row, groups) if packed else rows:
            writer.write(row)
        writer.finalize()
    return Dataset.from_file(str(file))


def _most_tokens(train: TrainConfig) -> int:
    """Of one forward pass: what `micro_batch_size` pairs may have."""
    return 2 * train.micro_batch_size * train.max_length


def _packed_trainer(
    policy: Any,
    untrained: str | None,
    tokenizer: Any,
    groups: Dataset,
    config: Config,
    state: Path,
    progress: Progress,
) -> PackedTrainer:
    """The reference is the policy as it is, or the model `untrained`."""
    from transformers import TrainingArguments

    from autoif.training.packed_trainer import PackedTrainer, Reference, Steps

    train = config.train
    options = _arguments(config, state) | {"per_device_train_batch_size": 1, "remove_unused_columns": False}
    arguments = TrainingArguments(**options)
    policy.to(arguments.device)
    reference = Reference(groups)
    model = _load(config, untrained)[0].to(arguments.device) if untrained else policy
    reference.compute(model, _most_tokens(train), state / "reference.npy", progress)
    del model
    if train.lora:
        from peft import get_peft_model

        policy.enable_input_require_grads()  # or gradient checkpointing would cut the adapter off
        policy = get_peft_model(policy, _adapter(train.lora))
    return PackedTrainer(
        model=policy,
        args=arguments,
        processing_class=tokenizer,
        train_dataset=Steps(groups, train.batch_size, config.seed),
        reference=reference,
        beta=train.beta,
        nll_weight=train.nll_weight,
        most_tokens=_most_tokens(train),
    )


def _trl_trainer(
    policy: Any,
    untrained: str | None,
    tokenizer: Any,
    dataset: Dataset,
    config: Config,
    state: Path,
    progress: Progress,
) -> PairTrainer:
    from trl.trainer.dpo_config import DPOConfig

    from autoif.training.trainer import PairTrainer, collator

    train = config.train
    with_nll = train.nll_weight > 0
    arguments = DPOConfig(
        **_arguments(config, state),
        beta=train.beta,
        loss_type=["sigmoid", "sft"] if with_nll else ["sigmoid"],
        loss_weights=[1.0, train.nll_weight] if with_nll else None,
        precompute_ref_log_probs=True,
        max_length=None,
        per_device_train_batch_size=train.micro_batch_size,
        gradient_accumulation_steps=train.batch_size // train.micro_batch_size,
        disable_dropout=train.lora is None or not train.lora.dropout,
    )
    return PairTrainer(
        model=policy,
        ref_model=_load(config, untrained)[0] if untrained else None,
        args=arguments,
        processing_class=tokenizer,
        train_dataset=dataset,
        data_collator=collator(tokenizer.pad_token_id),
        peft_config=_adapter(train.lora) if train.lora else None,
        progress=progress,
    )


def _arguments(config: Config, state: Path) -> dict[str, Any]:
    """What both trainers are told."""
    train = config.train
    return {
        "output_dir": str(state),
        "num_train_epochs": train.epochs,
        "max_steps": train.max_steps or -1,
        "learning_rate": train.learning_rate,
        "lr_scheduler_type": "cosine_warmup_with_min_lr",
        "lr_scheduler_kwargs": {"min_lr_rate": 0.1},
        "warmup_steps": min(train.warmup, 0.9999),  # 1 would be one step, less than 1 is a share
        "bf16": train.dtype == "bfloat16",
        "gradient_checkpointing": train.gradient_checkpointing,
        "use_cpu": config.policy.device == "cpu",
        "seed": config.seed,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "dataloader_pin_memory": False,
        "save_strategy": "no",  # SaveCallback saves by the clock
        "save_total_limit": 1,
        "report_to": list(train.report_to) or "none",
        "disable_tqdm": True,
    }


def _adapter(lora: AdapterConfig) -> LoraConfig:
    from peft import LoraConfig

    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
