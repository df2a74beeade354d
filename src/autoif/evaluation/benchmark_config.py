"""What `evaluate.tasks` of the configuration holds."""

from __future__ import annotations

from typing import Literal

from autoif.config import Positive, SamplingConfig, Section


class TaskConfig(Section):
    task: Literal["ifeval", "ifbench", "hellaswag"]
    """ifeval, ifbench: answers are checked. hellaswag: which of four endings is likeliest, read by transformers."""
    data: str | None = None
    """A local JSONL file or a Hugging Face id; none is google/IFEval, allenai/IFBench_test, Rowan/hellaswag."""
    limit: Positive | None = None
    """Only the first so many prompts, as lm-eval's --limit."""
    sampling: SamplingConfig = SamplingConfig(temperature=0.0, top_p=1.0, max_tokens=1280)
    """ifeval, ifbench: how answers are decoded; greedy and at most 1,280 tokens are lm-eval's."""
    batch_size: Positive = 16
    """hellaswag: endings read at once."""
