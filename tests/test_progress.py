"""What a stage says of itself: on a terminal, in a log, and when a log is taken for a terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from autoif import progress
from autoif.progress import NOTHING, Before, Meter, meter

STAGE = """
from autoif.cli_tools import terminal
from autoif.progress import meter
with meter(terminal(), "verifiers", 3) as shown:
    for _ in range(3):
        shown.add(kept=2, dropped=1)
terminal().print("[red]done[/red]")
"""
COLOUR = re.compile(rb"\x1b\[(?:3|4|9|10)\d")
MOVE = re.compile(rb"\x1b\[\d*[ABCDHJK]|\x1b\[\?25[lh]|\r(?!\n)")


def _on_terminal(**more: str) -> bytes:
    """What STAGE writes to a pseudo-terminal."""
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "120", **more}
    with subprocess.Popen([sys.executable, "-c", STAGE], stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        said = b""
        try:
            while piece := os.read(ours, 65536):
                said += piece
        except OSError:  # Linux's way to say that the other end is closed
            pass
    os.close(ours)
    assert process.returncode == 0, said
    return said


def test_a_terminal_gets_a_bar_in_colour() -> None:
    said = _on_terminal()
    assert MOVE.search(said)
    assert COLOUR.search(said)
    assert b"3/3" in said
    assert b"kept 6, dropped 3" in said


def test_no_color_is_respected() -> None:
    said = _on_terminal(NO_COLOR="1")
    assert b"3/3" in said
    assert not COLOUR.search(said)


@pytest.mark.parametrize("more", [{}, {"FORCE_COLOR": "1"}, {"CI": "true", "FORCE_COLOR": "3"}])
def test_a_log_gets_lines_that_nothing_is_written_over(tmp_path: Path, more: dict[str, str]) -> None:
    with open(tmp_path / "log", "wb") as log:
        subprocess.run([sys.executable, "-c", STAGE], stdout=log, check=True, env={**os.environ, **more})
    assert not MOVE.search((tmp_path / "log").read_bytes())


def test_a_dumb_terminal_gets_lines_too() -> None:
    assert not MOVE.search(_on_terminal(TERM="dumb"))


def test_lines_tell_counts_rate_and_time_left(log: Log) -> None:
    shown = log.begin(total=300)
    for _ in range(100):
        log.now += 1
        shown.add(kept=2, dropped=1, tokens=30)
    assert log.last() == "verifiers: 100/300, kept 200, dropped 100, 30 tokens/s, 0:03:20 left"


def test_what_an_earlier_process_did_is_counted_but_not_in_the_rate(log: Log) -> None:
    shown = log.begin(total=1200, before=Before(1000, 900, 150))
    for _ in range(10):
        log.now += 1
        shown.add(kept=1)
    assert log.last() == "verifiers: 1,010/1,200, kept 910, dropped 150, 1.0/s, 0:03:10 left"


def test_every_phase_of_an_evaluation_has_its_own_clock(log: Log) -> None:
    shown = log.begin(total=None)
    for what in ("ifeval, reference", "ifeval, policy"):
        for done in range(40, 61):
            log.now += 1
            shown.doing(what, done, 100)
    assert log.last() == "verifiers: 60/100, ifeval, policy, 0:00:40 left"


class Log:
    """A meter that writes to a log, and its clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.file = io.StringIO()

    def begin(self, total: int | None, before: Before = NOTHING) -> Meter:
        with meter(Console(file=self.file, width=200), "verifiers", total, before) as shown:
            return shown

    def last(self) -> str:
        return self.file.getvalue().splitlines()[-1]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    found = Log()
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    monkeypatch.setattr(progress, "monotonic", lambda: found.now)
    return found
