"""Real trainings of the Llama in miniature: a second or two each once TRL is imported."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

from autoif import chat
from autoif.config import Config
from autoif.config_file import parse_config
from autoif.errors import AutoIFError, InputError, NothingToDoError
from autoif.training import TrainSummary, dpo_loss, nll_loss, token_logps, train
from autoif.training.pairs import Pair, encode_pair

FRUIT = ["apple", "pear", "plum", "fig", "lime", "date", "kiwi", "melon"]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Tests run side by side, and the model is tiny."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Eight pairs: lower case is chosen, upper case rejected."""
    file = tmp_path / "records.jsonl"
    file.write_text("".join(json.dumps(pair(fruit)) + "\n" for fruit in FRUIT), encoding="utf-8")
    return file


def pair(fruit: str) -> dict[str, Any]:
    said = {
        "prompt": ("user", f"Say {fruit}."),
        "chosen": ("assistant", fruit),
        "rejected": ("assistant", fruit.upper()),
    }
    return {"id": fruit} | {key: [{"role": role, "content": text}] for key, (role, text) in said.items()}


def config(model: Path, **settings: Any) -> Config:
    settings = {"learning_rate": 1e-2, "batch_size": 4, "max_length": 200, "warmup": 0.0} | settings
    return parse_config({"policy": {"model": str(model), "device": "cpu"}, "train": settings}, "test")


def logged(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def test_training_prefers_chosen_and_leaves_a_loadable_checkpoint(
    tiny_llama: Path, pairs: Path, tmp_path: Path
) -> None:
    told: list[tuple[int, int, Mapping[str, float]]] = []
    out = tmp_path / "08_train"
    summary = train(config(tiny_llama, epochs=3), pairs, out, progress=lambda *what: told.append(what))
    steps = logged(out)
    assert (summary.pairs, summary.too_long, summary.steps) == (8, 0, 6)
    assert [step["step"] for step in steps] == [1, 2, 3, 4, 5, 6]
    assert steps[0]["loss"] == pytest.approx(0.6931, abs=1e-3)
    assert steps[-1]["loss"] < 0.6
    assert steps[-1]["rewards/margins"] > 0
    assert steps[-1]["rewards/accuracies"] == 1
    assert {"nll", "logps/chosen", "logps/rejected", "learning_rate", "tokens_per_second"} <= steps[-1].keys()
    assert summary.metrics == steps[-1]
    assert [what[:2] for what in told if what[0]] == [(step, 6) for step in range(1, 7)]
    assert [what[2]["reference_pairs"] for what in told if not what[0]] == [6, 8]
    assert not (out / "state").exists()
    assert {file.stem for file in (out / "figures").iterdir()} == {"loss", "nll", "margins", "accuracy", "logps"}
    _loads(summary)


def test_a_training_with_other_settings_takes_the_log_probabilities_of_the_same_reference(
    tiny_llama: Path, pairs: Path, tmp_path: Path
) -> None:
    def told_of_reference(beta: float, out: Path) -> int:
        told: list[Mapping[str, float]] = []
        train(config(tiny_llama, beta=beta, max_steps=1), pairs, out, progress=lambda *what: told.append(what[2]))
        return sum("reference_pairs" in metrics for metrics in told)

    first, second = tmp_path / "first", tmp_path / "second"
    assert told_of_reference(0.1, first)
    (file,) = first.glob("reference-*.npy")
    second.mkdir()
    shutil.copy(file, second)
    assert not told_of_reference(0.5, second)
    assert logged(second)[0]["rewards/margins"] == 0  # it is the policy as it begins


def _loads(summary: TrainSummary) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(summary.checkpoint)
    model = AutoModelForCausalLM.from_pretrained(summary.checkpoint)
    assert "<|start_header_id|>" in tokenizer.chat_template
    assert tokenizer.pad_token == "<|finetune_right_pad_id|>"
    stops = [tokenizer.convert_tokens_to_ids(token) for token in ("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>")]
    assert sorted(stops) == model.generation_config.eos_token_id
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id


def test_learning_rate_warms_up_and_falls_to_a_tenth(tiny_llama: Path, pairs: Path, tmp_path: Path) -> None:
    settings = config(tiny_llama, epochs=5, learning_rate=1e-4, warmup=0.2)
    train(settings, pairs, tmp_path / "out")
    rates = [step["learning_rate"] for step in logged(tmp_path / "out")]
    assert rates[:2] == pytest.approx([5e-5, 1e-4])
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] == pytest.approx(1e-5)


