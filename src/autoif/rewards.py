"""The verified instructions as a reward: the share of its verifiers that an answer passes, run in the sandbox."""

from __future__ import annotations

import atexit
import json
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from autoif.errors import InputError
from autoif.sandbox import Job, Result, Sandbox, Verdict

Completion = str | Sequence[Mapping[str, Any]]
Sources = Sequence[str]


def verifier_reward(
    completions: Sequence[Completion], verifiers: Sequence[Sources | None] | None = None, **others: object
) -> list[float | None]:
    """A reward function for TRL's GRPOTrainer and its relatives: the pass rate of each completion, from 0 to 1.

    `completions` are texts or conversations, of which the last message counts. `verifiers` is the column of that name
    in `autoif export RUN --format rewards`: for each completion the sources that define `evaluate(response) -> bool`.
    A verifier that fails, times out or returns anything but True is not passed. An answer without text passes none. A
    row that has None for verifiers, as one from another data set has, gets None: TRL leaves it out. The other columns
    are ignored.

    Each distinct verifier is one job over the distinct completions that it is asked about. Every process has a sandbox
    of its own, opened at the first call and kept; calls of several threads wait for one another. Raises InputError for
    columns that are not what is said here, SandboxUnavailableError where nothing can contain the verifiers.
    """
    if verifiers is None:
        raise InputError("verifier_reward: no column `verifiers`; make the data with `autoif export --format rewards`.")
    if len(verifiers) != len(completions):
        raise InputError(f"verifier_reward: {len(completions)} completions, but verifiers for {len(verifiers)}.")
    texts = [_text(completion, row) for row, completion in enumerate(completions)]
    for row, sources in enumerate(verifiers):
        _check(sources, row)
    passed = _passed(texts, verifiers)
    return [_rate(text, sources, passed) for text, sources in zip(texts, verifiers, strict=True)]


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: object = None, **others: object
) -> float:
    """verl's custom reward function, for one answer: `ground_truth` is a JSON list of verifiers.

    The same list is the `ground_truth` of open-instruct's rows. Raises InputError when it is anything else.
    """
    try:
        sources = json.loads(ground_truth)
    except (TypeError, ValueError, RecursionError):
        sources = None
    if sources is None:
        raise InputError(f"compute_score: the ground truth of {data_source} is no JSON list of verifiers.")
    return verifier_reward([solution_str], [sources])[0] or 0.0


def _text(completion: object, row: int) -> str:
    """What the policy said last; nothing when it ended on a tool call or a tool's answer."""
    if isinstance(completion, str):
        return completion
    if not isinstance(completion, Sequence):
        kind = type(completion).__name__
        raise InputError(f"verifier_reward: completion {row} is neither text nor a list of messages but {kind}.")
    last = completion[-1] if completion else None
    content = last.get("content") if isinstance(last, Mapping) and last.get("role") == "assistant" else None
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        content = "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _check(sources: object, row: int) -> None:
    if sources is None:
        return
    if not isinstance(sources, list | tuple) or not all(isinstance(source, str) for source in sources):
        raise InputError(f"verifier_reward: the verifiers of completion {row} must be a list of Python sources.")


def _passed(texts: Sequence[str], verifiers: Sequence[Sources | None]) -> set[tuple[str, str]]:
    """The (source, text) of which the verdict is TRUE."""
    asked: dict[str, dict[str, None]] = {}
    for text, sources in zip(texts, verifiers, strict=True):
        for source in sources or () if text.strip() else ():
            asked.setdefault(source, {})[text] = None
    jobs = {str(number): Job(str(number), source, list(asked[source])) for number, source in enumerate(asked)}
    return {
        (jobs[result.id].source, text)
        for result in _shared.run(list(jobs.values()))
        for text, verdict in zip(jobs[result.id].inputs, result.verdicts, strict=True)
        if verdict is Verdict.TRUE
    }


def _rate(text: str, sources: Sources | None, passed: set[tuple[str, str]]) -> float | None:
    if sources is None:
        return None
    return sum((source, text) in passed for source in sources) / max(1, len(sources))


class _SharedSandbox:
    """The sandbox of this process: opened when first needed, used by one thread at a time, closed at exit."""

    _lock: threading.Lock
    _box: Sandbox | None

    def __init__(self) -> None:
        self.forget()
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self.forget)

    def run(self, jobs: Sequence[Job]) -> list[Result]:
        with self._lock:
            if self._box is None:
                self._box = Sandbox().__enter__()
            return list(self._box.run(jobs))

    def forget(self) -> None:
        """A forked child must neither talk to its parent's sandbox nor close it, and the lock may be held for ever."""
        self._lock = threading.Lock()
        self._box = None

    def close(self) -> None:
        if self._box is not None:
            self._box.close()


_shared = _SharedSandbox()
