"""Direct preference optimisation of a policy on the pairs of a run."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from autoif import chat
from autoif.config import Config, TrainConfig
from autoif.errors import EngineUnavailableError, InputError, MissingExtraError, NothingToDoError
from autoif.training.checkpoint import save_checkpoint
from autoif.training.curves import draw_curves
from autoif.training.groups import group_pairs
from autoif.training.load import load_policy, on_cpu, repeatable, use_cores
from autoif.training.pairs import LeftOut, digest, encode_pairs
from autoif.training.progress import Progress, quiet, silent
from autoif.training.trainers import Session, most_tokens, packed_trainer, sft_trainer, trl_trainer, with_adapter

if TYPE_CHECKING:
    from datasets import Dataset


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

    `start` is the checkpoint of an earlier round to go on from. `funnel` (records kept by stage) goes into the model
    card. The state is saved every `save_seconds` to `out/state`, from where the same training goes on after an
    interruption; it is removed at the end. All processes of `accelerate launch` call this alike, and each step is
    split among them.

    Raises InputError for a model that cannot be loaded or a malformed line of `pairs`, NothingToDoError when no pair
    is left to train on, AutoIFError when the loss is no longer a number.
    """
    started = time.monotonic()
    _need_libraries()
    untrained = config.train.model or config.policy.model
    model = str(start or untrained)
    with quiet():
        use_cores()  # before anything imports torch
        import transformers
        from accelerate import PartialState

        from autoif.training.packed import prepared, supports
        from autoif.training.packed_trainer import counts

        processes = PartialState(cpu=on_cpu(config.policy.device))
        policy, tokenizer = _load(config, model)
        packed = supports(policy)
        left_out = LeftOut()
        with processes.main_process_first():
            state = _state_folder(config, model, pairs, out, clean=processes.is_main_process)
            dataset = _encoded(config, policy, tokenizer, pairs, state, packed, left_out)
        count = sum(counts(dataset, "chosen")) if packed else len(dataset)
        if not count:
            why = f" ({left_out.too_long} are longer than train.max_length)" if left_out.too_long else ""
            raise NothingToDoError(f"{pairs}: there is nothing to train on, no pairs{why}.")
        transformers.set_seed(config.seed)  # the adapter is drawn before the trainer sets it
        if config.train.lora:
            policy = with_adapter(policy, config.train.lora)
        file = _reference_file(config, model, pairs, state, start)
        session = Session(config, policy, tokenizer, state, file, progress)
        if config.train.sft and start is None:
            _fine_tune(session, dataset, out / "sft_metrics.jsonl", save_seconds)
        reference = _load(config, untrained)[0] if start and config.train.reference == "start" else None
        trainer = (packed_trainer if packed else trl_trainer)(session, dataset, reference)
        del reference
        if trainer.is_deepspeed_enabled:
            _let_gather(trainer)
        with prepared(policy, not config.train.gradient_checkpointing) if packed else nullcontext():
            metrics = _run(trainer, state, out / "metrics.jsonl", progress, save_seconds)
        trained = _whole(trainer, config, model)
        if processes.is_main_process:
            save_checkpoint(trained, tokenizer, config, count, funnel or {}, out)
        processes.wait_for_everyone()
    if processes.is_main_process:
        draw_curves(out / "metrics.jsonl", out / "figures")
        shutil.rmtree(out / "state")
    seconds = round(time.monotonic() - started, 1)
    by: Literal["packed", "trl"] = "packed" if packed else "trl"
    return TrainSummary(out / "checkpoint", count, left_out.too_long, trainer.state.global_step, seconds, by, metrics)


def _need_libraries() -> None:
    for library in ("torch", "transformers", "datasets", "peft", "trl"):
        if find_spec(library) is None:
            raise MissingExtraError(library, "train")


def _load(config: Config, model: str) -> tuple[Any, Any]:
    try:
        return load_policy(model, _weights_dtype(config.train))
    except EngineUnavailableError as error:
        raise InputError(f"train.model: {error}") from None


def _weights_dtype(train: TrainConfig) -> str:
    """bfloat16 only under a LoRA adapter, which is float32 itself.

    Weights that are trained stay float32 and are computed with in bfloat16: a step of 1e-6 on a bfloat16 weight, whose
    neighbours are 0.4 % away, would be rounded to nothing.
    """
    return train.dtype if train.lora else "float32"


