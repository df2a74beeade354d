"""`autoif view` as a command."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from click.testing import CliRunner

from autoif.cli import cli
from autoif.errors import InputError, MissingExtraError
from autoif.viewer import serve


def view(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "autoif.cli", "view", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("asked", [False, True])
def test_it_tells_its_address_and_stops_at_control_c(plain, asked):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = view(plain, *(["--port", port] if asked else []))
    assert started.stdout
    line = started.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
    assert found, started.communicate()
    assert str(plain) in line
    assert (int(found[1]) == port) == asked
    with urlopen(found[0]) as answer:
        assert b"What each stage kept" in answer.read()
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 130
    assert out == ""
    assert err.strip() == "autoif: stopped; run the same command again to continue."


def test_a_port_in_use_is_one_sentence(plain):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            InputError, match=rf"^--port {port}: cannot be used \(Address already in use\); give another"
        ):
            serve(plain, port, pytest.fail)


def test_only_this_machine_can_reach_it(plain):
    started = view(plain)
    assert started.stdout
    port = int(re.findall(r":(\d+)/", started.stdout.readline())[0])
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if line.split()[3] == "0A"]
    assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
    started.send_signal(signal.SIGINT)
    started.communicate(timeout=60)


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(InputError, match="not a run directory"):
        serve(tmp_path, 0, pytest.fail)


def test_without_the_library_it_says_what_to_install(plain, monkeypatch):
    monkeypatch.setitem(sys.modules, "autoif.viewer.app", None)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "autoif.viewer.app")
    with pytest.raises(MissingExtraError, match=r"^uvicorn is not installed: run `pip install 'autoif\[viz\]'`"):
        serve(plain, 0, pytest.fail)


@pytest.mark.parametrize("port", ["-1", "65536", "x"])
def test_a_port_that_is_none(plain, port):
    assert CliRunner().invoke(cli, ["view", str(plain), "--port", port]).exit_code == 2
