"""Whether a training prompt shares a run of words with a benchmark (paper Table 4: 13-grams)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from autoif.errors import InputError
from autoif.records import PreferencePair
from autoif.store import Stage

N = 13
"""Words in a row, as in the paper's Table 4 and in GPT-3's overlap analysis (arXiv 2005.14165, appendix C)."""


class Contamination:
    """Call it with a prompt: the names of the benchmarks with which it has N words in a row in common."""

    def __init__(self, benchmarks: Mapping[str, Iterable[str]]) -> None:
        """`benchmarks`: the texts of each, by name."""
        self._grams = {name: {gram for text in texts for gram in grams(text, N)} for name, texts in benchmarks.items()}

    def __call__(self, prompt: str) -> list[str]:
        if not self._grams:
            return []
        mine = set(grams(prompt, N))
        return [name for name, theirs in self._grams.items() if not mine.isdisjoint(theirs)]

    @classmethod
    def of_files(cls, paths: Iterable[str]) -> Contamination:
        """From files of prompts: JSON lines (every string in them counts) or plain text. Raises InputError."""
        return cls({path: list(_texts(Path(path))) for path in paths})


def contamination_table(stage: Stage[PreferencePair], benchmarks: Iterable[str]) -> list[dict[str, Any]]:
    """For each benchmark how many training prompts were checked and how many overlap, as the paper's Table 4."""
    found: Counter[str] = Counter()
    checked = sum(1 for _ in groupby(pair.prompt for pair in stage))
    for drop in stage.drops():
        checked += drop["reason"] in ("no_contrast", "contaminated")
        if drop["reason"] == "contaminated":
            found.update(drop["what"]["benchmarks"])
    return [{"benchmark": name, "prompts": checked, "contaminated": found[name]} for name in benchmarks]


def grams(text: str, n: int) -> Iterator[int]:
    """A hash of every run of `n` words, without case and punctuation."""
    found = words(text)
    for start in range(len(found) - n + 1):
        yield hash(tuple(found[start : start + n]))


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


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
