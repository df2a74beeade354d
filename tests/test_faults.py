"""A full disk, a read-only one and a clock that jumps: each on a whole run, which then ends in the same files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

STAGES = ("queries", "instructions", "verifiers", "crosscheck", "completions", "scores", "pairs")
JUMPING = """
import random, time
real, chance = time.time, random.Random(0)
time.time = lambda: real() + chance.uniform(-1e8, 1e8)
from autoif.cli import main
main()
"""
# $1 the folder to mount on, $2 the bytes it has at first, $3 the configuration, then the command.
FULL = """
mount -t tmpfs -o size=$2 none $1; folder=$1; config=$3; shift 3
for stage in queries instructions verifiers crosscheck completions scores pairs; do
    if "$@" $stage $config --run $folder/run; then continue; else echo "status $?"; fi
    mount -o remount,size=64m $folder
    "$@" $stage $config --run $folder/run
done
cp -r $folder/run $folder.out
"""
READ_ONLY = """
mount -t tmpfs -o size=64m none $1; folder=$1; config=$3; shift 3
for stage in queries instructions verifiers crosscheck completions scores pairs; do
    mount -o remount,ro $folder
    "$@" $stage $config --run $folder/run && echo "it wrote" || echo "status $?"
    mount -o remount,rw $folder
    "$@" $stage $config --run $folder/run
done
cp -r $folder/run $folder.out
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    engine = {"engine": "scripted"}
    path = tmp_path_factory.mktemp("config") / "scripted.yaml"
    path.write_text(yaml.safe_dump({"queries": {"limit": 40}, "writer": engine, "policy": engine}))
    return path


@pytest.fixture(scope="module")
def whole(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    for stage in STAGES:
        subprocess.run([sys.executable, "-m", "autoif.cli", stage, config, "--run", run], check=True)
    return run


def test_a_full_disk_is_one_sentence_and_the_same_command_goes_on(whole: Path, config: Path, tmp_path: Path) -> None:
    half = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file()) // 2
    done = _mounted(FULL, config, tmp_path, half)
    assert done.stdout.count("status 1") == 1
    [sentence] = [line for line in done.stderr.splitlines() if line.startswith("autoif: ")]
    assert "No space left on device" in sentence
    assert "make room and run the same again" in sentence
    assert _data(tmp_path / "disk.out") == _data(whole)


def test_a_read_only_disk_is_one_sentence(whole: Path, config: Path, tmp_path: Path) -> None:
    done = _mounted(READ_ONLY, config, tmp_path, 0)
    assert done.stdout.count("status 1") == len(STAGES)
    assert "it wrote" not in done.stdout
    assert done.stderr.count("Read-only file system") == len(STAGES)
    assert _data(tmp_path / "disk.out") == _data(whole)


def test_a_jumping_clock_changes_nothing(whole: Path, config: Path, tmp_path: Path) -> None:
    for stage in STAGES:
        line = [sys.executable, "-c", JUMPING, stage, config, "--run", tmp_path / "run"]
        subprocess.run(line, check=True, timeout=300)
    assert _data(tmp_path / "run") == _data(whole)


def _mounted(script: str, config: Path, folder: Path, size: int) -> subprocess.CompletedProcess[str]:
    """Runs a script with mounts of its own; whatever it mounts is gone with it."""
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    (folder / "disk").mkdir()
    probe = [*own, "mount", "-t", "tmpfs", "none", folder / "disk"]
    if not shutil.which("unshare") or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("needs unshare and user namespaces that may mount")
    line = [*own, "sh", "-euc", script, "sh", folder / "disk", str(size), config, sys.executable, "-m", "autoif.cli"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
    return done


def _data(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.glob("0*_*/*.jsonl"))}
