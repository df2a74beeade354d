"""The pairs of a run in the formats of other trainers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from autoif.errors import InputError
from autoif.records import Message, PreferencePair
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
    """axolotl's DPO type `chat_template.default`.

    It looks for the answer in the rendered conversation and loses one that begins or ends with spaces when the template
    takes them away, so they go here.
    """
    return {"messages": pair.prompt, "chosen": _bare(pair.chosen[0]), "rejected": _bare(pair.rejected[0])}


def openrlhf(pair: PreferencePair) -> Row:
    """OpenRLHF with --data.apply_chat_template and no prompt key: whole conversations."""
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

    docs/formats.md says what each trainer must be told. Raises InputError when the run has no finished pairs, or when
    the dataset_info.json beside a file for LLaMA-Factory is not one.
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
        _register(target)
    return target, rows


def _register(target: Path) -> None:
    """Adds the file to LLaMA-Factory's dataset_info.json in its folder, which may list other data sets."""
    path = target.parent / "dataset_info.json"
    try:
        info = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError:
        info = None
    if not isinstance(info, dict):
        raise InputError(f"{path}: expected LLaMA-Factory's list of data sets, a JSON object; mend it or move it away.")
    info["autoif"] = {"file_name": target.name, **LLAMA_FACTORY_INFO}
    write_atomically(path, json.dumps(info, indent=2, ensure_ascii=False) + "\n")


def _once(pairs: Iterable[PreferencePair]) -> Iterator[PreferencePair]:
    """One pair for each chosen completion, which the cycle rule repeats."""
    seen: set[str] = set()
    for pair in pairs:
        if pair.chosen_id not in seen:
            seen.add(pair.chosen_id)
            yield pair


def _bare(message: Message) -> Message:
    return message | {"content": message["content"].strip()}


def _turn(message: Message) -> Message:
    return {"from": "human" if message["role"] == "user" else "gpt", "value": message["content"]}