class Stop(Exception):
    pass


def stop_at(step: int) -> Callable[..., None]:
    def progress(now: int, steps: int, metrics: Mapping[str, float]) -> None:
        if now == step:
            raise Stop

    return progress


def test_an_interrupted_training_goes_on_to_the_same_weights(tiny_llama: Path, pairs: Path, tmp_path: Path) -> None:
    settings = config(tiny_llama, epochs=3, lora={"rank": 2, "dropout": 0.1})
    whole = train(settings, pairs, tmp_path / "whole")
    out = tmp_path / "interrupted"
    for step in (2, 5):
        with pytest.raises(Stop):
            train(settings, pairs, out, progress=stop_at(step), save_seconds=0)
    (next((out / "state").iterdir()) / "checkpoint-5").mkdir()  # killed while it was being written
    with (out / "metrics.jsonl").open("a") as log:
        log.write('{"step": 6, "lo')
    resumed = train(settings, pairs, out)
    assert resumed.steps == 6
    assert [step["step"] for step in logged(out)] == [1, 2, 3, 4, 5, 6]
    assert [s["loss"] for s in logged(out)] == [s["loss"] for s in logged(tmp_path / "whole")]
    for name, tensor in weights(whole.checkpoint).items():
        assert tensor.equal(weights(resumed.checkpoint)[name]), name


@pytest.mark.parametrize("lora", [None, {"rank": 2}])
def test_sft_comes_first_and_a_training_killed_after_it_goes_on_from_there(
    tiny_llama: Path, pairs: Path, tmp_path: Path, lora: dict[str, int] | None
) -> None:
    with pairs.open("a") as file:  # the last prompt has a second pair with the same chosen completion
        again = pair(FRUIT[-1]) | {"rejected": [{"role": "assistant", "content": "NO"}]}
        file.write(json.dumps(again) + "\n")
    settings = config(tiny_llama, sft={"learning_rate": 1e-2, "epochs": 2}, lora=lora)
    whole = train(settings, pairs, tmp_path / "whole")
    tuned = [json.loads(line) for line in (tmp_path / "whole" / "sft_metrics.jsonl").read_text().splitlines()]
    assert len(tuned) == 4  # 8 completions, 4 a step, twice
    assert tuned[-1]["loss"] < tuned[0]["loss"] - 0.2
    first = logged(tmp_path / "whole")[0]
    assert first["rewards/margins"] == pytest.approx(0, abs=1e-5)  # the reference is the fine-tuned policy
    assert -first["logps/chosen"] < 0.97 * -logged_without_sft(tiny_llama, pairs, tmp_path)["logps/chosen"]
    out = tmp_path / "interrupted"
    for step in (3, 5):  # in the fine-tuning, and in the first step after it
        with pytest.raises(Stop):
            train(settings, pairs, out, progress=stop_after(step), save_seconds=0)
    resumed = train(settings, pairs, out)
    for name, tensor in weights(whole.checkpoint).items():
        assert tensor.equal(weights(resumed.checkpoint)[name]), name


def logged_without_sft(model: Path, pairs: Path, tmp_path: Path) -> dict[str, float]:
    train(config(model, max_steps=1), pairs, tmp_path / "plain")
    return logged(tmp_path / "plain")[0]


def stop_after(calls: int) -> Callable[..., None]:
    """Stops at the so manieth step of all trainings together."""
    seen = []

    def progress(now: int, steps: int, metrics: Mapping[str, float]) -> None:
        seen.append(now)
        if sum(map(bool, seen)) == calls:
            raise Stop

    return progress


