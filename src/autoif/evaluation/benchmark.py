"""IFEval and IFBench for policy and reference: generated, scored by the benchmark's own checkers, and compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoif.config import TaskConfig
from autoif.engines.base import Request, Sampling
from autoif.errors import InputError, MissingExtraError, NothingToDoError
from autoif.evaluation.answers import SIDES, Answer, Answers, answered
from autoif.evaluation.contrast import Scores, average, by_side, contrast, lengths, save_samples, table
from autoif.evaluation.jsonl import read_objects
from autoif.evaluation.scorer import Prompt, Scored, score
from autoif.evaluation.tasks import READINGS, load_scorer, parse_prompts
from autoif.prompts import draw, user

HUB = {"ifeval": "google/IFEval", "ifbench": "allenai/IFBench_test"}
HEADLINE = {"ifeval": "prompt_level_strict", "ifbench": "prompt_level_loose"}
"""The figure that each benchmark's paper reports first."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What both models answered to one prompt, and how it was scored."""

    prompt: Prompt
    answers: dict[str, Answer]
    scored: dict[str, Scored]

    def passed(self, side: str, reading: int) -> int:
        """How many of the prompt's instructions the answer follows."""
        return sum(verdict[reading] for verdict in self.scored[side].verdicts)


class Benchmark:
    """The exam. Raises InputError for broken data or missing NLTK data, MissingExtraError for a missing scorer."""

    def __init__(self, config: TaskConfig, seed: int) -> None:
        if config.task == "hellaswag":
            raise ValueError("hellaswag is scored by log-likelihood")
        self.name = config.task
        self.seed = seed
        self.prompts = parse_prompts(_rows(config.data or HUB[config.task]), config.data or HUB[config.task])
        self.prompts = self.prompts[: config.limit]
        self.scorer = load_scorer(config.task, self.prompts)
        s = config.sampling
        self.requests = [
            Request(str(n), [user(p.text)], Sampling(s.temperature, s.top_p, s.max_tokens, draw(seed, self.name, n)))
            for n, p in enumerate(self.prompts)
        ]

    def score(self, answers: Mapping[str, Answers], folder: Path) -> dict[str, Any]:
        pairs = [self._pair(int(id), answers) for id in answered((r.id for r in self.requests), answers)]
        if not pairs:
            raise NothingToDoError(f"evaluate: no prompt of {self.name} was answered by both models.")
        save_samples(folder / f"samples/{self.name}.jsonl", map(_sample, pairs))
        readings = _readings(pairs)
        metrics = {name: contrast(scores, self.seed, weights) for name, (scores, weights) in readings.items()}
        headline = HEADLINE[self.name]
        return {
            "metric": headline,
            **metrics[headline],
            "metrics": metrics | {"average": average(list(readings.values()), self.seed)},
            "by_kind": table(_by_instruction(pairs, headline.endswith("loose"))),
            **lengths(by_side(lambda side: [pair.answers[side] for pair in pairs])),
            "scorer": self.scorer.name,
            "lost": len(self.prompts) - len(pairs),
        }

    def _pair(self, number: int, answers: Mapping[str, Answers]) -> Pair:
        prompt, given = self.prompts[number], by_side(lambda side: answers[side][str(number)])
        return Pair(prompt, given, by_side(lambda side: score(self.scorer, prompt, given[side].text)))


def _readings(pairs: Sequence[Pair]) -> dict[str, tuple[Scores, list[int] | None]]:
    """By prompt and by instruction, strict and loose: (both sides' scores, weights)."""
    counts = [len(pair.prompt.instructions) for pair in pairs]
    readings: dict[str, tuple[Scores, list[int] | None]] = {}
    for index, reading in enumerate(READINGS):
        passed = {side: [pair.passed(side, index) for pair in pairs] for side in SIDES}
        whole = {side: [p == n for p, n in zip(passed[side], counts, strict=True)] for side in SIDES}
        readings[f"prompt_level_{reading}"] = whole, None
        readings[f"inst_level_{reading}"] = passed, counts
    return readings


def _by_instruction(pairs: Iterable[Pair], loose: bool) -> dict[str, dict[str, list[float]]]:
    """The verdicts on each type of instruction, of both sides."""
    groups: dict[str, dict[str, list[float]]] = {}
    for pair in pairs:
        for place, id in enumerate(pair.prompt.instructions):
            group = groups.setdefault(id, by_side(lambda _: []))
            for side, values in group.items():
                values.append(pair.scored[side].verdicts[place][loose])
    return groups


def _sample(pair: Pair) -> dict[str, Any]:
    return {
        "id": pair.prompt.key,
        "prompt": pair.prompt.text,
        "instructions": pair.prompt.instructions,
        **by_side(
            lambda side: {
                "text": pair.answers[side].text,
                "strict": [strict for strict, _ in pair.scored[side].verdicts],
                "loose": [loose for _, loose in pair.scored[side].verdicts],
            }
        ),
    }


def _rows(data: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of a local file or of a data set on the Hugging Face hub."""
    if Path(data).exists() or data.endswith((".jsonl", ".json")):
        yield from read_objects(Path(data))
        return
    for number, row in enumerate(load_hub(data), 1):
        yield f"{data} row {number}", row


def load_hub(name: str) -> Any:
    """The `train` split, where both benchmarks have their prompts. Raises InputError when it cannot be had."""
    try:
        from datasets import load_dataset
    except ImportError:
        raise MissingExtraError("datasets", "eval") from None
    try:
        return load_dataset(name, split="train")
    except Exception as error:  # the hub's libraries raise many kinds
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise InputError(f"{name}: cannot be loaded ({reason}); give a local JSONL file as `data`.") from None
