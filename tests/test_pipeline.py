"""The whole pipeline on canned replies and a tiny random model, through the real command line."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from autoif import pipeline, runner, store
from autoif.config import Config
from autoif.config_file import load_config
from autoif.rundir import NAMES, RunDirectory

DATA = [
    f"0{n}_{name}/{file}"
    for n, name in enumerate(
        ["queries", "instructions", "verifiers", "crosscheck", "completions", "scores", "pairs"], start=1
    )
    for file in ("records.jsonl", "dropped.jsonl")
]


def autoif(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    return command("-m", "autoif.cli", *arguments, **options)


def command(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=300, check=False, **options)


@pytest.fixture(scope="module")
def config(tmp_path_factory, tiny_llama) -> Path:
    """Engines that answer out of order, which a run must not depend on."""
    options = {"window": 7}
    content = {
        "queries": {"limit": 40},
        "writer": {"engine": "scripted", "options": options},
        "policy": {"engine": "scripted", "options": options},
        "instructions": {"near_duplicate": 1.0},
        "train": {"model": str(tiny_llama), "batch_size": 4, "max_steps": 2, "max_length": 1024},
        "evaluate": {"heldout_limit": 5},
    }
    path = tmp_path_factory.mktemp("config") / "scripted.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory) -> Path:
    """A finished, uninterrupted run."""
    run = tmp_path_factory.mktemp("whole") / "run"
    done = autoif("run", config, "--run", run)
    assert done.returncode == 0, done.stderr
    (run / "stdout.txt").write_text(done.stdout)
    return run


def data(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in DATA}


def records(run: Path, stage: str) -> list[dict]:
    return [json.loads(line) for line in (run / stage / "records.jsonl").read_text().splitlines()]


def test_every_stage_leaves_its_files(whole):
    for folder in sorted(whole.glob("0[1-7]_*")):
        assert {file.name for file in folder.iterdir()} == {"records.jsonl", "dropped.jsonl", "stats.json", "done"}
        stats = json.loads((folder / "stats.json").read_text())
        assert stats["kept"] == len((folder / "records.jsonl").read_text().splitlines())
        assert sum(stats["dropped"].values()) == len((folder / "dropped.jsonl").read_text().splitlines())
    assert (whole / "08_train" / "checkpoint" / "config.json").exists()
    assert (whole / "09_evaluate" / "scores.json").exists()
    assert (whole / "09_evaluate" / "tokens" / "pictures.jsonl").stat().st_size > 1_000
    assert (whole / "report.html").stat().st_size > 10_000
    saved = json.loads((whole / "config.json").read_text())
    assert saved["config"]["queries"]["limit"] == 40
    assert saved["versions"]["autoif"]


def test_every_record_leads_back_to_a_query(whole):
    names = ["01_queries", "02_instructions", "03_verifiers", "04_crosscheck", "05_completions", "06_scores"]
    for child, parent in zip(names[1:], names, strict=False):
        parents = {record["id"] for record in records(whole, parent)}
        assert {record["parent"] for record in records(whole, child)} <= parents
    verified = {record["id"] for record in records(whole, "04_crosscheck") if record["split"] == "train"}
    completions = {record["id"] for record in records(whole, "05_completions")}
    for pair in records(whole, "07_pairs"):
        assert pair["parent"] in verified
        assert {pair["chosen_id"], pair["rejected_id"]} <= completions


def test_the_closing_words(whole):
    out = (whole / "stdout.txt").read_text()
    assert "01_queries" in out
    assert "model-written instructions survived the cross-check" in out
    assert out.count("pair ") >= 3
    assert "Held-out verified instructions" in out
    assert "95 % bootstrap interval" in out
    assert "report.html" in out


def test_running_again_changes_nothing(whole, config):
    before = data(whole)
    done = autoif("run", config, "--run", whole)
    assert done.returncode == 0, done.stderr
    assert data(whole) == before


@pytest.mark.parametrize("reference", ["previous", "start"])
def test_a_second_round_goes_on_with_the_trained_policy(whole, config, tmp_path, reference):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    settings = ("--set", "rounds=2", "--set", f"train.reference={reference}")
    if reference == "start":
        shutil.rmtree(run / "08_train")
        shutil.rmtree(run / "09_evaluate")
    done = autoif("run", config, "--run", run, *settings)
    assert done.returncode == 0, done.stderr
    assert "round 2 of 2" in done.stdout
    assert done.stdout.count("Held-out verified instructions") == 2
    assert data(run) == data(whole)
    second = run / "round_2"
    assert (second / "04_crosscheck" / "records.jsonl").samefile(run / "04_crosscheck" / "records.jsonl")
    assert records(second, "05_completions") != records(run, "05_completions")
    assert records(second, "07_pairs")
    first, last = (json.loads((folder / "09_evaluate" / "scores.json").read_text()) for folder in (run, second))
    assert first["heldout"]["reference"] == last["heldout"]["reference"]
    rewards = json.loads((second / "08_train" / "metrics.jsonl").read_text().splitlines()[0])["rewards/chosen"]
    assert (abs(rewards) < 1e-6) == (reference == "previous"), "at its first step a policy is its own reference"
    again = autoif("run", config, "--run", run, *settings)
    assert again.returncode == 0, again.stderr
    shown = autoif("status", second)
    assert "05_completions" in shown.stdout
    assert f"autoif status {second}" in autoif("status", run).stdout.replace("\n", "")


def test_a_run_begins_with_the_stages_of_another_that_agree(whole, config, tmp_path):
    run = tmp_path / "run"
    settings = ("--run", run, "--from", whole, "--set", "train.beta=0.5")
    done = autoif("run", config, *settings)
    assert done.returncode == 0, done.stderr
    taken = "queries, instructions, verifiers, crosscheck, completions, scores, pairs (train.beta is 0.1 there and 0.5"
    assert taken in done.stdout
    assert data(run) == data(whole)
    assert (run / "07_pairs").is_symlink()
    assert not (run / "08_train").is_symlink()
    reference = "09_evaluate/answers/heldout.reference.jsonl"
    assert (run / reference).read_bytes() == (whole / reference).read_bytes()
    (logps,) = (whole / "08_train").glob("reference-*.npy")
    assert (run / "08_train" / logps.name).read_bytes() == logps.read_bytes()
    again = autoif("run", config, *settings)
    assert again.returncode == 0, again.stderr
    assert f"{run / '08_train'} is there already" in again.stdout


def test_a_run_does_not_begin_with_what_is_no_run(config, tmp_path):
    refused = autoif("run", config, "--run", tmp_path / "run", "--from", tmp_path)
    assert refused.returncode == 2
    assert refused.stderr == f"autoif: {tmp_path}: not a run directory (no readable config.json in it).\n"


def test_allowed_keys_may_differ_from_the_run_that_is_taken_from(whole, tmp_path):
    saved = Config.model_validate(json.loads((whole / "config.json").read_text())["config"])
    other = saved.model_copy(update={"queries": saved.queries.model_copy(update={"limit": 1})})
    here, there = RunDirectory(tmp_path), RunDirectory(whole)
    taken, why = here.begin_with(there, other)
    assert (taken, why.partition(" ")[0]) == ([], "queries.limit")
    assert here.begin_with(there, other, ["queries"]) == (list(NAMES), "")


def test_several_processes_train_and_do_nothing_else(whole, config, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    for folder in ("08_train", "09_evaluate"):
        shutil.rmtree(run / folder)
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes=2", "--num_machines=1"]
    launch += ["--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0", "-m", "autoif.cli"]
    done = command(*launch, "train", config, "--run", run)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("train: 2 steps") == 1, done.stdout
    assert (run / "08_train" / "done").exists()
    refused = command(*launch, "evaluate", config, "--run", run)
    assert "run it as one process" in refused.stderr
    assert not (run / "09_evaluate").exists()


def test_stage_by_stage_is_the_same_as_all_at_once(whole, config, tmp_path):
    for stage in ("queries", "instructions", "verifiers", "crosscheck", "completions", "scores", "pairs"):
        done = autoif(stage, config, "--run", tmp_path / "run", "--set", "sandbox.workers=1")
        assert done.returncode == 0, done.stderr
    assert data(tmp_path / "run") == data(whole)


def test_the_order_of_replies_does_not_matter(config, tmp_path):
    for window in (1, 9):
        for stage in ("queries", "instructions", "verifiers"):
            order = f"{{window: {window}}}"
            done = autoif(stage, config, "--run", tmp_path / str(window), "--set", f"writer.options={order}")
            assert done.returncode == 0, done.stderr
    for name in DATA[:6]:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "9" / name).read_bytes()


def test_killed_twenty_times_it_ends_in_the_same_files(whole, config, tmp_path):
    """kill -9 of the whole process group at random moments, resumed each time; a run that finishes begins anew."""
    chance = random.Random(5)
    kills = finished = 0
    while kills < 20 or not finished:
        run = tmp_path / f"run{finished}"
        command = [sys.executable, "-m", "autoif.cli", "run", str(config), "--run", str(run)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
        try:
            process.wait(timeout=chance.uniform(0.4, 3.0) if kills < 20 else None)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
            continue
        assert process.returncode == 0, process.stderr.read()
        assert data(run) == data(whole)
        finished += 1


def test_asked_to_stop_it_can_be_resumed_to_the_same_files(whole, config, tmp_path):
    run = tmp_path / "run"
    line = [sys.executable, "-m", "autoif.cli", "run", str(config), "--run", str(run)]
    stopped = 0
    for folder, number in (
        ("02_instructions", signal.SIGTERM),
        ("05_completions", signal.SIGINT),
        ("08_train", signal.SIGTERM),
    ):
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not (run / folder).exists() and process.poll() is None:
            pass
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
        assert process.returncode in (0, 130), told
        stopped += process.returncode == 130
        assert process.returncode == 0 or "run the same command again to continue" in told
    assert stopped
    done = autoif("run", config, "--run", run)
    assert done.returncode == 0, done.stderr
    assert data(run) == data(whole)


@pytest.mark.parametrize("unit", [0, 1, 20, 39])
def test_a_record_written_but_not_committed_is_no_duplicate_of_itself(config, whole, tmp_path, monkeypatch, unit):
    """The process dies between a query's line and its journal entry."""
    loaded = load_config(config, (f"run={tmp_path / 'run'}",))
    write, entries = store._write, []

    def dying(handle, data):
        if len(data) == store.ENTRY.itemsize:
            entries.append(data)
            if len(entries) > unit:
                raise KeyboardInterrupt
        write(handle, data)

    with monkeypatch.context() as patch, runner.opened(loaded, Console(quiet=True)) as run:
        patch.setattr(store, "_write", dying)
        with pytest.raises(KeyboardInterrupt):
            pipeline.queries(run)
    with runner.opened(loaded, Console(quiet=True)) as run:
        pipeline.queries(run)
    name = "01_queries/records.jsonl"
    assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes()


