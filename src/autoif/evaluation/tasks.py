"""Scores ready-made answers to IFEval or IFBench."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from autoif.errors import InputError
from autoif.evaluation.bootstrap import mean_interval
from autoif.evaluation.ifbench import ifbench_scorer
from autoif.evaluation.ifeval import ifeval_scorer
from autoif.evaluation.jsonl import read_objects
from autoif.evaluation.scorer import Prompt, Scored, Scorer, score
from autoif.records import clean

Task = Literal["ifeval", "ifbench"]
READINGS = ("strict", "loose")


def score_responses(task: Task, data: Path, responses: Path, seed: int = 0) -> dict[str, Any]:
    """The scores of the answers in `responses`, {"prompt", "response"} lines, to the prompts in `data`.

    A prompt without an answer, and an empty answer, follows nothing; both are counted. Answers to prompts that `data`
    lacks are counted and left out. Raises InputError with the line number of a malformed line or a second answer to a
    prompt, and when no answer is to a prompt of `data`; MissingExtraError; InputError for missing NLTK data.
    """
    prompts = parse_prompts(read_objects(data), str(data))
    given = _read_responses(responses)
    answers = [given.get(prompt.text.strip()) for prompt in prompts]
    if not any(answer is not None for answer in answers):
        raise InputError(f"{responses}: none of its prompts is in {data}; answer the prompts of that file.")
    scorer = load_scorer(task, prompts)
    scored = [score(scorer, prompt, answer or "") for prompt, answer in zip(prompts, answers, strict=True)]
    return {
        "task": task,
        "scorer": scorer.name,
        **summarise(scored, seed),
        "missing": answers.count(None),
        "extra": len(given.keys() - {prompt.text.strip() for prompt in prompts}),
        "empty": sum(answer is not None and not answer.strip() for answer in answers),
        "unknown_instructions": _count(id for s in scored for id in s.prompt.instructions if id not in scorer.known),
        "broken_checkers": _count(id for s in scored for id in s.broken),
    }


def load_scorer(task: Task, prompts: Sequence[Prompt]) -> Scorer:
    """Raises MissingExtraError for a missing library and InputError for missing NLTK data."""
    return ifeval_scorer() if task == "ifeval" else ifbench_scorer(prompts)


def parse_prompts(rows: Iterable[tuple[str, dict[str, Any]]], source: str) -> list[Prompt]:
    """The benchmark's prompts from (place, row), in order. Raises InputError with the place of a malformed one."""
    prompts = [_prompt(fields, where) for where, fields in rows]
    if not prompts:
        raise InputError(f"{source}: holds no prompts; give the benchmark's JSONL file.")
    return prompts


def _prompt(fields: dict[str, Any], where: str) -> Prompt:
    ids, kwargs = fields.get("instruction_id_list"), fields.get("kwargs")
    well_formed = (
        isinstance(fields.get("prompt"), str)
        and isinstance(ids, list)
        and ids
        and all(isinstance(id, str) for id in ids)
        and isinstance(kwargs, list)
        and all(isinstance(entry, dict) for entry in kwargs)
        and len(ids) == len(kwargs)
    )
    if not (well_formed and isinstance(ids, list) and isinstance(kwargs, list)):
        raise InputError(
            f'{where}: expected "prompt", and lists "instruction_id_list" and "kwargs" of the same length; '
            "give the benchmark's JSONL file."
        )
    return Prompt(fields["prompt"], fields.get("key"), tuple(ids), tuple(kwargs))


def _read_responses(path: Path) -> dict[str, str]:
    """Answers by prompt, without the white space around the prompt."""
    answers: dict[str, str] = {}
    for where, fields in read_objects(path):
        prompt, response = fields.get("prompt"), fields.get("response")
        if not isinstance(prompt, str) or not isinstance(response, str):
            raise InputError(f'{where}: expected {{"prompt": text, "response": text}}; mend or remove the line.')
        if prompt.strip() in answers:
            raise InputError(f"{where}: a second answer to the prompt {prompt.strip()[:60]!r}; keep one of them.")
        answers[prompt.strip()] = clean(response)
    return answers


def summarise(scored: Sequence[Scored], seed: int) -> dict[str, Any]:
    """Accuracies, their bootstrap intervals over prompts, and the table per type of instruction, lowest first."""
    intervals = {}
    for index, reading in enumerate(READINGS):
        passed = [sum(verdict[index] for verdict in s.verdicts) for s in scored]
        counts = [len(s.verdicts) for s in scored]
        whole = [p == n for p, n in zip(passed, counts, strict=True)]
        intervals[f"prompt_level_{reading}"] = mean_interval(whole, seed)
        intervals[f"inst_level_{reading}"] = mean_interval(passed, seed, weights=counts)
    scores = {name: interval.mean for name, interval in intervals.items()}
    return {
        **scores,
        "average": sum(scores.values()) / len(scores),
        "intervals": {name: interval.as_dict() for name, interval in intervals.items()},
        "by_instruction": by_instruction(scored),
        "n": len(scored),
        "instructions": sum(len(s.verdicts) for s in scored),
    }


def by_instruction(scored: Sequence[Scored]) -> dict[str, dict[str, float]]:
    """Strict and loose accuracy of each type of instruction, the lowest first."""
    groups: dict[str, list[tuple[bool, bool]]] = {}
    for s in scored:
        for id, verdict in zip(s.prompt.instructions, s.verdicts, strict=True):
            groups.setdefault(id, []).append(verdict)
    rows = {
        id: {
            "strict": sum(strict for strict, _ in group) / len(group),
            "loose": sum(loose for _, loose in group) / len(group),
            "n": len(group),
        }
        for id, group in sorted(groups.items())
    }
    return dict(sorted(rows.items(), key=lambda row: row[1]["strict"]))


def _count(ids: Iterator[str]) -> dict[str, int]:
    return dict(sorted(Counter(ids).items()))