def _state_folder(config: Config, model: str, pairs: Path, out: Path, clean: bool) -> Path:
    """Where this very training can be resumed from; `clean` removes what another config or other pairs left behind."""
    key = f"{config.train.model_dump_json()} {config.seed} {model} {digest(pairs)}"
    state = out / "state" / hashlib.blake2b(key.encode(), digest_size=10).hexdigest()
    for other in (out / "state").glob("*") if clean else ():
        if other != state:
            shutil.rmtree(other)
    state.mkdir(parents=True, exist_ok=True)
    return state


def _reference_file(config: Config, model: str, pairs: Path, state: Path, start: Path | None) -> Path:
    """Where the reference's log-probabilities are kept: an untrained one's serve other trainings on these pairs too."""
    train = config.train
    if start or train.sft:
        return state / "reference.npy"
    made_of = (train.dtype, _weights_dtype(train), train.max_length, train.batch_size, train.micro_batch_size)
    key = hashlib.blake2b(repr((model, digest(pairs), made_of)).encode(), digest_size=10).hexdigest()
    return state.parents[1] / f"reference-{key}.npy"


def _encoded(
    config: Config, policy: Any, tokenizer: Any, pairs: Path, state: Path, packed: bool, left_out: LeftOut
) -> Dataset:
    """The token ids of all pairs, as groups or one by one. The first process to come writes them for all."""
    from datasets import Dataset

    from autoif.training.arrow import write_groups, write_pairs

    stops = frozenset(chat.stop_ids(tokenizer, policy.generation_config))
    rows = encode_pairs(tokenizer, pairs, stops, config.train.max_length, left_out)
    file = state / "pairs.arrow"
    if _main():
        if packed:
            write_groups(file, group_pairs(rows, config.train.batch_size, most_tokens(config.train)))
        else:
            write_pairs(file, rows)
    return Dataset.from_file(str(file))


def _fine_tune(session: Session, dataset: Dataset, log: Path, save_seconds: float) -> None:
    """Supervised fine-tuning of the policy on the chosen completions, in place.

    Its last state stays until the whole training has ended: a training killed later takes the policy from there.
    """
    from accelerate import PartialState
    from datasets import Dataset

    from autoif.training.arrow import write_chosen

    session = replace(session, state=session.state / "sft")
    file = session.state / "chosen.arrow"
    with PartialState().main_process_first():
        if _main():
            session.state.mkdir(exist_ok=True)
            write_chosen(file, dataset)
    trainer = sft_trainer(session, Dataset.from_file(str(file)))
    _run(trainer, session.state, log, session.progress, save_seconds, save_last=True)


def _run(
    trainer: Any, state: Path, metrics: Path, progress: Progress, save_seconds: float, save_last: bool = False
) -> Mapping[str, float]:
    """Trains from the newest state to the end; returns the metrics of the last step."""
    from autoif.training.trainer import MetricsCallback, SaveCallback, saved_state

    log = MetricsCallback(metrics, progress)
    trainer.add_callback(log)
    trainer.add_callback(SaveCallback(state, save_seconds, save_last))
    with repeatable(trainer.args.device.type):
        trainer.train(resume_from_checkpoint=saved_state(state))
    return log.last


def _let_gather(trainer: Any) -> None:
    """ZeRO-3 puts the weights together at the end if it was told so before the beginning alone."""
    zero = trainer.accelerator.state.deepspeed_plugin.deepspeed_config.setdefault("zero_optimization", {})
    zero["stage3_gather_16bit_weights_on_model_save"] = True  # in whichever precision they are


def _whole(trainer: Any, config: Config, model: str) -> Any:
    """The trained policy; where FSDP or DeepSpeed keep it in parts, the main process puts them into a fresh one."""
    if not (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):
        return trainer.model
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    unset_hf_deepspeed_config()  # or ZeRO-3 would have what is loaded next in parts again
    if not _main():
        return None
    policy = _load(config, model)[0]
    policy = with_adapter(policy, config.train.lora) if config.train.lora else policy
    policy.load_state_dict(weights)
    return policy


def _main() -> bool:
    """Whether this is the process that writes files."""
    from accelerate import PartialState

    return bool(PartialState().is_main_process)