def test_a_second_process_is_refused(whole, config):
    from autoif.store import locked

    with locked(whole):
        done = autoif("queries", config, "--run", whole)
    assert done.returncode == 2
    assert "another process is writing this run" in done.stderr


def test_a_changed_config_is_refused_and_harmless_changes_are_not(whole, config, tmp_path):
    done = autoif("run", config, "--run", whole, "--set", "verifiers.functions=5")
    assert done.returncode == 2
    assert "verifiers.functions: was 4" in done.stderr
    assert "is now 5" in done.stderr
    assert autoif("pairs", config, "--run", whole, "--set", "writer.concurrency=3").returncode == 0
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    more = ("--set", "verifiers.functions=5", "--set", "pairs.max_reuse=3")
    done = autoif("pairs", config, "--run", run, *more, "--allow", "verifiers.functions")
    assert done.returncode == 2
    assert "--allow pairs.max_reuse" in done.stderr
    assert autoif("pairs", config, "--run", run, *more, "--allow", "verifiers", "--allow", "pairs").returncode == 0
    assert autoif("pairs", config, "--run", run, *more).returncode == 0


def test_an_upgrade_between_resumes_is_told_and_recorded(whole, config, tmp_path):
    """A run of an earlier version, whose configuration had a key less and whose torch was older."""
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    saved = json.loads((run / "config.json").read_text())
    saved["versions"]["torch"] = "1.0"
    del saved["config"]["crosscheck"]["min_confidence"], saved["earlier"]
    (run / "config.json").write_text(json.dumps(saved))
    changed = autoif("pairs", config, "--run", run, "--set", "crosscheck.min_confidence=0.75")
    assert changed.returncode == 2
    assert "crosscheck.min_confidence: was 0.9" in changed.stderr
    done = autoif("pairs", config, "--run", run)
    assert done.returncode == 0, done.stderr
    assert "was begun with other versions: torch 1.0 to 2." in done.stdout
    again = autoif("pairs", config, "--run", run)
    assert "other versions" not in again.stdout
    [earlier] = json.loads((run / "config.json").read_text())["earlier"]
    assert earlier["versions"]["torch"] == "1.0"


