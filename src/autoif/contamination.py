"""Whether a training prompt shares a run of words with a benchmark (paper Table 4: 13-grams)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from autoif.errors import InputError

N = 13
"""Words in a row, as in the paper's Table 4 and in GPT-3's overlap analysis (arXiv 2005.14165, appendix C)."""


class Contamination:
    """Call it with a prompt: True when N words in a row stand in one of the benchmark texts."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._grams = {gram for text in texts for gram in _grams(text)}

    def __call__(self, prompt: str) -> bool:
        return bool(self._grams) and any(gram in self._grams for gram in _grams(prompt))

    @classmethod
    def of_files(cls, paths: Iterable[str]) -> Contamination:
        """From files of prompts: JSON lines (every string in them counts) or plain text. Raises InputError."""
        return cls(text for path in paths for text in _texts(Path(path)))


def _grams(text: str) -> Iterator[int]:
    words = re.findall(r"\w+", text.casefold())
    for start in range(len(words) - N + 1):
        yield hash(tuple(words[start : start + N]))


def _texts(path: Path) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                yield from _strings(_parsed(line))
    except OSError as error:
        raise InputError(
            f"pairs.contamination: {path} cannot be read ({error.strerror}); give a file of prompts."
        ) from None


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)
