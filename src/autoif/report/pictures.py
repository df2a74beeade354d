"""Token pictures and the tokens that moved, made ready for the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from autoif.report.folder import RunFolder, is_number, objects_of, read_json, section, whole
from autoif.report.text import shown
from autoif.tokens import Picture, PicturedAnswer, Reading, Token, read_pictures
from autoif.tokens.shades import LEVELS, css_class, named, signed, spans_html

CLASSES = 4
"""Most classes of token named on each side of a type."""


@dataclass(frozen=True, slots=True)
class Move:
    """A token or a class of tokens that moved."""

    text: str
    count: int
    answers: int
    total: float
    mean: float

    @property
    def told(self) -> str:
        return signed(self.mean, 3)


@dataclass(frozen=True, slots=True)
class Moves:
    """What moved up and down in the answers to one type of instruction, or in all."""

    type: str
    answers: int
    tokens: int
    mean: float
    classes: tuple[list[Move], list[Move]]
    tokens_moved: tuple[list[Move], list[Move]]


@dataclass(frozen=True, slots=True)
class Moved:
    least: dict[str, int]
    """What is listed occurs `count` times in so many `answers` at least; of one type, in `answers_of_type`."""
    all: Moves
    types: list[Moves]


def moved(run: RunFolder) -> Moved | None:
    """None when stage 9 read no log-probabilities."""
    told = read_json(run.folder("evaluate") / "tokens" / "moved.json")
    least = {key: whole(section(told, "least").get(key)) for key in ("count", "answers", "answers_of_type")}
    types = section(told, "types")
    if not whole(section(told, "all").get("count")):
        return None
    return Moved(least, _moves("", section(told, "all")), [_moves(type, section(types, type)) for type in types])


def _moves(type: str, told: dict[str, Any]) -> Moves:
    classes, tokens = section(told, "classes"), section(told, "tokens")
    mean = told["mean"] if is_number(told.get("mean")) else 0.0
    return Moves(
        shown(type, 60),
        whole(told.get("answers")),
        whole(told.get("count")),
        mean,
        (_list(classes, "up", str)[:CLASSES], _list(classes, "down", str)[:CLASSES]),
        (_list(tokens, "up", _label), _list(tokens, "down", _label)),
    )


def _list(told: dict[str, Any], side: str, label: Callable[[str], str]) -> list[Move]:
    return [
        Move(label(str(move.get("text", ""))), whole(move["count"]), whole(move["answers"]), move["sum"], move["mean"])
        for move in objects_of(told, side)
        if all(is_number(move.get(key)) for key in ("count", "answers", "sum", "mean"))
    ]


def pictures(run: RunFolder) -> list[Picture]:
    return list(read_pictures(run.folder("evaluate") / "tokens" / "pictures.jsonl"))


def token_box(answer: PicturedAnswer) -> Markup:
    """The coloured tokens. The only markup of the page that no template writes; its text is escaped."""
    return Markup(spans_html(answer.comparison.spans))


def details(found: list[Picture]) -> list[list[list[Any]]]:
    """What the script tells of each span: picture, answer, span, then its label, its difference, and its tokens."""
    return [[list(_spans(answer)) for answer in picture.answers] for picture in found]


def _spans(answer: PicturedAnswer) -> Iterator[list[Any]]:
    for span in answer.comparison.spans:
        yield [_label(span.text), signed(span.difference), [_token(token) for token in span.tokens]]


def _token(token: Token) -> list[Any]:
    return [_label(token.text), signed(token.difference, 3), _reading(token.policy), _reading(token.reference)]


def _reading(reading: Reading) -> list[Any]:
    best = [f"{_label(text)} {signed(logprob)}" for text, logprob in reading.alternatives]
    return [signed(reading.logprob, 3), reading.rank, best]


def _label(text: str) -> str:
    return named(shown(text, 60))


def shades() -> str:
    """Rules that mix each level's share of the page's green or red into what is behind the text; the least is seen."""
    return "".join(
        f".tokens .{css_class(level)}{{background:color-mix(in srgb,var(--{'up' if level > 0 else 'down'}) "
        f"{10 + 90 * abs(level) // LEVELS}%,transparent)}}\n"
        for level in range(-LEVELS, LEVELS + 1)
        if level
    )