@pytest.mark.parametrize(
    ("settings", "status", "message"),
    [
        (["queries.min_chars=5000", "queries.max_chars=6000"], 2, "no query is left after the filters"),
        (["instructions.seeds_per_query=0", "writer.options={replies: [nonsense]}"], 1, "no usable instruction"),
        (["pairs.chosen_at=1.0", "policy.options={replies: [x]}"], 1, "nothing to train on"),
        (["queries.source=/nowhere.jsonl"], 2, "/nowhere.jsonl"),
    ],
)
def test_nothing_left_is_one_sentence_and_the_run_stays_usable(config, tmp_path, settings, status, message):
    extra = [part for setting in settings for part in ("--set", setting)]
    for _ in range(2):
        done = autoif("run", config, "--run", tmp_path / "run", *extra)
        assert done.returncode == status, done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert autoif("status", tmp_path / "run").returncode == 0


def test_status_show_and_export(whole, tmp_path):
    status = autoif("status", whole, env={**os.environ, "COLUMNS": "200"})
    assert "07_pairs" in status.stdout
    pair = records(whole, "07_pairs")[0]
    for id in (pair["id"], pair["chosen_id"], records(whole, "01_queries")[0]["id"]):
        shown = autoif("show", whole, id[:12])
        assert shown.returncode == 0, shown.stderr
        assert id in shown.stdout
    assert autoif("show", whole, "ffffffffffff").returncode == 2
    for name in ("trl", "llama-factory", "axolotl", "openrlhf", "sft", "rewards", "verl", "open-instruct"):
        target = tmp_path / f"{name}.jsonl"
        assert autoif("export", whole, "--format", name, "--to", target).returncode == 0
        assert all(json.loads(line) for line in target.read_text().splitlines())


def test_a_stage_out_of_order_says_what_comes_first(config, tmp_path):
    done = autoif("verifiers", config, "--run", tmp_path / "run")
    assert done.returncode == 2
    assert "run `autoif instructions CONFIG` first" in done.stderr


def test_help_is_light():
    """No heavy library is imported before a command needs it: --help stays under half a second."""
    heavy = "[m for m in ('torch', 'transformers', 'pydantic', 'numpy', 'rich') if m in sys.modules]"
    code = f"import sys; from autoif.cli import cli; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_status_of_a_running_stage(config, tmp_path):
    """Readers may look while a run goes on: they change nothing."""
    run = tmp_path / "run"
    command = [sys.executable, "-m", "autoif.cli", "run", str(config), "--run", str(run)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not (run / "config.json").exists():
        assert process.poll() is None
    for _ in range(3):
        assert autoif("status", run).returncode == 0
    deadline = time.monotonic() + 240
    assert process.wait(timeout=deadline - time.monotonic()) == 0
