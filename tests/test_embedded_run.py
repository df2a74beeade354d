"""One small real run, stages 1 to 10, on the embedded model: what `make demo` does in a quarter of an hour."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from autoif.engines.inventory import embedded_model

SHORT = {"temperature": 0.7, "max_tokens": 96}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    pytest.importorskip("openvino_genai")
    pytest.importorskip("trl")
    if embedded_model():
        pytest.skip(embedded_model())
    folder = tmp_path_factory.mktemp("embedded")
    content = {
        "run": str(folder / "run"),
        "queries": {"limit": 4},
        "instructions": {"per_query": 1, "seeds_per_query": 6, "shots": 2},
        "verifiers": {"functions": 2, "case_replies": 1, "shots": 1, "sampling": {"max_tokens": 48}},
        "crosscheck": {"heldout_queries": 0, "heldout_instructions": 0.25},
        "completions": {"per_instruction": 4, "sampling": SHORT},
        "pairs": {"pairing": "best_worst"},
        "train": {"batch_size": 2, "max_steps": 2, "max_length": 256, "learning_rate": 1e-5},
        "evaluate": {"heldout_limit": 3, "token_prompts": 2, "sampling": SHORT},
    }
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(content))
    command = [sys.executable, "-m", "autoif.cli", "run", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2400, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "run" / "stdout.txt").write_text(done.stdout)
    return folder / "run"


def test_every_stage_made_something(run):
    for name in ("01_queries", "02_instructions", "03_verifiers", "04_crosscheck", "05_completions", "07_pairs"):
        assert json.loads((run / name / "stats.json").read_text())["kept"] > 0
    assert (run / "report.html").exists()


def test_what_the_small_model_cannot_do_is_said(run):
    out = (run / "stdout.txt").read_text()
    assert "model-written instructions survived the cross-check" in out
    assert "verified instructions come from the hand-written seeds" in out


def test_the_tuned_policy_differs_and_runs_under_transformers(run):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from autoif.training.load import load_policy

    checkpoint = run / "08_train" / "checkpoint"
    tuned = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    start, _ = load_policy("smollm2-135m-instruct", "float32")
    moved = max(float((a - b).abs().max()) for a, b in zip(tuned.parameters(), start.parameters(), strict=True))
    assert 0 < moved < 1e-2
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Say hello."}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    assert tuned.generate(**prompt, max_new_tokens=3, do_sample=False).shape[1] > prompt["input_ids"].shape[1]


def test_held_out_answers_of_both_models_were_scored(run):
    scores = json.loads((run / "09_evaluate" / "scores.json").read_text())["heldout"]
    assert scores["n"] > 0
    assert 0 <= scores["reference"] <= 1
    assert scores["difference"]["low"] <= scores["difference"]["mean"] <= scores["difference"]["high"]
    samples = (run / "09_evaluate" / "samples" / "heldout.jsonl").read_text().splitlines()
    assert all(json.loads(line)["policy"]["text"] for line in samples)
    assert (run / "09_evaluate" / "tokens" / "pictures.jsonl").read_text()
