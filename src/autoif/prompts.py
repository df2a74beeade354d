"""Prompts: text files beside the code that parses their replies, filled in one pass."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from string import Template

from autoif.records import Message


@cache
def _template(name: str) -> Template:
    return Template(files("autoif.stages").joinpath(f"{name}.txt").read_text(encoding="utf-8").strip())


def fill(name: str, **fields: object) -> str:
    """The prompt file `name`.txt with its $fields filled in one pass: nothing inside a field is expanded again.

    Raises KeyError for a field that is not given.
    """
    return _template(name).substitute(fields)


def user_prompt(query: str, instruction: str) -> str:
    """The user message of the training data: the query, then the instruction on a line of its own."""
    return f"{query}\n{instruction}"


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def draw(*key: object) -> int:
    """A number in [0, 2^31) that follows from the key alone: every random choice of a run is one of these."""
    digest = hashlib.blake2b("\x1f".join(map(str, key)).encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") & 0x7FFFFFFF
