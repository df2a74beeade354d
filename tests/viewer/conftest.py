"""Fixtures: runs, and the real server over them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "report"))  # fake_run

from fake_run import write_run
from real_site import Site, serving


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Site]]:
    with ExitStack() as stack:
        yield lambda run: stack.enter_context(serving(run))


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    return write_run(tmp_path_factory.mktemp("runs") / "plain")


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose texts attack the page."""
    return write_run(tmp_path_factory.mktemp("runs") / "hostile", hostile=True)


@pytest.fixture(scope="session")
def site(plain: Path) -> Iterator[Site]:
    with serving(plain) as opened:
        yield opened
