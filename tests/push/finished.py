"""Finished runs to publish."""

from __future__ import annotations

import json
from pathlib import Path

from fake_run import write_run

WRITER = {"engine": "vllm", "model": "Qwen/Qwen2.5-Coder-7B-Instruct", "options": {"hf_token": "hf_of_the_options"}}
POLICY = {"engine": "openai", "model": "my-policy", "base_url": "http://10.1.2.3:8000/v1"}


def finished(run: Path) -> Path:
    """With a trained policy of a few small files."""
    write_run(run, queries=21)
    configure(run, writer=WRITER, policy=POLICY)
    checkpoint = run / "08_train" / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "model.safetensors").write_bytes(b"weights" * 100)
    (checkpoint / "config.json").write_text('{"model_type": "llama"}')
    (checkpoint / "README.md").write_text("---\nlicense: apache-2.0\n---\n# As it was trained\n")
    (run / "08_train" / "stats.json").write_text(json.dumps({"pairs": 9}))
    return run


def configure(run: Path, **sections: object) -> None:
    """Changes the configuration that a run was made with."""
    saved = json.loads((run / "config.json").read_text())
    saved["config"] |= sections
    (run / "config.json").write_text(json.dumps(saved))
