"""The data sets with verifiable rewards: who is in them, and that the columns are what their readers expect."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from autoif.cli import cli
from autoif.config_file import parse_config
from autoif.errors import InputError
from autoif.export import export
from autoif.records import Instruction, Query, VerifiedInstruction, Verifier
from autoif.rewards import compute_score, verifier_reward
from autoif.rundir import RunDirectory

NO_COMMA = "def evaluate(response: str) -> bool:\n    return ',' not in response\n"
SHORT = "def evaluate(response: str) -> bool:\n    return len(response) < 10\n"
EXAM = "name all the planets of the solar system in the order of their distance from the sun please"


def verified(text, *queries, split="train", confidence=0.9) -> VerifiedInstruction:
    asked = tuple(Query.make(text=query, source="test") for query in queries)
    return VerifiedInstruction.make(
        instruction=Instruction.make(text=text, origin="model", queries=asked),
        verifiers=tuple(Verifier.make(source=source, origin="model") for source in (NO_COMMA, SHORT)),
        cases=(),
        explanation="",
        split=split,
        confidence=confidence,
    )


RECORDS = [
    verified("Use no commas.", "What is “rain”?", "What is snow?"),
    verified("Shout.", "What is hail?", split="heldout_instruction"),
    verified("Be short.", "What is sleet?", split="heldout_query"),
    verified("Use few words.", "What is fog?", EXAM, confidence=0.5),
]


@pytest.fixture
def run(tmp_path) -> RunDirectory:
    """A run whose cross-check is done, with a benchmark that its prompts are held against."""
    exam = tmp_path / "exam.jsonl"
    exam.write_text(json.dumps({"prompt": f"Now {EXAM}!"}))
    directory = RunDirectory(tmp_path / "run")
    directory.path.mkdir()
    directory.claim(parse_config({"pairs": {"contamination": [str(exam)]}}, "test"))
    folder = directory.folder("crosscheck")
    folder.mkdir()
    (folder / "records.jsonl").write_bytes(b"".join(record.line() + b"\n" for record in RECORDS))
    (folder / "done").touch()
    return directory


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rewards_hold_every_query_to_train_on_and_no_other(run):
    path, count = export(run, "rewards")
    found = rows(path)
    assert path == run.path / "export/rewards.jsonl"
    assert [row["prompt"][0]["content"] for row in found] == [
        "What is “rain”?\nUse no commas.",
        "What is snow?\nUse no commas.",
        "What is fog?\nUse few words.",
    ]
    assert count == 3
    assert found[2] == {
        "prompt": [{"role": "user", "content": "What is fog?\nUse few words."}],
        "verifiers": [NO_COMMA, SHORT],
        "confidence": 0.5,
        "instruction_id": RECORDS[3].id,
    }


def test_the_reward_function_takes_the_columns_as_datasets_loads_them(run, tmp_path):
    datasets = pytest.importorskip("datasets")
    path, _ = export(run, "rewards")
    data = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    columns = {name: data[name][:] for name in data.column_names if name != "prompt"}
    assert verifier_reward(prompts=data["prompt"][:], completions=["wet", "a, b", "a, and longer"], **columns) == [
        1,
        0.5,
        0,
    ]


def test_verl_has_its_documented_fields(run, tmp_path):
    """https://verl.readthedocs.io/en/latest/preparation/prepare_data.html"""
    datasets = pytest.importorskip("datasets")
    path, _ = export(run, "verl")
    data = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert set(data.column_names) == {"data_source", "prompt", "ability", "reward_model", "extra_info"}
    row = data[0]
    assert row["prompt"] == [{"role": "user", "content": "What is “rain”?\nUse no commas."}]
    assert row["reward_model"]["style"] == "rule"
    truth = row["reward_model"]["ground_truth"]
    assert compute_score(row["data_source"], "one, two", truth, row["extra_info"]) == 0.5


def test_open_instruct_has_its_documented_fields(run):
    """https://huggingface.co/datasets/allenai/RLVR-IFeval: messages, ground_truth (a text), dataset."""
    path, count = export(run, "open-instruct")
    row = rows(path)[0]
    assert count == 3
    assert row["messages"] == [{"role": "user", "content": "What is “rain”?\nUse no commas."}]
    assert row["dataset"] == "autoif"
    assert compute_score(row["dataset"], "one, two", row["ground_truth"]) == 0.5


def test_the_command_says_where_and_how_many(run, tmp_path):
    target = tmp_path / "deep/train.json"
    done = CliRunner().invoke(cli, ["export", str(run.path), "--format", "verl", "--to", str(target)])
    assert done.output == f"{target}: 3 rows\n"
    assert len(rows(target)) == 3


def test_an_unfinished_cross_check_is_named(run):
    (run.folder("crosscheck") / "done").unlink()
    with pytest.raises(InputError, match="run `autoif crosscheck CONFIG` first"):
        export(run, "rewards")
