"""Token pictures for a notebook: every function returns something that Jupyter shows. All text is escaped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from autoif.errors import InputError
from autoif.evaluation.compare_view import token_box, token_style
from autoif.rundir import RunDirectory
from autoif.tokens import Comparison, PicturedAnswer, read_pictures
from autoif.tokens.shades import named, signed, visible


class Html(str):
    """HTML that Jupyter renders."""

    def _repr_html_(self) -> str:
        return str(self)


def show(comparison: Comparison) -> Html:
    """One completion: the prompt uncoloured, then green where the policy puts more probability, red where less."""
    return Html(f"<style>{token_style()}</style>{token_box(comparison)}")


def show_pictures(run: Path | str, limit: int = 3) -> Html:
    """The first pictures of a run, an answer that follows beside one that does not. Raises InputError without any."""
    path = _folder(run) / "pictures.jsonl"
    pictures = list(read_pictures(path))[:limit]
    if not pictures:
        raise InputError(f"{path}: there are no token pictures; set evaluate.token_pictures and run stage 9.")
    parts = (
        f"<h4>{_text(picture.instruction)}</h4><p>{_text(picture.query)}</p>"
        f'<div style="display:flex;gap:1.5rem;flex-wrap:wrap">{"".join(map(_answer, picture.answers))}</div>'
        for picture in pictures
    )
    return Html(f"<style>{token_style()}</style>{''.join(parts)}")


def show_moved(run: Path | str) -> Html:
    """The tokens that moved most over the held-out answers, and the kinds of token by type of instruction.

    Raises InputError when the run has none.
    """
    path = _folder(run) / "moved.json"
    if not path.exists():
        raise InputError(f"{path}: there is no such file; set evaluate.token_pictures and run stage 9.")
    moved = json.loads(path.read_text(encoding="utf-8"))
    tokens = [
        (named(move["text"]), signed(move["mean"], 3), signed(move["sum"]), move["count"], move["answers"])
        for side, order in (("up", 1), ("down", -1))
        for move in moved["all"]["tokens"][side][::order]
    ]
    types = [
        (type.replace("_", " "), row["answers"], _kinds(row, "up"), _kinds(row, "down"))
        for type, row in (("all", moved["all"]), *moved["types"].items())
    ]
    return Html(
        _table(("Token", "Mean", "Sum", "Times", "Answers"), tokens)
        + _table(("Type of instruction", "Answers", "Went up", "Went down"), types)
    )


def _folder(run: Path | str) -> Path:
    return RunDirectory(Path(run)).folder("evaluate") / "tokens"


def _answer(answer: PicturedAnswer) -> str:
    verdict = "✓ follows" if answer.pass_rate >= 0.5 else "✗ does not follow"
    title = f"<b>{verdict}</b>, written by the {_text(answer.side)}"
    spans = Comparison("", answer.comparison.spans, answer.comparison.ended)
    return f'<div style="flex:1 1 20rem;min-width:0"><p>{title}</p>{token_box(spans)}</div>'


def _kinds(row: dict[str, Any], side: str) -> str:
    return ", ".join(f"{move['text']} {signed(move['mean'], 3)}" for move in row["classes"][side][:4])


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    cells = "".join("<tr>" + "".join(f"<td>{_text(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f"<table><thead><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr></thead><tbody>{cells}</tbody></table>"
    )


def _text(text: str) -> str:
    return escape(visible(text))
