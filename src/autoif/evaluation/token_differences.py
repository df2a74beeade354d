"""What training did to the tokens of held-out answers: token pictures, and which tokens moved most."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from autoif.config import EvaluateConfig
from autoif.evaluation.answers import SIDES, Progress
from autoif.evaluation.compare import ALTERNATIVES, Read, joined, read
from autoif.evaluation.contrast import grouped
from autoif.evaluation.heldout import PASSES_AT
from autoif.evaluation.log import Log, fingerprint
from autoif.evaluation.reader import Weights
from autoif.prompts import draw, user_prompt
from autoif.store import write_atomically
from autoif.tokens import Comparison, Picture, PicturedAnswer
from autoif.tokens.moved import MovedByType

SHOWN = 400
"""Spans of an answer that a picture shows: mostly tokens."""
_READ = TypeAdapter(Read)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What `side` answered. `ended`: it was not cut."""

    side: str
    text: str
    pass_rate: float
    ended: bool


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A held-out prompt with the answers of both models, sample by sample."""

    id: str
    query: str
    instruction: str
    type: str
    answers: tuple[_Answer, ...]

    @property
    def contrast(self) -> list[_Answer]:
        """The first answer that passes and the first that fails, as far as there are any."""
        passing = [answer for answer in self.answers if answer.pass_rate >= PASSES_AT]
        failing = [answer for answer in self.answers if answer.pass_rate < PASSES_AT]
        return [*passing[:1], *failing[:1]]

    @property
    def pictured(self) -> list[_Answer]:
        """Two answers that say something else: a passing and a failing one, or else one of each model."""
        found = self.contrast if len(self.contrast) > 1 else self.answers[: len(SIDES)]
        return list({answer.text: answer for answer in found}.values())

    def key(self, answer: _Answer) -> str:
        return fingerprint([self.query, self.instruction, answer.text, answer.ended])


class TokenDifferences:
    """The reader. `samples` are the lines of samples/heldout.jsonl.

    What moved is counted over `token_prompts` prompts drawn by hash, with one answer of each model: on its own answers
    a model is ahead of the other by nature, so both must be there alike. Pictures are of those prompts too, first where
    one answer passes and one fails, of as many types of instruction as there are.
    """

    def __init__(self, samples: Iterable[dict[str, Any]], config: EvaluateConfig, seed: int) -> None:
        prompts = _drawn(map(_prompt, grouped(samples, lambda s: f"{s['id']}/{s['query']}").values()), config, seed)
        self.pictured = _varied(prompts)[: config.token_pictures]
        self.prompts = prompts
        self.read_of: dict[str, dict[str, Any]] = {}
        shown = {p.key(answer) for p in self.pictured for answer in p.pictured}
        self.asked = {
            p.key(answer): (p, answer, ALTERNATIVES if p.key(answer) in shown else 0)
            for p in prompts
            for answer in (*p.answers[: len(SIDES)], *(p.pictured if p in self.pictured else ()))
        }

    def read(self, side: str, weights: Weights, folder: Path, progress: Progress) -> None:
        keys = {id: fingerprint([id, alternatives]) for id, (_, _, alternatives) in self.asked.items()}
        log = Log(folder / f"answers/tokens.{side}.jsonl", keys)
        missing = [id for id in self.asked if id not in log.values]
        if missing:
            model, tokenizer = weights()
            with log:
                for id in missing:
                    prompt, answer, alternatives = self.asked[id]
                    asked = user_prompt(prompt.query, prompt.instruction)
                    log.add(id, read(model, tokenizer, asked, answer.text, answer.ended, alternatives))
                    progress(f"tokens.{side}", len(log.values), len(self.asked))
        self.read_of[side] = log.values

    def score(self, folder: Path) -> dict[str, Any]:
        """Writes tokens/pictures.jsonl and tokens/moved.json; scores.json gets nothing."""
        moved = MovedByType()
        for prompt in self.prompts:
            for answer in prompt.answers[: len(SIDES)]:
                moved.add(prompt.type, self._comparison(prompt, answer))
        (folder / "tokens").mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "tokens/moved.json", json.dumps(moved.as_dict(), ensure_ascii=False, indent=1) + "\n")
        lines = b"".join(self._picture(prompt).line() for prompt in self.pictured)
        write_atomically(folder / "tokens/pictures.jsonl", lines.decode())
        return {}

    def _comparison(self, prompt: _Prompt, answer: _Answer) -> Comparison:
        policy, reference = (
            _READ.validate_python(self.read_of[side][prompt.key(answer)]) for side in ("policy", "reference")
        )
        return joined(policy, reference)

    def _picture(self, prompt: _Prompt) -> Picture:
        answers = tuple(_pictured(answer, self._comparison(prompt, answer)) for answer in prompt.pictured)
        return Picture(prompt.id, prompt.query, prompt.instruction, prompt.type, answers)


def _pictured(answer: _Answer, whole: Comparison) -> PicturedAnswer:
    count = len(whole.tokens)
    beginning = whole if count <= SHOWN else Comparison(whole.prompt, whole.spans[:SHOWN], ended=False)
    return PicturedAnswer(answer.side, answer.pass_rate, round(whole.total, 6), count, beginning)


def _prompt(samples: Sequence[dict[str, Any]]) -> _Prompt:
    first = samples[0]
    answers = [
        _Answer(side, sample[side]["text"], sample[side]["pass_rate"], not sample[side]["truncated"])
        for sample in samples
        for side in SIDES
    ]
    return _Prompt(first["id"], first["query"], first["instruction"], first["seed"] or "model", tuple(answers))


def _drawn(prompts: Iterable[_Prompt], config: EvaluateConfig, seed: int) -> list[_Prompt]:
    return heapq.nsmallest(config.token_prompts, prompts, key=lambda p: (draw(seed, f"{p.id}/{p.query}"), p.query))


def _varied(prompts: Iterable[_Prompt]) -> list[_Prompt]:
    """Contrasts first; one of each type, then a second of each, and so on."""
    nth: Counter[tuple[bool, str]] = Counter()
    places: list[tuple[bool, int]] = []
    prompts = list(prompts)
    for prompt in prompts:
        kind = (len(prompt.contrast) < 2, prompt.type)
        places.append((kind[0], nth[kind]))
        nth[kind] += 1
    return [prompt for _, prompt in sorted(zip(places, prompts, strict=True), key=lambda item: item[0])]
