"""One line of a run as it stands in a list: a title, what it belongs to, and a few words about it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from autoif.records import (
    Candidates,
    Completion,
    Instruction,
    PreferencePair,
    Query,
    Record,
    ScoredCompletion,
    VerifiedInstruction,
)
from autoif.report import words
from autoif.report.folder import json_object
from autoif.report.text import shown
from autoif.rundir import RECORDS
from autoif.seeds import kind_of

TITLE, ABOUT = 300, 200
"""Longest texts of a card, in characters."""
AROUND = 60
"""Characters shown on each side of a word that was searched for."""

DAMAGED = "(a line that cannot be read)"

Tag = tuple[str, str]
"""Words and the class that colours them."""
Excerpt = tuple[str, str, str]
"""What stands before a found word, the word, and what stands after it."""


@dataclass(frozen=True, slots=True)
class Card:
    href: str
    title: str
    about: str = ""
    tags: tuple[Tag, ...] = ()
    excerpt: Excerpt | None = None


def record_card(stage: str, content: dict[str, Any]) -> Card:
    """That of a line of records.jsonl, whatever is in it."""
    try:
        record = RECORDS[stage].model_validate(content)
    except ValidationError:
        return Card("", DAMAGED)
    title, about, tags = _told(record)
    return Card(f"/{stage}/{record.id}#asked", title, about, tuple(tag for tag in tags if tag[0]))


def drop_card(stage: str, number: int, line: bytes) -> Card:
    """That of a line of dropped.jsonl. Its address tells when another line has come to have its number."""
    drop = json_object(line)
    if "what" not in drop:
        return Card("", DAMAGED)
    texts = list(_texts(drop["what"], ("id", "parent", "source")))
    title, about = (*texts, "", "")[:2]
    tag = (words.name(f"{stage}/{drop.get('reason')}"), "bad")
    href = f"/{stage}/dropped/{number + 1}-{zlib.crc32(line):08x}"
    return Card(href, _cut(title or "(nothing)"), _cut(about, ABOUT), (tag,))


def _told(record: Record) -> tuple[str, str, tuple[Tag, ...]]:
    match record:
        case Query():
            return _cut(record.text), "", ((record.source, ""),)
        case Instruction():
            return (*_instruction(record), _labels(record))
        case Candidates():
            amounts = f"{len(record.verifiers)} functions, {len(record.cases)} test cases"
            return (*_instruction(record.instruction), (*_labels(record.instruction), (amounts, "")))
        case VerifiedInstruction():
            split = words.name(record.split) if record.split != "train" else ""
            sure = f"confidence {words.percent(record.confidence)}"
            return (*_instruction(record.instruction), (*_labels(record.instruction), (split, ""), (sure, "")))
        case Completion():
            return _cut(record.text), _cut(record.instruction, ABOUT), ((f"{record.tokens} tokens", ""),)
        case ScoredCompletion():
            rate = (f"pass rate {words.rate(record.pass_rate)}", "good" if record.pass_rate >= 0.5 else "bad")
            return _cut(record.completion.text), _cut(record.completion.instruction, ABOUT), (rate,)
        case PreferencePair():
            rates = f"{words.rate(record.chosen_score)} over {words.rate(record.rejected_score)}"
            return _cut(content_of(record.prompt)), _cut(content_of(record.chosen), ABOUT), ((rates, "good"),)
    raise AssertionError(record)


def _instruction(instruction: Instruction) -> tuple[str, str]:
    return _cut(instruction.text), _cut(instruction.queries[0].text if instruction.queries else "", ABOUT)


def _labels(instruction: Instruction) -> tuple[Tag, ...]:
    return tuple((words.name(key), "") for key in dict.fromkeys((kind_of(instruction), instruction.origin)))


def content_of(messages: list[dict[str, str]]) -> str:
    return messages[0].get("content", "") if messages else ""


def _cut(text: str, longest: int = TITLE) -> str:
    return shown(text[:longest], longest) + (" …" if len(text) > longest else "")


def has_all(value: Any, looked: Sequence[str]) -> bool:
    """Whether every word, in lower case, stands somewhere in the texts of a JSON value."""
    texts = "\n".join(_texts(value)).lower()
    return all(word in texts for word in looked)


def excerpt(value: Any, looked: Sequence[str]) -> Excerpt | None:
    """The first of the words that is found, with what stands around it."""
    for text in _texts(value):
        at = text.lower().find(looked[0])
        if at >= 0:
            end = at + len(looked[0])
            before = ("… " if at > AROUND else "") + text[max(0, at - AROUND) : at]
            after = text[end : end + AROUND] + (" …" if len(text) > end + AROUND else "")
            return shown(before, ABOUT), shown(text[at:end], ABOUT), shown(after, ABOUT)
    return None


def _texts(value: Any, without: Sequence[str] = ()) -> Iterator[str]:
    """Every string in a JSON value, but for the keys of its objects and what is under some of them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in without:
                yield from _texts(item, without)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, without)
