"""A policy between the untrained and the trained one, made of a run through the real command line."""

import json
import resource
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoif.interpolate import interpolate
from autoif.rundir import RunDirectory


def autoif(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "autoif.cli", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=300, check=False, **options)


@pytest.fixture(scope="module", params=[None, {"rank": 2}], ids=["all weights", "LoRA"])
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Path:
    content = {
        "queries": {"limit": 20},
        "writer": {"engine": "scripted"},
        "policy": {"engine": "scripted"},
        "instructions": {"near_duplicate": 1.0},
        "train": {
            "model": str(tiny_llama),
            "lora": request.param,
            "batch_size": 4,
            "max_steps": 2,
            "learning_rate": 1e-2,
            "max_length": 1024,
        },
        "evaluate": {"heldout_limit": 5, "token_pictures": 0},
    }
    path = tmp_path_factory.mktemp("config") / "scripted.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def run(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "trained"
    done = autoif("run", config, "--run", folder)
    assert done.returncode == 0, done.stderr
    return folder


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def test_the_weights_lie_between_and_the_run_goes_on(run: Path, config: Path, tiny_llama: Path, tmp_path: Path) -> None:
    out = tmp_path / "half"
    done = autoif("interpolate", run, "--share", 0.5, "--to", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out}: 50% of the way from the untrained policy to that of {run}\n"
    before, after, half = map(weights, (tiny_llama, run / "08_train/checkpoint", out / "08_train/checkpoint"))
    assert any((after[name] - before[name]).abs().max() > 1e-3 for name in half)
    for name in half:
        assert (half[name] - (before[name] + after[name]) / 2).abs().max() < 1e-6
    assert not (out / "08_train" / "adapter").exists()
    assert "; then moved to 50% of the way from the base model to `trained`" in (
        out / "08_train/checkpoint/README.md"
    ).read_text("utf-8")
    asked = "09_evaluate/answers/heldout.reference.jsonl"
    assert (out / asked).read_bytes() == (run / asked).read_bytes()
    evaluated = autoif("run", config, "--run", out, "--set", "evaluate.samples=1")  # not yet begun, so free to differ
    assert evaluated.returncode == 0, evaluated.stderr
    assert json.loads((out / "09_evaluate/scores.json").read_text())["heldout"]["n"]
    assert "keeps 50.0% of what training changed" in (out / "report.html").read_text("utf-8")
    assert (out / "07_pairs").is_symlink()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_ends_are_the_two_policies(run: Path, tiny_llama: Path, tmp_path: Path, share: float) -> None:
    interpolate(RunDirectory(run), share, RunDirectory(tmp_path / "end"))
    made = weights(tmp_path / "end/08_train/checkpoint")
    wanted = weights(run / "08_train/checkpoint" if share else tiny_llama)
    assert all((weight - wanted[name]).abs().max() < 1e-6 for name, weight in made.items())


def test_shares_of_shares_multiply_and_a_round_is_named_with_its_run(run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again" / "round_2"
    again.parent.mkdir()
    (again.parent / "config.json").write_text("{}")
    shutil.copytree(run, again, symlinks=True)
    interpolate(RunDirectory(again), 0.5, RunDirectory(tmp_path / "half"))
    interpolate(RunDirectory(tmp_path / "half"), 0.5, RunDirectory(tmp_path / "quarter"))
    stats = json.loads((tmp_path / "quarter/08_train/stats.json").read_text())
    assert (stats["share"], stats["of"]) == (0.25, "again/round_2")


def test_what_an_interrupted_one_left_behind_is_no_part_of_the_next(run: Path, tmp_path: Path) -> None:
    left = tmp_path / "out.partial" / "08_train"
    left.mkdir(parents=True)
    (left / "sft_metrics.jsonl").write_text("{}")
    interpolate(RunDirectory(run), 0.5, RunDirectory(tmp_path / "out"))
    assert not left.exists()
    assert not (tmp_path / "out/08_train/sft_metrics.jsonl").exists()


def test_a_disk_without_room_is_one_sentence_and_the_same_command_goes_on(run: Path, tmp_path: Path) -> None:
    command = ("interpolate", run, "--share", 0.5, "--to", tmp_path / "out")
    short = autoif(*command, preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, 100_000)))
    assert short.returncode == 1
    assert short.stderr.startswith(f"autoif: {tmp_path / 'out.partial' / '08_train'}: cannot be written (")
    assert not (tmp_path / "out").exists()
    assert short.stderr.endswith("make room and run the same again.\n")
    again = autoif(*command)
    assert again.returncode == 0, again.stderr


def test_what_cannot_be_is_said(run: Path, tmp_path: Path) -> None:
    taken = autoif("interpolate", run, "--share", 0.5, "--to", run)
    assert (taken.returncode, taken.stderr) == (2, f"autoif: {run}: is there already; name another folder as --to.\n")
    (tmp_path / "config.json").write_text((run / "config.json").read_text())
    untrained = autoif("interpolate", tmp_path, "--share", 0.5, "--to", tmp_path / "out")
    assert untrained.returncode == 2
    assert "08_train: nothing is trained yet; run `autoif train CONFIG` first." in untrained.stderr
    beyond = autoif("interpolate", run, "--share", 1.5, "--to", tmp_path / "out")
    assert beyond.returncode == 2
    assert "1.5 is not in the range 0<=x<=1" in beyond.stderr
    unordered = autoif("interpolate", run, "--share", "nan", "--to", tmp_path / "out")
    assert unordered.stderr == "autoif: --share nan: expected a number from 0 (untrained) to 1 (trained).\n"
    assert not (tmp_path / "out").exists()
