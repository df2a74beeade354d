"""The parent's end of one zygote: start it, feed it, read its answers, end it."""

from __future__ import annotations

import fcntl
import json
import os
import select
import site
import subprocess
import sys
import sysconfig
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from autoif.errors import SandboxError
from autoif.sandbox.jobs import RESULT_HEADER, Job, encode_job

START_SECONDS, END_SECONDS = 60.0, 5.0
GRACE_SECONDS = 10.0
"""How much longer than a function's budget a zygote may be silent before it is taken for dead."""
AHEAD_TASKS, AHEAD_BYTES = 128, 1 << 20
"""How many tasks and unsent bytes may wait at one worker."""
BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from inside.zygote import main; main()"

Mode = Literal["strict", "weak"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What every zygote of a sandbox is told. `without`: mechanisms to leave out, as if the kernel lacked them."""

    call_seconds: float = 2.0
    function_seconds: float = 10.0
    memory_mb: int = 1024
    mode: Mode = "strict"
    preload: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(slots=True)
class Task:
    """One pass over a job's inputs, in the given order. `deaths`: zygotes that died while they were at it."""

    number: int
    job: Job
    order: Sequence[int]
    hash_seed: int = 0
    deaths: int = 0


class Worker:
    """One zygote and the tasks it was given, oldest first."""

    def __init__(self, settings: Settings, hash_seed: int) -> None:
        self.settings = settings
        self.hash_seed = hash_seed
        self.tasks: deque[Task] = deque()
        self.deadline = 0.0
        self._out = bytearray()
        self._in = bytearray()
        told = json.dumps({**asdict(settings), "hash_seed": hash_seed, "paths": library_paths(settings)})
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-P", "-S", "-B", "-W", "ignore", "-c", BOOT, str(Path(__file__).parent), told],
            env={"PYTHONHASHSEED": str(hash_seed)} | data_paths(settings), cwd="/", bufsize=0,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.stdin, self.stdout = self._process.stdin.fileno(), self._process.stdout.fileno()
        if sys.platform == "linux":
            with suppress(OSError):  # an ordinary user's pipes may have used up their share
                fcntl.fcntl(self.stdin, fcntl.F_SETPIPE_SZ, AHEAD_BYTES)
        os.set_blocking(self.stdin, False)
        os.set_blocking(self.stdout, False)

    def hello(self) -> dict[str, Any]:
        """Waits until the zygote has locked itself; returns what it locked. Raises SandboxError when it cannot."""
        deadline = time.monotonic() + START_SECONDS
        while b"\n" not in self._in:
            if not select.select([self.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise SandboxError(f"A sandbox process did not start within {START_SECONDS:.0f} seconds.")
            if not self._receive():
                raise SandboxError(f"A sandbox process ended while it started (status {self._process.wait()}).")
        line, _, rest = bytes(self._in).partition(b"\n")
        self._in[:] = rest
        locks: dict[str, Any] = json.loads(line)
        if "error" in locks:
            raise SandboxError(f"A sandbox process could not lock itself: {locks['error']}.")
        return locks

    @property
    def unsent(self) -> bool:
        return bool(self._out)

    def has_room(self) -> bool:
        return len(self.tasks) < AHEAD_TASKS and len(self._out) < AHEAD_BYTES

    def give(self, task: Task) -> None:
        if not self.tasks:
            self._restart_clock()
        self.tasks.append(task)
        self._out += encode_job(task.job, task.order)
        self.push()

    def push(self) -> None:
        """Writes what the pipe takes now. That the zygote is gone shows when its answers are read."""
        with suppress(BlockingIOError, BrokenPipeError):
            del self._out[: os.write(self.stdin, self._out)]

    def take(self) -> list[tuple[Task, bytes]]:
        """Answers that have arrived. Raises EOFError when the zygote is gone or talks nonsense."""
        if not self._receive():
            raise EOFError
        answers = []
        while len(self._in) >= RESULT_HEADER.size:
            (count,) = RESULT_HEADER.unpack_from(self._in)
            if not self.tasks or count != len(self.tasks[0].order):
                raise EOFError
            end = RESULT_HEADER.size + count
            if len(self._in) < end:
                break
            answers.append((self.tasks.popleft(), bytes(self._in[RESULT_HEADER.size : end])))
            del self._in[:end]
            self._restart_clock()
        return answers

    def close(self) -> None:
        """Ends the zygote and all it started, even when a process that was forked from this one holds the pipes."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:  # a stopped guardian
            self._process.kill()
            self._process.wait()

    def _receive(self) -> bool:
        try:
            data = os.read(self.stdout, 1 << 16)
        except BlockingIOError:
            return True
        self._in += data
        return bool(data)

    def _restart_clock(self) -> None:
        self.deadline = time.monotonic() + self.settings.function_seconds + GRACE_SECONDS


def library_paths(settings: Settings) -> list[str]:
    """Where the libraries to preload are installed."""
    schemes = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), site.getusersitepackages()]
    return list(dict.fromkeys(schemes)) if settings.preload else []


def data_paths(settings: Settings) -> dict[str, str]:
    """The one variable that libraries may need to find their data."""
    return {k: v for k, v in os.environ.items() if k == "NLTK_DATA" and "nltk" in settings.preload}
