"""Fixtures: fake runs, and a browser when there is one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # fake_run is shared with benchmarks/report.py

from fake_run import write_run

from autoif.report import write_report


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with its report."""
    run = write_run(tmp_path_factory.mktemp("runs") / "plain")
    write_report(run)
    return run


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose texts attack the page, with its report."""
    run = write_run(tmp_path_factory.mktemp("runs") / "hostile", hostile=True)
    write_report(run)
    return run
