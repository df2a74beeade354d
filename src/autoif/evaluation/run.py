"""Everything that stage 9 measures, of policy and reference, in one go: scores.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoif.config import EvaluateConfig, TaskConfig
from autoif.engines.base import Engine
from autoif.errors import InputError, NothingToDoError
from autoif.evaluation.answers import Exam, Progress, silent, sit
from autoif.evaluation.benchmark import Benchmark
from autoif.evaluation.heldout import Heldout
from autoif.evaluation.hellaswag import HellaSwag
from autoif.evaluation.jsonl import read_objects
from autoif.evaluation.reader import Reader, Weights, read_all
from autoif.evaluation.token_differences import TokenDifferences
from autoif.records import VerifiedInstruction
from autoif.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Opened:
    """How one side is opened: as an engine that answers, and as transformers weights whose probabilities are read."""

    engine: Callable[[], Engine]
    weights: Weights


def evaluate(
    verified: Iterable[VerifiedInstruction],
    models: Mapping[str, Opened],
    sandbox: Sandbox,
    config: EvaluateConfig,
    tasks: Sequence[TaskConfig],
    seed: int,
    folder: Path,
    progress: Progress = silent,
) -> dict[str, Any]:
    """scores.json: one entry for the held-out instructions and one for each of the tasks. `models` by side.

    All data is looked at before a model is opened. Samples go to `folder`/samples, token pictures to `folder`/tokens;
    what was measured survives a kill in `folder`/answers: remove that folder when a model has changed. Without held-out
    instructions the tasks alone are evaluated. Raises NothingToDoError without either, InputError, MissingExtraError,
    EngineError, SandboxError.
    """
    for name, count in Counter(task.task for task in tasks).items():
        if count > 1:
            raise InputError(f"evaluate.tasks: {name} is listed {count} times; list it once.")
    exams: list[Exam] = [Benchmark(task, seed) for task in tasks if task.task != "hellaswag"]
    readers: list[Reader] = [HellaSwag(task, seed) for task in tasks if task.task == "hellaswag"]
    try:
        exams.insert(0, Heldout(verified, sandbox, config, seed))
    except NothingToDoError:
        if not tasks:
            raise
    scores = sit(exams, {side: opened.engine for side, opened in models.items()}, folder, progress)
    if config.token_pictures and Heldout.name in scores:
        samples = (sample for _, sample in read_objects(folder / "samples/heldout.jsonl"))
        readers.append(TokenDifferences(samples, config, seed))
    return scores | read_all(readers, {side: opened.weights for side, opened in models.items()}, folder, progress)
