"""Every attack, as root and as an ordinary user, on kernels with all mechanisms and on kernels that lack some."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import autoif.errors
from autoif.sandbox import capabilities

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from attacks import ATTACKS, LANDLOCK_ALONE_LETS_THROUGH  # noqa: E402

KERNELS = {
    "complete": "",
    "container without namespaces": "user,mnt,net,ipc,uts,pid",
    "without Landlock": "landlock",
    "without seccomp": "seccomp",
}
USERS = {"root": 0, "ordinary user": 65534} if os.geteuid() == 0 else {"ordinary user": os.geteuid()}
ARENAS = [pytest.param((user, kernel), id=f"{user}-{kernel}") for user in USERS for kernel in KERNELS]


@pytest.fixture(scope="module")
def package() -> Iterator[Path]:
    """The sandbox and the arena where every user may read them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        source = Path(autoif.errors.__file__).parent
        (folder / "autoif").mkdir()
        (folder / "autoif" / "__init__.py").touch()
        shutil.copy(source / "errors.py", folder / "autoif")
        shutil.copytree(source / "sandbox", folder / "autoif" / "sandbox")
        for file in HERE.glob("a*.py"):
            shutil.copy(file, folder)
        yield folder


@pytest.fixture(scope="module")
def arena(request: pytest.FixtureRequest, package: Path) -> dict[str, Any]:
    """What came of the attacks for one user on one kind of kernel."""
    user, kernel = request.param
    missing = {"seccomp", "landlock"} - set(KERNELS[kernel].split(","))
    found = capabilities()
    if not all(getattr(found, name) for name in missing):
        pytest.skip(f"this kernel lacks one of {sorted(missing)}")
    identity = {} if USERS[user] == os.geteuid() else {"user": USERS[user], "group": USERS[user], "extra_groups": []}
    command = [python_of(identity), "arena.py", KERNELS[kernel]]
    environment = {
        "ARENA_SECRET": "x",
        "PYTHONPATH": str(package),
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    run = subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True, timeout=200, **identity)
    assert run.returncode == 0, run.stderr
    return {**json.loads(run.stdout), "without": KERNELS[kernel]}


def python_of(identity: dict[str, Any]) -> str:
    """An interpreter that this user can start (root's own may lie where nobody else can read)."""
    for python in (sys.executable, "/usr/bin/python3"):
        check = [python, "-c", "import ctypes, sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            if subprocess.run(check, cwd="/", capture_output=True, **identity).returncode == 0:
                return python
        except OSError:
            continue
    pytest.skip("no Python 3.11 that an ordinary user can start")


@pytest.mark.parametrize("arena", ARENAS, indirect=True)
@pytest.mark.parametrize("name", ATTACKS)
def test_attack_is_contained(arena: dict[str, Any], name: str) -> None:
    harmless = ("TRUE",) if arena["without"] == "seccomp" and name in LANDLOCK_ALONE_LETS_THROUGH else ()
    assert arena["verdicts"][name] in ATTACKS[name].allowed + harmless


@pytest.mark.parametrize("arena", ARENAS, indirect=True)
def test_neighbours_keep_their_verdicts(arena: dict[str, Any]) -> None:
    assert arena["canaries"] == 2 * len(ATTACKS)
    assert arena["wrong canaries"] == {}
    assert arena["still works"]


@pytest.mark.parametrize("arena", ARENAS, indirect=True)
def test_nothing_is_damaged(arena: dict[str, Any]) -> None:
    assert not any(arena["damage"].values()), arena["damage"]


def test_there_are_enough_attacks() -> None:
    assert len(ATTACKS) >= 40
