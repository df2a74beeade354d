"""What is trained on, as token ids in Arrow files that are read as needed. Imports datasets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Value
from datasets import Sequence as List
from datasets.arrow_writer import ArrowWriter

from autoif.training.groups import Group
from autoif.training.pairs import Row

IDS = List(Value("int32"))
PAIRS = Features(dict.fromkeys(("prompt_ids", "chosen_ids", "rejected_ids"), IDS))
GROUPS = Features({"prompt": IDS, "completions": List(IDS), "chosen": IDS, "rejected": IDS})
CHOSEN = Features({"input_ids": IDS, "labels": IDS})
IGNORED = -100
"""The label of a token that has no part in the loss."""


def write_pairs(file: Path, rows: Iterable[Row]) -> None:
    _write(file, PAIRS, rows)


def write_groups(file: Path, groups: Iterable[Group]) -> None:
    _write(file, GROUPS, map(_as_row, groups))


def write_chosen(file: Path, dataset: Dataset) -> None:
    """The chosen completions behind their prompts, of a data set of pairs or groups, each once."""
    rows = (
        {"input_ids": prompt + list(chosen), "labels": [IGNORED] * len(prompt) + list(chosen)}
        for prompt, same in groupby(dataset, key=_prompt)
        for chosen in dict.fromkeys(tuple(ids) for row in same for ids in _chosen(row))
    )
    _write(file, CHOSEN, rows)


def as_group(row: dict[str, Any]) -> Group:
    return Group(row["prompt"], row["completions"], list(zip(row["chosen"], row["rejected"], strict=True)))


def _as_row(group: Group) -> dict[str, Any]:
    chosen, rejected = zip(*group.pairs, strict=True)
    return {"prompt": group.prompt, "completions": group.completions, "chosen": chosen, "rejected": rejected}


def _prompt(row: dict[str, Any]) -> list[int]:
    ids: list[int] = row["prompt_ids"] if "prompt_ids" in row else row["prompt"]
    return ids


def _chosen(row: dict[str, Any]) -> Iterator[list[int]]:
    if "chosen_ids" in row:
        yield row["chosen_ids"]
    else:
        yield from (row["completions"][place] for place in row["chosen"])


def _write(file: Path, features: Features, rows: Iterable[dict[str, Any]]) -> None:
    with ArrowWriter(path=str(file), features=features) as writer:
        for row in rows:
            writer.write(row)
        writer.finalize()
