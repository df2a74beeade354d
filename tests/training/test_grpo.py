"""GRPO for real: TRL's trainer on the embedded model, with an exported data set and `verifier_reward` as it is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

from autoif.export import rewards
from autoif.records import Instruction, Query, VerifiedInstruction, Verifier
from autoif.rewards import verifier_reward
from autoif.training.load import load_policy

# About half of what a model says passes each of these, so that groups have something to prefer.
EVEN = "def evaluate(response: str) -> bool:\n    return len(response) % 2 == 0\n"
FEW_ES = "def evaluate(response: str) -> bool:\n    return response.count('e') <= len(response.split()) // 2\n"
NOT_BOOL = "def evaluate(response: str) -> bool:\n    return 1\n"


def verified(text: str, *sources: str) -> VerifiedInstruction:
    query = Query.make(text="Name three birds.", source="test")
    return VerifiedInstruction.make(
        instruction=Instruction.make(text=text, origin="model", queries=(query,)),
        verifiers=tuple(Verifier.make(source=source, origin="model") for source in sources),
        cases=(),
        explanation="",
    )


@pytest.fixture
def data_file(tmp_path: Path) -> Path:
    path = tmp_path / "rewards.jsonl"
    records = [verified("Use few letters e.", EVEN, FEW_ES), verified("Be even.", EVEN, FEW_ES, NOT_BOOL)]
    rows = [rewards(record, record.instruction.queries[0]) for record in records]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_trl_trains_on_the_pass_rates(untrained: Path, data_file: Path, tmp_path: Path) -> None:
    model, tokenizer = load_policy(str(untrained), "float32")
    from datasets import load_dataset
    from trl import GRPOConfig, GRPOTrainer  # after load_policy, which has torch's threads sleep while they wait

    before = model.model.norm.weight.detach().clone()
    settings = GRPOConfig(
        output_dir=str(tmp_path / "grpo"),
        max_steps=2,
        per_device_train_batch_size=4,
        num_generations=4,
        max_completion_length=8,
        learning_rate=1e-2,
        optim="sgd",
        use_cpu=True,
        bf16=False,
        logging_steps=1,
        log_completions=True,
        save_strategy="no",
        report_to="none",
        seed=1,
    )
    data = load_dataset("json", data_files=str(data_file), split="train", cache_dir=str(tmp_path / "cache"))
    trainer = GRPOTrainer(
        model, reward_funcs=verifier_reward, args=settings, train_dataset=data, processing_class=tokenizer
    )
    trainer.train()

    logged = [step for step in trainer.state.log_history if "rewards/verifier_reward/mean" in step]
    tables = [
        load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
        for path in sorted((tmp_path / "grpo/completions").glob("*.parquet"))
    ]
    assert len(logged) == len(tables) == 2
    for step, table in zip(logged, tables, strict=True):
        sources = [
            [EVEN, FEW_ES, NOT_BOOL] if "Be even." in str(prompt) else [EVEN, FEW_ES] for prompt in table["prompt"]
        ]
        assert table["verifier_reward"][:] == pytest.approx(verifier_reward(table["completion"][:], sources))
        assert step["rewards/verifier_reward/mean"] == pytest.approx(sum(table["verifier_reward"]) / len(table))
    assert any(step["rewards/verifier_reward/std"] > 0 for step in logged)
    assert not before.equal(model.model.norm.weight)


def test_the_recipe_in_the_documentation_runs(tiny_llama: Path, data_file: Path, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/rewards.md").read_text(encoding="utf-8")
    recipe = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    for there, here in {
        "runs/my/export/rewards.jsonl": str(data_file),
        "Qwen/Qwen2.5-1.5B-Instruct": str(tiny_llama),
        "runs/my/grpo": str(tmp_path),
        "max_completion_length=512": "max_completion_length=4",
        "logging_steps=10": "logging_steps=1, max_steps=1, use_cpu=True, bf16=False",
    }.items():
        assert recipe.count(there) == 1
        recipe = recipe.replace(there, here)
    scope: dict[str, Any] = {}
    exec(recipe, scope)
    assert "rewards/verifier_reward/mean" in scope["trainer"].state.log_history[0]
