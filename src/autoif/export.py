"""The pairs of a run in the formats of other trainers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from autoif.records import PreferencePair
from autoif.rundir import RunDirectory
from autoif.store import write_atomically

Row = dict[str, Any]


def trl(pair: PreferencePair) -> Row:
    """TRL's conversational preference format with an explicit prompt."""
    return {"prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected}


def llama_factory(pair: PreferencePair) -> Row:
    """LLaMA-Factory's preference data in the ShareGPT format (`ranking: true` in dataset_info.json)."""
    return {
        "conversations": [_turn(message) for message in pair.prompt],
        "chosen": _turn(pair.chosen[0]),
        "rejected": _turn(pair.rejected[0]),
    }


def axolotl(pair: PreferencePair) -> Row:
    """axolotl's DPO type `chat_template.default`."""
    return {"messages": pair.prompt, "chosen": pair.chosen[0], "rejected": pair.rejected[0]}


def openrlhf(pair: PreferencePair) -> Row:
    """OpenRLHF with --apply_chat_template, --chosen_key chosen and --rejected_key rejected: whole conversations."""
    return {"chosen": pair.prompt + pair.chosen, "rejected": pair.prompt + pair.rejected}


def sft(pair: PreferencePair) -> Row:
    """Chosen completions as plain conversations, for supervised fine-tuning."""
    return {"messages": pair.prompt + pair.chosen}


FORMATS: dict[str, Callable[[PreferencePair], Row]] = {
    "trl": trl,
    "llama-factory": llama_factory,
    "axolotl": axolotl,
    "openrlhf": openrlhf,
    "sft": sft,
}

LLAMA_FACTORY_INFO: Row = {
    "ranking": True,
    "formatting": "sharegpt",
    "columns": {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"},
}
"""What LLaMA-Factory's dataset_info.json says of the file."""


def export(run: RunDirectory, name: str, target: Path | None = None) -> tuple[Path, int]:
    """Writes the run's pairs as JSON lines, by default to RUN/export/NAME.jsonl; returns the file and its rows.

    Raises InputError when the run has no finished pairs.
    """
    pairs: Iterable[PreferencePair] = run.finished("pairs")
    target = target or run.path / "export" / f"{name}.jsonl"
    target.parent.mkdir(parents=True, exist_ok=True)
    rows = 0
    with open(target, "w", encoding="utf-8") as file:
        for pair in _once(pairs) if name == "sft" else pairs:
            file.write(json.dumps(FORMATS[name](pair), ensure_ascii=False) + "\n")
            rows += 1
    if name == "llama-factory":
        info = {"autoif": {"file_name": target.name, **LLAMA_FACTORY_INFO}}
        write_atomically(target.parent / "dataset_info.json", json.dumps(info, indent=1) + "\n")
    return target, rows


def _once(pairs: Iterable[PreferencePair]) -> Iterator[PreferencePair]:
    """One pair for each chosen completion, which the cycle rule repeats."""
    seen: set[str] = set()
    for pair in pairs:
        if pair.chosen_id not in seen:
            seen.add(pair.chosen_id)
            yield pair


def _turn(message: dict[str, str]) -> dict[str, str]:
    return {"from": "human" if message["role"] == "user" else "gpt", "value": message["content"]}
