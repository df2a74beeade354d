"""Rows as the trainers document them (docs/formats.md says where)."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "report"))

from fake_run import write_run

from autoif.errors import InputError
from autoif.export import FORMATS, export
from autoif.rundir import RunDirectory

EDGES = " \n Spaces around me. \n"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunDirectory:
    """A run some of whose texts are hostile, with a pair whose answers have spaces at their edges."""
    path = write_run(tmp_path_factory.mktemp("export") / "run", queries=14, hostile=True, stages=7)
    records = path / "07_pairs" / "records.jsonl"
    first, *others = (json.loads(line) for line in records.read_text().splitlines())
    first["chosen"][0]["content"] = first["rejected"][0]["content"] = EDGES
    cut = first | {"id": "c" * 20, "rejected_cut": True}
    records.write_text("".join(json.dumps(line) + "\n" for line in (first, *others, cut)))
    return RunDirectory(path)


@pytest.fixture(scope="module")
def rows(run, tmp_path_factory):
    """name -> its rows, read back from the file."""
    folder = tmp_path_factory.mktemp("rows")
    return {name: read(export(run, name, folder / f"{name}.jsonl")[0]) for name in FORMATS}


@pytest.fixture(scope="module")
def pairs(run):
    """Those that other trainers can use: all but one."""
    return [pair for pair in run.stage("pairs") if not pair.rejected_cut]


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def is_message(value, role):
    return set(value) == {"role", "content"} and value["role"] == role and isinstance(value["content"], str)


def test_every_preference_format_has_a_row_for_each_pair(rows, pairs):
    assert len(pairs) > 8
    for name in ("trl", "llama-factory", "axolotl", "openrlhf"):
        assert len(rows[name]) == len(pairs)


def test_trl_explicit_prompt_and_conversational(rows, pairs):
    data_utils = pytest.importorskip("trl.data_utils")
    for row, pair in zip(rows["trl"], pairs, strict=True):
        assert data_utils.is_conversational(row)
        assert row == {"prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected}


@pytest.mark.parametrize("published", [False, True])
def test_trl_trains_on_it(run, tiny_llama, tokenizer, tmp_path, published):
    """A real step of TRL's trainer, on the exported file and on the shards of `autoif push`."""
    trl, datasets = pytest.importorskip("trl"), pytest.importorskip("datasets")
    pytest.importorskip("huggingface_hub")
    cache = {"split": "train", "cache_dir": str(tmp_path / "cache")}
    if published:
        data = datasets.load_dataset(pushed(run), **cache)
    else:
        data = datasets.load_dataset("json", data_files=str(export(run, "trl", tmp_path / "trl.jsonl")[0]), **cache)
    short = data.filter(lambda row: len(str(row)) < 2_000).select(range(4))
    trainer = trl.DPOTrainer(
        model=str(tiny_llama),
        args=trl.DPOConfig(
            output_dir=str(tmp_path / "out"),
            max_steps=1,
            per_device_train_batch_size=4,
            max_length=2_048,
            use_cpu=True,
            bf16=False,
            report_to=[],
            save_strategy="no",
        ),
        train_dataset=short,
        processing_class=tokenizer,
    )
    done = trainer.train()
    assert done.global_step == 1
    assert done.training_loss == pytest.approx(0.693, abs=1e-2)  # ln 2: the policy is the reference


def pushed(run) -> str:
    from rich.console import Console

    from autoif.push import push

    push(run, "acme/demo", public=False, dry_run=True, console=Console(quiet=True))
    return str(run.path / "push" / "dataset")


def test_llama_factory_turns_alternate_and_answers_are_one_turn(rows, pairs):
    for row, pair in zip(rows["llama-factory"], pairs, strict=True):
        turns = row["conversations"]
        assert len(turns) % 2 == 1
        assert [turn["from"] for turn in turns] == [("human", "gpt")[place % 2] for place in range(len(turns))]
        for side in ("chosen", "rejected"):
            assert row[side] == {"from": "gpt", "value": getattr(pair, side)[0]["content"]}
        assert turns[-1]["value"] == pair.prompt[-1]["content"]


def test_llama_factory_is_told_of_the_file(run, rows, tmp_path):
    path, _ = export(run, "llama-factory", tmp_path / "mine.jsonl")
    entry = json.loads((tmp_path / "dataset_info.json").read_text())["autoif"]
    assert (tmp_path / entry["file_name"]) == path
    assert entry["ranking"] is True
    assert entry["formatting"] == "sharegpt"
    documented = {"messages", "chosen", "rejected", "system", "tools", "images", "videos", "audios", "kto_tag"}
    assert set(entry["columns"]) <= documented
    assert set(entry["columns"].values()) == set(rows["llama-factory"][0])


def test_llama_factory_other_data_sets_stay_listed(run, tmp_path):
    info = tmp_path / "dataset_info.json"
    info.write_text(json.dumps({"identity": {"file_name": "identity.json"}}))
    export(run, "llama-factory", tmp_path / "mine.jsonl")
    assert list(json.loads(info.read_text())) == ["identity", "autoif"]
    for broken in ("[1]", "{"):
        info.write_text(broken)
        with pytest.raises(InputError, match="dataset_info"):
            export(run, "llama-factory", tmp_path / "mine.jsonl")
        assert info.read_text() == broken


def test_axolotl_messages_and_single_answers_that_it_finds(rows, pairs, tokenizer):
    """Rendered by Llama 3's template, which takes spaces at the edges away, each answer is still there as it is."""
    for row, pair in zip(rows["axolotl"], pairs, strict=True):
        assert set(row) == {"messages", "chosen", "rejected"}
        assert all(is_message(message, "user") for message in row["messages"])
        for side in ("chosen", "rejected"):
            assert is_message(row[side], "assistant")
            assert row[side]["content"] == getattr(pair, side)[0]["content"].strip()
            text = tokenizer.apply_chat_template([*row["messages"], row[side]], tokenize=False)
            assert row[side]["content"] in text


def test_openrlhf_whole_conversations_that_part_at_the_answer(rows, pairs, tokenizer):
    for row, pair in zip(rows["openrlhf"], pairs, strict=True):
        assert set(row) == {"chosen", "rejected"}  # a `margin` would change the loss
        assert row["chosen"][:-1] == row["rejected"][:-1] == pair.prompt
        assert is_message(row["chosen"][-1], "assistant")
        assert is_message(row["rejected"][-1], "assistant")
        start = tokenizer.apply_chat_template(row["chosen"][:-1], tokenize=False, add_generation_prompt=True)
        for side in ("chosen", "rejected"):
            assert tokenizer.apply_chat_template(row[side], tokenize=False).startswith(start)


def test_sft_conversations_end_with_each_chosen_answer_once(rows, pairs):
    seen = {pair.chosen_id: pair for pair in reversed(pairs)}
    assert len(rows["sft"]) == len(seen)
    for row in rows["sft"]:
        assert set(row) == {"messages"}
        assert is_message(row["messages"][-1], "assistant")
        assert all(is_message(message, "user") for message in row["messages"][:-1])


def test_a_run_without_pairs_is_refused(tmp_path):
    run = RunDirectory(write_run(tmp_path / "run", queries=4, stages=5))
    with pytest.raises(InputError, match="run `autoif pairs CONFIG` first"):
        export(run, "trl")
