"""The trainers, as the configuration wants them: our own, and TRL's. Imports TRL when it is needed only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoif.config import Config as RunConfig
from autoif.config import LoraConfig, TrainConfig
from autoif.errors import InputError
from autoif.training.load import on_cpu
from autoif.training.progress import Progress

if TYPE_CHECKING:
    from datasets import Dataset
    from trl.trainer.sft_trainer import SFTTrainer

    from autoif.training.packed_trainer import PackedTrainer
    from autoif.training.trainer import PairTrainer


@dataclass(frozen=True, slots=True)
class Session:
    """What the trainers of one training have in common. `policy` carries its adapter; `state` is where they save.
    `reference` is the file for the log-probabilities of the model that the policy is held close to."""

    config: RunConfig
    policy: Any
    tokenizer: Any
    state: Path
    reference: Path
    progress: Progress


def packed_trainer(session: Session, groups: Dataset, reference: Any) -> PackedTrainer:
    """Steps over groups. The model `reference` is not needed afterwards; None is the policy as it is.

    It is read at the precision of the training: log-probabilities in bfloat16 differ by some tenths of a nat
    (docs/experiments.md), which would pass for something learned.
    """
    import torch
    from transformers import TrainingArguments

    from autoif.training.packed_trainer import PackedTrainer, Reference, Steps

    train = session.config.train
    arguments = TrainingArguments(**_arguments(session), per_device_train_batch_size=1, remove_unused_columns=False)
    session.policy.to(arguments.device)
    told = Reference(groups)
    model = session.policy if reference is None else reference.to(arguments.device)
    with torch.autocast(arguments.device.type, torch.bfloat16, enabled=arguments.bf16):
        told.compute(model, most_tokens(train), session.reference, session.progress)
    return PackedTrainer(
        model=session.policy,
        args=arguments,
        processing_class=session.tokenizer,
        train_dataset=Steps(groups, train.batch_size, session.config.seed, arguments.world_size),
        reference=told,
        beta=train.beta,
        nll_weight=train.nll_weight,
        most_tokens=most_tokens(train),
    )


def trl_trainer(session: Session, pairs: Dataset, reference: Any) -> PairTrainer:
    """TRL's DPO. The reference is the policy as it is where it is None."""
    from trl.trainer.dpo_config import DPOConfig

    from autoif.training.trainer import PairTrainer, collator

    train = session.config.train
    with_nll = train.nll_weight > 0
    arguments = DPOConfig(
        **_arguments(session),
        **_batches(train),
        beta=train.beta,
        loss_type=["sigmoid", "sft"] if with_nll else ["sigmoid"],
        loss_weights=[1.0, train.nll_weight] if with_nll else None,
        precompute_ref_log_probs=True,
        max_length=None,
        disable_dropout=train.lora is None or not train.lora.dropout,
    )
    return PairTrainer(
        model=session.policy,
        ref_model=reference,
        args=arguments,
        processing_class=session.tokenizer,
        train_dataset=pairs,
        data_collator=collator(session.tokenizer.pad_token_id),
        progress=session.progress,
    )


def sft_trainer(session: Session, chosen: Dataset) -> SFTTrainer:
    """TRL's supervised fine-tuning on completions that are tokens already; the loss is a mean over their tokens."""
    from transformers.trainer_callback import PrinterCallback
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    train, wanted = session.config.train, session.config.train.sft
    assert wanted is not None
    overridden = {"learning_rate": wanted.learning_rate, "num_train_epochs": wanted.epochs, "max_steps": -1}
    trainer = SFTTrainer(
        model=session.policy,
        args=SFTConfig(
            **_arguments(session) | overridden,
            **_batches(train),
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
        ),
        processing_class=session.tokenizer,
        train_dataset=chosen,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def with_adapter(policy: Any, lora: LoraConfig) -> Any:
    """The policy under a fresh LoRA adapter, which changes nothing yet."""
    from peft import LoraConfig as Adapter
    from peft import get_peft_model

    policy.enable_input_require_grads()  # or gradient checkpointing would cut the adapter off
    adapter = Adapter(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(policy, adapter)


def most_tokens(train: TrainConfig) -> int:
    """Of one forward pass: what `micro_batch_size` pairs may have."""
    return 2 * train.micro_batch_size * train.max_length


def _batches(train: TrainConfig) -> dict[str, Any]:
    """A step of `batch_size` in forward passes of `micro_batch_size` on every process."""
    from accelerate import PartialState

    together = train.micro_batch_size * PartialState().num_processes
    if train.batch_size % together:
        raise InputError(
            f"train.batch_size: {train.batch_size} is not a multiple of {together} (train.micro_batch_size times the "
            "number of processes); change one of them."
        )
    return {
        "per_device_train_batch_size": train.micro_batch_size,
        "gradient_accumulation_steps": train.batch_size // together,
    }


def _arguments(session: Session) -> dict[str, Any]:
    """What all trainers are told."""
    config, train = session.config, session.config.train
    return {
        "output_dir": str(session.state),
        "num_train_epochs": train.epochs,
        "max_steps": train.max_steps or -1,
        "learning_rate": train.learning_rate,
        "lr_scheduler_type": "cosine_warmup_with_min_lr",
        "lr_scheduler_kwargs": {"min_lr_rate": 0.1},
        "warmup_steps": min(train.warmup, 0.9999),  # 1 would be one step, less than 1 is a share
        "bf16": train.dtype == "bfloat16",
        "gradient_checkpointing": train.gradient_checkpointing,
        "use_cpu": on_cpu(config.policy.device),
        "seed": config.seed,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "dataloader_pin_memory": False,
        "ddp_find_unused_parameters": False,
        "save_strategy": "no",  # SaveCallback saves by the clock
        "save_total_limit": 1,
        "report_to": list(train.report_to) or "none",
        "disable_tqdm": True,
    }