def test_another_config_does_not_go_on_from_the_old_state(tiny_llama: Path, pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(Stop):
        train(config(tiny_llama), pairs, out, progress=stop_at(2), save_seconds=0)
    assert list((out / "state").glob("*/checkpoint-1"))
    train(config(tiny_llama, beta=0.2), pairs, out)
    assert logged(out)[0]["rewards/margins"] == pytest.approx(0, abs=1e-4)


def test_the_loss_is_the_formula(tiny_llama: Path, pairs: Path, tmp_path: Path) -> None:
    """The loss that TRL logs at step 2 is ours, of the policy after step 1 against the untrained model."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out = tmp_path / "out"
    settings = config(tiny_llama, epochs=2, batch_size=8, micro_batch_size=8, nll_weight=0.7)
    with pytest.raises(Stop):
        train(settings, pairs, out, progress=stop_at(2), save_seconds=0)
    policy_folder = next((out / "state").glob("*/checkpoint-1"))
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)

    def read(folder: Path, side: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities and mask, each (pairs, tokens - 1)."""
        model = AutoModelForCausalLM.from_pretrained(folder).eval()
        logps, masks = torch.zeros(len(FRUIT), 200), torch.zeros(len(FRUIT), 200)
        for number, fruit in enumerate(FRUIT):
            stops = frozenset(chat.stop_ids(tokenizer))
            row = encode_pair(tokenizer, Pair.model_validate(pair(fruit)), stops)
            ids = torch.tensor([row["prompt_ids"] + row[side]])
            found = token_logps(model(ids).logits, ids)[0]
            logps[number, : len(found)] = found
            masks[number, len(row["prompt_ids"]) - 1 : len(found)] = 1
        return logps, masks

    with torch.inference_mode():
        read_all = {(f, s): read(f, s) for f in (policy_folder, tiny_llama) for s in ("chosen_ids", "rejected_ids")}
    summed = [(logps * mask).sum(1) for logps, mask in read_all.values()]
    nll = nll_loss(*read_all[policy_folder, "chosen_ids"])
    step = logged(out)[1]
    assert step["nll"] == pytest.approx(nll.item(), rel=1e-4)
    assert step["loss"] == pytest.approx((dpo_loss(*summed, beta=0.1).mean() + 0.7 * nll).item(), rel=1e-4)


def test_nll_keeps_chosen_likely(tiny_llama: Path, pairs: Path, tmp_path: Path) -> None:
    for weight in (0.0, 1.0):
        train(config(tiny_llama, epochs=2, nll_weight=weight), pairs, tmp_path / str(weight))
    without, with_nll = logged(tmp_path / "0.0"), logged(tmp_path / "1.0")
    assert with_nll[0]["loss"] == pytest.approx(without[0]["loss"] + without[0]["nll"], rel=1e-3)
    assert with_nll[-1]["nll"] < without[-1]["nll"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_lora_leaves_an_adapter_and_a_merged_checkpoint(
    tiny_llama: Path, pairs: Path, tmp_path: Path, dtype: str
) -> None:
    import torch

    settings = config(tiny_llama, lora={"rank": 4, "alpha": 8}, dtype=dtype, epochs=2)
    summary = train(settings, pairs, tmp_path / "out")
    assert summary.metrics["rewards/margins"] > 0
    assert (tmp_path / "out" / "adapter" / "adapter_model.safetensors").is_file()
    before, after = weights(tiny_llama), weights(summary.checkpoint)
    assert before.keys() == after.keys()
    assert {tensor.dtype for tensor in after.values()} == {getattr(torch, dtype)}
    changed = {name for name in before if not before[name].allclose(after[name].float(), atol=1e-2)}
    assert changed
    assert all("_proj" in name for name in changed)
    _loads(summary)


def test_full_bfloat16_moves_weights_that_bfloat16_would_round_back(
    tiny_llama: Path, pairs: Path, tmp_path: Path
) -> None:
    """With bfloat16 weights a step of 1e-6 changes nothing, whatever the learning: they stay float32 while trained."""
    out = tmp_path / "out"
    settings = config(tiny_llama, dtype="bfloat16", learning_rate=1e-6, batch_size=8, epochs=2)
    with pytest.raises(Stop):
        train(settings, pairs, out, progress=stop_at(2), save_seconds=0)
    before, after = weights(tiny_llama), weights(next((out / "state").glob("*/checkpoint-1")))
    name = "model.layers.0.mlp.up_proj.weight"
    assert 0 < (before[name] - after[name]).abs().max() < 1e-5


def test_the_reference_is_read_at_the_precision_of_the_training(tiny_llama: Path, pairs: Path, tmp_path: Path) -> None:
    train(config(tiny_llama, dtype="bfloat16", beta=1.0, max_steps=1), pairs, tmp_path / "out")
    [first] = logged(tmp_path / "out")
    assert (first["kl"], first["rewards/margins"]) == (0, 0)


def test_too_long_pairs_are_counted(tiny_llama: Path, pairs: Path, tmp_path: Path) -> None:
    with pairs.open("a") as file:
        file.write(json.dumps(pair("banana" * 50)) + "\n")
    summary = train(config(tiny_llama, max_steps=1), pairs, tmp_path / "out")
    assert (summary.pairs, summary.too_long, summary.steps) == (8, 1, 1)


def test_nothing_to_train_on(tiny_llama: Path, pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingToDoError, match=r"no pairs \(8 are longer than train.max_length\)"):
        train(config(tiny_llama, max_length=10), pairs, tmp_path / "out")
    pairs.write_text("")
    with pytest.raises(NothingToDoError, match="nothing to train on, no pairs\\."):
        train(config(tiny_llama), pairs, tmp_path / "out")


def test_a_malformed_line_is_named(tiny_llama: Path, pairs: Path, tmp_path: Path) -> None:
    with pairs.open("a") as file:
        file.write("{]\n")
    with pytest.raises(InputError, match=r"records\.jsonl line 9"):
        train(config(tiny_llama), pairs, tmp_path / "out")


def test_a_model_that_is_not_there_is_named(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train\.model"):
        train(config(Path("gpt-model-name")), pairs, tmp_path / "out")


def test_a_training_that_diverges_says_so(tiny_llama: Path, pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(AutoIFError, match="diverged at step"):
        train(config(tiny_llama, learning_rate=1e30, epochs=2), pairs, tmp_path / "out")


def test_the_libraries_bars_are_back_afterwards(tiny_llama: Path, pairs: Path, tmp_path: Path) -> None:
    train(config(tiny_llama, max_steps=1), pairs, tmp_path / "out")
    assert "TQDM_DISABLE" not in os.environ


PROCESS = """
import json, os, sys
from pathlib import Path
from autoif.config_file import parse_config
from autoif.training import train
settings, pairs, out = sys.argv[1:]
train(parse_config(json.loads(settings), "test"), Path(pairs), Path(out))
import torch.distributed as run
Path(out, f"process_{os.environ['RANK']}").write_text(f"{run.get_backend()} {run.get_world_size()}")
"""


SHARDED = """
import json, os, sys
from pathlib import Path
from accelerate.state import PartialState
from accelerate.utils import DistributedType

os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"  # accelerate shards on no CPU, though torch and DeepSpeed can
PartialState._prepare_backend = lambda self, *_: ("gloo", DistributedType.MULTI_XPU)
begin = PartialState.__init__
PartialState.__init__ = lambda self, cpu=False, **options: begin(self, **options)

from autoif.config_file import parse_config
from autoif.training import train
settings, pairs, out = sys.argv[1:]
killed = Path(out, "killed")

def kill(step, steps, metrics):
    if step == 2 and not killed.exists():
        os._exit(9)

train(parse_config(json.loads(settings), "test"), Path(pairs), Path(out), progress=kill, save_seconds=0)
"""
FSDP = ("--use_fsdp", "--fsdp_version=2", "--fsdp_auto_wrap_policy=TRANSFORMER_BASED_WRAP")
SHARDS = {FSDP: "pytorch_model_fsdp_0/__1_0.distcp"}
for stage in (2, 3):
    SHARDS["--use_deepspeed", f"--zero_stage={stage}"] = "global_step1/*zero_pp_rank_1_mp_rank_00_optim_states.pt"


@pytest.mark.parametrize("lora", [None, {"rank": 2}])
@pytest.mark.parametrize("sharded", SHARDS, ids=["fsdp", "zero-2", "zero-3"])
def test_a_policy_in_two_parts_is_killed_and_becomes_the_same(
    tiny_llama: Path, pairs: Path, tmp_path: Path, sharded: tuple[str, ...], lora: dict[str, int] | None
) -> None:
    """FSDP and DeepSpeed (where it is installed) as `accelerate launch` sets them up, with gloo.

    The short `max_length` takes several passes a step, more on one process than on the other.
    """
    if "--use_deepspeed" in sharded:
        pytest.importorskip("deepspeed")
    settings = config(tiny_llama, learning_rate=1e-3, micro_batch_size=1, max_length=116, nll_weight=0.5, lora=lora)
    whole = train(settings, pairs, tmp_path / "one")
    assert not whole.too_long
    script, out = tmp_path / "process.py", tmp_path / "two"
    script.write_text(SHARDED)
    arguments = [script, json.dumps(settings.model_dump(mode="json")), pairs, out]
    killed = launched(*sharded, *arguments)
    assert killed.returncode != 0
    assert list(out.glob(f"state/*/checkpoint-1/{SHARDS[sharded]}")), killed.stderr
    (out / "killed").touch()
    done = launched(*sharded, *arguments)
    assert done.returncode == 0, done.stderr
    for name, tensor in weights(whole.checkpoint).items():
        assert tensor.allclose(weights(out / "checkpoint")[name], atol=1e-5), name


def launched(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Two processes of a script, by accelerate."""
    launch = ["-m", "accelerate.commands.launch", "--num_processes=2", "--num_machines=1", "--mixed_precision=no"]
    launch += ["--dynamo_backend=no", f"--main_process_port={free_port()}", *map(str, arguments)]
    line, env = [sys.executable, *launch], os.environ | {"DS_ACCELERATOR": "cpu"}
    return subprocess.run(line, capture_output=True, text=True, timeout=300, check=False, env=env)


@pytest.mark.parametrize("sft", [None, {"learning_rate": 1e-3}])
def test_two_processes_train_the_same_policy_as_one(
    tiny_llama: Path, pairs: Path, tmp_path: Path, sft: dict[str, float] | None
) -> None:
    """By accelerate and gloo. Of three steps over nine prompts the last has less work than there are processes.

    TRL, which does the SFT, fills such a step up with repetitions, so after it all is a little different.
    """
    with pairs.open("a") as file:
        file.write(json.dumps(pair("quince")) + "\n")
    settings = config(tiny_llama, learning_rate=1e-3, micro_batch_size=1, nll_weight=0.5, sft=sft)
    whole = train(settings, pairs, tmp_path / "one")
    script = tmp_path / "process.py"
    script.write_text(PROCESS)
    arguments = [json.dumps(settings.model_dump(mode="json")), pairs, tmp_path / "two"]
    done = launched("--multi_gpu", script, *arguments)
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / "two" / f"process_{rank}").read_text() for rank in (0, 1)] == ["gloo 2", "gloo 2"]
    both = [logged(tmp_path / name) for name in ("one", "two")]
    assert len(both[0]) == len(both[1]) == whole.steps
    for one, two in zip(*both, strict=True):
        assert two["num_tokens"] == one["num_tokens"]
        for name in ("loss", "nll", "logps/rejected"):
            assert two[name] == pytest.approx(one[name], rel=0.05 if sft else 1e-4), name
    for name, tensor in weights(whole.checkpoint).items():
        assert tensor.allclose(weights(tmp_path / "two" / "checkpoint")[name], atol=1e-2 if sft else 1e-5), name


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize(("gpu", "peak"), [("NVIDIA H200", 989e12), ("NVIDIA L40S", 362e12), ("NVIDIA L4", 121e12)])
def test_the_full_rate_of_a_gpu(monkeypatch: pytest.MonkeyPatch, gpu: str, peak: float) -> None:
    import torch

    from autoif.training.trainer import full_rate

    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: gpu)
    assert full_rate(10**9, torch.device("cuda", 0)) == pytest.approx(peak / 6e9)
    assert full_rate(10**9, torch.device("cpu")) == 0
