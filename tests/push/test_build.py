import json
import shutil

import pytest
from finished import configure
from rich.console import Console

from autoif.errors import InputError
from autoif.progress import Meter
from autoif.push import shards
from autoif.push.build import build
from autoif.rundir import RunDirectory


def built(run):
    return build(RunDirectory(run), "acme/demo", Meter(Console(quiet=True), "push", None))


def records(run, stage):
    return list(RunDirectory(run).stage(stage))


def test_a_run_becomes_a_data_set_and_a_policy(run):
    data, policy = built(run)
    assert (data.repo, data.kind, policy.repo, policy.kind) == ("acme/demo", "dataset", "acme/demo-policy", "model")
    assert sorted(data.files) == [
        "README.md",
        "pairs/train-00000.parquet",
        "verified_instructions/heldout_instruction-00000.parquet",
        "verified_instructions/heldout_query-00000.parquet",
        "verified_instructions/train-00000.parquet",
    ]
    assert sorted(policy.files) == ["README.md", "config.json", "model.safetensors"]
    assert "acme/demo" in policy.card
    assert "As it was trained" not in policy.card


def test_datasets_loads_what_the_run_holds(run, tmp_path, monkeypatch):
    """Through the card's configurations, from several shards."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(shards, "BATCH", 4)
    monkeypatch.setattr(shards, "GROUP_BYTES", 1)
    monkeypatch.setattr(shards, "SHARD_BYTES", 1)
    data, _ = built(run)
    assert sum(name.startswith("pairs/") for name in data.files) > 2
    folder, cache = str(data.files["README.md"].parent), str(tmp_path / "cache")
    pairs = datasets.load_dataset(folder, split="train", cache_dir=cache)
    for row, pair in zip(pairs, records(run, "pairs"), strict=True):
        assert row == {**pair.model_dump(exclude={"parent"}), "instruction_id": pair.parent}
    verified = datasets.load_dataset(folder, "verified_instructions", cache_dir=cache)
    expected = records(run, "crosscheck")
    assert {split: len(rows) for split, rows in verified.items()} == {
        split: sum(one.split == split for one in expected)
        for split in ("train", "heldout_query", "heldout_instruction")
    }
    first, row = expected[0], verified["train"][0]
    assert row["verifiers"] == [verifier.source for verifier in first.verifiers]
    assert [(case["response"], case["follows"]) for case in row["cases"]] == [
        (c.response, c.follows) for c in first.cases
    ]


def test_the_same_run_gives_the_same_bytes(run):
    once = {name: path.read_bytes() for parcel in built(run) for name, path in parcel.files.items()}
    again = {name: path.read_bytes() for parcel in built(run) for name, path in parcel.files.items()}
    assert once == again


def test_shards_of_an_earlier_build_are_gone(run):
    left = run / "push" / "dataset" / "pairs" / "train-00009.parquet"
    left.parent.mkdir(parents=True)
    left.touch()
    assert "pairs/train-00009.parquet" not in built(run)[0].files


def test_without_a_finished_training_there_is_no_policy(run):
    (run / "08_train" / "done").unlink()
    assert [parcel.kind for parcel in built(run)] == ["dataset"]


def test_unfinished_or_no_pairs_are_refused(run):
    stats = run / "07_pairs" / "stats.json"
    stats.write_text(json.dumps(json.loads(stats.read_text()) | {"kept": 0}))
    with pytest.raises(InputError, match="there are no pairs to push"):
        built(run)
    (run / "07_pairs" / "done").unlink()
    with pytest.raises(InputError, match="run `autoif pairs CONFIG` first"):
        built(run)
    shutil.rmtree(run / "07_pairs")
    with pytest.raises(InputError, match="run `autoif pairs CONFIG` first"):
        built(run)


def test_a_run_of_another_version_is_refused(run):
    configure(run, a_key_of_tomorrow=1)
    with pytest.raises(InputError, match="other keys"):
        built(run)
