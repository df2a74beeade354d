"""Zygotes, guardians and children that are killed, stopped or left alone: no job is lost, no process left."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from autoif.sandbox import Job, Sandbox, Verdict

LENGTH = "def evaluate(response):\n    return len(response) > 3\n"
SLEEPER = "import time\ndef evaluate(response):\n    time.sleep(float(response))\n    return True\n"


def under(pid: int) -> list[int]:
    """A process's children, their children, and so on; the oldest first."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [p for child in children for p in (child, *under(child))]


@pytest.mark.parametrize("depth", [0, 1], ids=["guardians", "zygotes"])
def test_killed_processes_lose_no_job(depth: int) -> None:
    with Sandbox(workers=2) as box:
        guardians = {worker._process.pid for worker in box._group(0)}
        results = box.run(Job(f"{i}", SLEEPER, ["0.002"]) for i in range(100))
        found = [next(results)]
        for guardian in guardians:
            os.kill([guardian, *under(guardian)][depth], signal.SIGKILL)
        found += results
    assert sorted(int(result.id) for result in found) == list(range(100))
    assert all(result.verdicts == (Verdict.TRUE,) for result in found)


def test_killed_while_idle() -> None:
    with Sandbox(workers=2) as box:
        for worker in box._group(0):
            os.kill(under(worker._process.pid)[0], signal.SIGKILL)
        assert all(r.verdicts == (Verdict.TRUE,) for r in box.run(Job(f"{i}", LENGTH, ["word"]) for i in range(50)))


def kill_running(box: Sandbox, depth: int, times: int) -> threading.Thread:
    """Kills, `times` times, the zygote (0) or the child (1) of a worker that is running a function."""

    def hunt() -> None:
        killed: set[int] = set()
        while len(killed) < times and box._open:
            for worker in box._groups.get(0, []):
                family = under(worker._process.pid)
                if worker.tasks and len(family) == 2 and family[depth] not in killed:
                    os.kill(family[depth], signal.SIGKILL)
                    killed.add(family[depth])

    hunter = threading.Thread(target=hunt, daemon=True)
    hunter.start()
    return hunter


@pytest.mark.parametrize(("times", "verdict"), [(1, Verdict.TRUE), (2, Verdict.CRASH)])
def test_a_child_killed_from_outside_has_a_second_chance(times: int, verdict: Verdict) -> None:
    with Sandbox(workers=1) as box:
        hunter = kill_running(box, depth=1, times=times)
        [result] = box.run([Job("x", SLEEPER, ["0.5"])])
        hunter.join()
    assert result.verdicts == (verdict,)


@pytest.mark.parametrize(("times", "verdict"), [(1, Verdict.TRUE), (2, Verdict.CRASH)])
def test_the_second_death_of_a_zygote_is_a_crash(times: int, verdict: Verdict) -> None:
    with Sandbox(workers=1) as box:
        hunter = kill_running(box, depth=0, times=times)
        found = {r.id: r.verdicts for r in box.run([Job("x", SLEEPER, ["0.5"]), Job("y", LENGTH, ["word"])])}
        hunter.join()
    assert found == {"x": (verdict,), "y": (Verdict.TRUE,)}


def test_a_stopped_zygote_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoif.sandbox.worker.GRACE_SECONDS", 0.5)
    with Sandbox(workers=1, call_seconds=0.5, function_seconds=0.5) as box:
        zygote = under(box._group(0)[0]._process.pid)[0]
        os.kill(zygote, signal.SIGSTOP)
        assert [result.verdicts for result in box.run([Job("x", LENGTH, ["word"])])] == [(Verdict.TRUE,)]
    assert not Path(f"/proc/{zygote}").exists()


def test_closing_ends_every_process() -> None:
    with Sandbox(workers=2) as box:
        next(box.run([Job("x", LENGTH, ["word"])], check_determinism=True))
        started = [p for group in box._groups.values() for w in group for p in (w._process.pid, *under(w._process.pid))]
        assert len(started) == 8
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)


def test_closing_works_while_a_forked_process_holds_the_pipes() -> None:
    reader, writer = os.pipe()
    with Sandbox(workers=1) as box:
        pid = os.fork()
        if not pid:
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
        assert [result.verdicts for result in box.run([Job("x", LENGTH, ["word"])])] == [(Verdict.TRUE,)]
    os.close(writer)
    os.waitpid(pid, 0)
    os.close(reader)


def test_the_death_of_the_parent_ends_every_process() -> None:
    code = (
        "from autoif.sandbox import Job, Sandbox\n"
        "hang = Job('x', 'def evaluate(r):\\n while True: pass', ['x'])\n"
        "with Sandbox(workers=2, call_seconds=100, function_seconds=100) as box:\n"
        "    print(*[w._process.pid for w in box._group(0)], flush=True)\n"
        "    list(box.run([hang, hang]))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        guardians = [int(pid) for pid in parent.stdout.readline().split()]
        family: list[int] = []
        while len(family) < 6:  # guardian, zygote and child, twice
            assert parent.poll() is None
            family = [p for guardian in guardians for p in (guardian, *under(guardian))]
        parent.kill()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in family) and time.monotonic() < deadline:
        pass
    assert not [pid for pid in family if Path(f"/proc/{pid}").exists()]
