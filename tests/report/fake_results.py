"""Training and evaluation of the fake runs, and their configuration."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

from fake_text import TOPICS, WORDS

from autoif.tokens import Comparison, Picture, PicturedAnswer, Reading, Span, Token
from autoif.tokens.moved import MovedByType


def write_training(folder: Path, draw: random.Random) -> None:
    folder.mkdir()
    with open(folder / "metrics.jsonl", "w") as lines:
        for step in range(1, 121):
            gain = 1 - math.exp(-step / 40)
            noise = draw.uniform(-0.03, 0.03)
            metrics = {
                "step": step,
                "loss": 0.693 - 0.35 * gain + noise,
                "nll": 1.9 - 0.2 * gain + noise,
                "rewards/margins": 1.4 * gain + noise,
                "rewards/accuracies": min(1.0, 0.5 + 0.4 * gain + noise),
                "logps/chosen": -180 - 10 * gain + 20 * noise,
                "logps/rejected": -182 - 30 * gain + 20 * noise,
                "learning_rate": 1e-6 * min(step / 12, 1),
            }
            lines.write(json.dumps({k: v for k, v in metrics.items() if k != "nll" or step % 2}) + "\n")
    (folder / "done").touch()


def write_evaluation(folder: Path, draw: random.Random, hostile: tuple[str, ...]) -> None:
    (folder / "samples").mkdir(parents=True)
    kinds = {
        "length": (0.4, 0.61),
        "format": (0.3, 0.52),
        "case": (0.2, 0.15),
        "model": (0.5, 0.55),
        "keywords": (0.7, 0.7),
    }
    scores = {
        "heldout": {
            **_score(0.412, 0.538, 0.04, 0.21, 170),
            "by_split": {
                "heldout_query": _score(0.43, 0.6, 0.05, 0.27, 96),
                "heldout_instruction": _score(0.389, 0.457, -0.03, 0.16, 74),
            },
            "mean_words": {"reference": 81.2, "policy": 96.7},
            "truncated": {"reference": 0.011, "policy": 0.028},
            "by_kind": {k: {"reference": r, "policy": p, "n": 34} for k, (r, p) in kinds.items()},
        },
        "hellaswag": {
            "metric": "acc_norm",
            **_score(0.35, 0.34, -0.03, 0.01, 400),
            "metrics": {"acc": _score(0.3, 0.31, -0.01, 0.03, 400), "acc_norm": _score(0.35, 0.34, -0.03, 0.01, 400)},
        },
        "samples_file": "samples/heldout.jsonl",
    }
    (folder / "scores.json").write_text(json.dumps(scores))
    with open(folder / "samples" / "heldout.jsonl", "w", encoding="utf-8") as lines:
        for i in range(40):
            tail = hostile[i % len(hostile)] if hostile else ""
            sides = {
                side: {
                    "text": f"Answer {i} {tail} " + " ".join(draw.choices(WORDS, k=60)),
                    "pass_rate": draw.choice((0, 0.5, 1)),
                }
                for side in ("reference", "policy")
            }
            about = {
                "id": f"s{i}",
                "query": TOPICS[i % 10] + tail,
                "instruction": f"Use no commas. {tail}",
                "kind": "punctuation",
            }
            lines.write(json.dumps(about | sides) + "\n")
    write_tokens(folder / "tokens", draw, hostile)
    (folder / "done").touch()


def write_tokens(folder: Path, draw: random.Random, hostile: tuple[str, ...]) -> None:
    folder.mkdir()
    moved = MovedByType()
    with open(folder / "pictures.jsonl", "wb") as lines:
        for i, seed in enumerate(("no_commas", "all_uppercase", "model", "no_commas", "all_uppercase", "model")):
            tail = hostile[i % len(hostile)] if hostile else ""
            answers = []
            for side, rate in (("reference", 1.0), ("policy", 0.0)):
                comparison = _comparison(draw, hostile)
                moved.add(seed, comparison)
                count = len(comparison.tokens)
                answers.append(PicturedAnswer(side, rate, comparison.total, count + 7 * (i == 5), comparison))
            picture = Picture(f"t{i}", TOPICS[i] + tail, f"Use no commas. {tail}", seed, tuple(answers))
            lines.write(picture.line())
    (folder / "moved.json").write_text(json.dumps(moved.as_dict()), encoding="utf-8")


def _comparison(draw: random.Random, hostile: tuple[str, ...]) -> Comparison:
    texts = [f" {word}" for word in draw.choices(WORDS, k=30)]
    texts += [",", ".", "\n", "RAIN", "é", " ", "🙂", *[text[:200] for text in hostile], "<|im_end|>"]
    differences = (-1.4, -0.62, -0.2, 0.0, 0.03, 0.45, 2.5)
    spans = [
        Span(text, tuple(_token(text, draw.choice(differences)) for _ in range(1 + (text == "🙂")))) for text in texts
    ]
    return Comparison("<|im_start|>user\nRain?<|im_end|>\n", tuple(spans))


def _token(text: str, difference: float) -> Token:
    best = ((text, -0.25), (" rain", -1.5), ("⟨F0⟩", -3.0), ("\n", -4.0))
    return Token(text, Reading(difference - 3.0, 1, best), Reading(-3.0, 2, best[::-1]))


def _score(reference: float, policy: float, low: float, high: float, n: int) -> dict[str, Any]:
    difference = {"mean": policy - reference, "low": low, "high": high}
    return {"policy": policy, "reference": reference, "difference": difference, "n": n}


def config() -> dict[str, Any]:
    return {
        "config": {
            "run": "runs/fake",
            "seed": 0,
            "queries": {"source": "builtin"},
            "writer": {"engine": "openvino", "model": "smollm2-135m-instruct"},
            "policy": {"engine": "openvino", "model": "smollm2-135m-instruct"},
            "pairs": {"chosen_at": 0.5, "rejected_at": 0.0, "min_quality": 8},
        },
        "versions": {"autoif": "0.1.0", "python": "3.11"},
        "git_commit": "0123abc",
        "created": "2026-11-22T10:00:00+00:00",
    }
