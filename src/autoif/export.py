"""What a run made in the formats of other trainers: its pairs, or its verified instructions with their verifiers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from autoif.contamination import Contamination
from autoif.errors import InputError
from autoif.prompts import user, user_prompt
from autoif.records import Message, PreferencePair, Query, VerifiedInstruction
from autoif.remote import Folder, is_remote
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


def rewards(verified: VerifiedInstruction, query: Query) -> Row:
    """A prompt with its verifiers, as `autoif.rewards.verifier_reward` and TRL's GRPOTrainer take it."""
    return {
        "prompt": _asked(verified, query),
        "verifiers": _sources(verified),
        "confidence": verified.confidence,
        "instruction_id": verified.id,
    }


def verl(verified: VerifiedInstruction, query: Query) -> Row:
    """verl's RLHFDataset; `autoif.rewards.compute_score` reads the ground truth."""
    return {
        "data_source": "autoif",
        "prompt": _asked(verified, query),
        "ability": "instruction_following",
        "reward_model": {"style": "rule", "ground_truth": json.dumps(_sources(verified))},
        "extra_info": {"split": "train", "instruction_id": verified.id, "confidence": verified.confidence},
    }


def open_instruct(verified: VerifiedInstruction, query: Query) -> Row:
    """open-instruct's RLVR data: `dataset` names the verifier function that is given the ground truth."""
    return {
        "messages": _asked(verified, query),
        "ground_truth": json.dumps(_sources(verified)),
        "dataset": "autoif",
        "confidence": verified.confidence,
        "instruction_id": verified.id,
    }


REWARD_FORMATS: dict[str, Callable[[VerifiedInstruction, Query], Row]] = {
    "rewards": rewards,
    "verl": verl,
    "open-instruct": open_instruct,
}

LLAMA_FACTORY_INFO: Row = {
    "ranking": True,
    "formatting": "sharegpt",
    "columns": {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"},
}
"""What LLaMA-Factory's dataset_info.json says of the file."""


def export(run: RunDirectory, name: str, to: str | Path | None = None) -> tuple[Path | str, int]:
    """Writes the run's rows in a format as JSON lines, by default to RUN/export/NAME.jsonl, at a URL in shards.

    Returns the file or the URL, and the number of rows; docs/formats.md says what each trainer must be told. Raises
    InputError when the stage that they come from is not finished, or when the dataset_info.json beside a file for
    LLaMA-Factory is not one.
    """
    rows = _reward_rows(run, name) if name in REWARD_FORMATS else _pair_rows(run, name)
    if isinstance(to, str) and is_remote(to):
        return to, Folder(to).write(name, rows)
    target = Path(to) if to else run.path / "export" / f"{name}.jsonl"
    target.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with open(target, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    if name == "llama-factory":
        _register(target)
    return target, count


def _pair_rows(run: RunDirectory, name: str) -> Iterable[Row]:
    pairs: Iterable[PreferencePair] = run.finished("pairs")
    if name == "sft":
        return map(sft, _once(pairs))
    return (FORMATS[name](pair) for pair in pairs if not pair.rejected_cut)  # others put an end of turn behind it


def _reward_rows(run: RunDirectory, name: str) -> Iterable[Row]:
    """A row for each query of each instruction to train on. Stage 7's rule holds here too: no benchmark's words."""
    verified: Iterable[VerifiedInstruction] = run.finished("crosscheck")
    contaminated = Contamination.of_files(run.saved()["config"]["pairs"]["contamination"])
    return (
        REWARD_FORMATS[name](one, query)
        for one in verified
        if one.split == "train"
        for query in one.instruction.queries
        if not contaminated(user_prompt(query.text, one.instruction.text))
    )


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


def _asked(verified: VerifiedInstruction, query: Query) -> list[Message]:
    return [user(user_prompt(query.text, verified.instruction.text))]


def _sources(verified: VerifiedInstruction) -> list[str]:
    return [verifier.source for verifier in verified.verifiers]
