"""Preference pairs from disk to token ids, exactly as generation sees them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autoif import chat
from autoif.errors import InputError
from autoif.records import Message

Row = dict[str, list[int]]


class Turn(BaseModel):
    model_config = ConfigDict(frozen=True)

    role: str
    content: str


class Pair(BaseModel):
    """What training reads of TRL's conversational preference format; other keys are allowed and ignored."""

    model_config = ConfigDict(frozen=True)

    prompt: list[Turn] = Field(min_length=1)
    chosen: list[Turn] = Field(min_length=1, max_length=1)
    rejected: list[Turn] = Field(min_length=1, max_length=1)
    rejected_cut: bool = False


def read_pairs(path: Path) -> Iterator[Pair]:
    """Streams the pairs of a JSON-lines file. Raises InputError with the line number of one that is malformed."""
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                yield _parse(line, f"{path} line {number}")
    except OSError as error:
        raise _unreadable(path, error) from None


def _parse(line: bytes, where: str) -> Pair:
    try:
        return Pair.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{where}: expected a JSON object with the messages prompt, chosen and rejected"
            f" ({place + ': ' if place else ''}{first['msg'].lower()})."
        ) from None


def encode_pair(tokenizer: Any, pair: Pair, stops: frozenset[int]) -> Row:
    """`prompt_ids`, `chosen_ids`, `rejected_ids` of one pair.

    The prompt has the ids that an engine sends to the model, and each completion those the model would answer with: its
    text and one end of turn, whatever the template prints after it; none where the rejected one was cut.
    """
    prompt = _messages(pair.prompt)
    head, chosen = chat.render_exchange(tokenizer, prompt, _messages(pair.chosen))
    _, rejected = chat.render_exchange(tokenizer, prompt, _messages(pair.rejected))
    rejected_ids = _until_end(tokenizer, rejected, stops)
    return {
        "prompt_ids": chat.encode(tokenizer, head),
        "chosen_ids": _until_end(tokenizer, chosen, stops),
        "rejected_ids": rejected_ids[:-1] if pair.rejected_cut else rejected_ids,
    }


def length(row: Row) -> int:
    """Tokens of the prompt with the longer completion."""
    return len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"]))


def _until_end(tokenizer: Any, completion: str, stops: frozenset[int]) -> list[int]:
    ids = chat.encode(tokenizer, completion)
    end = next((place for place, id in enumerate(ids) if id in stops), None)
    if end is None:  # a template that leaves the end of a turn to the caller
        return [*ids, tokenizer.eos_token_id]
    return ids[: end + 1]


def _messages(turns: list[Turn]) -> list[Message]:
    return [{"role": turn.role, "content": turn.content} for turn in turns]


@dataclass
class LeftOut:
    """Pairs that training cannot use, by reason."""

    too_long: int = 0


def encode_pairs(
    tokenizer: Any, pairs: Path, stops: frozenset[int], max_length: int, left_out: LeftOut
) -> Iterator[Row]:
    """The rows of every pair that fits `max_length` tokens; the others are counted in `left_out`."""
    for pair in read_pairs(pairs):
        row = encode_pair(tokenizer, pair, stops)
        if length(row) > max_length:
            left_out.too_long += 1
        else:
            yield row


def digest(path: Path) -> str:
    """A hash of a file's content. Raises InputError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be read ({error.strerror}); expected a file of preference pairs.")
