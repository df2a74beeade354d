"""The process that stays: it loads the standard library once, locks itself, and forks one child per function.

    parent ── pipes ── guardian            notices that the parent is gone
                         └─ zygote         in its namespaces; reads jobs, watches, answers
                              └─ child     one function; no file open but libraries', no way out but its board

The board is a page of shared memory: one byte for loading, then one per call. The zygote reads it when the child is
dead, and believes no more of it than "calls 0 to n gave these of the four verdicts a call can give".
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import mmap
import os
import random
import select
import signal
import struct
import sys
import time
import types
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from . import lockdown

TRUE, FALSE, NOT_BOOL, ERROR, TIMEOUT, CRASH, SKIPPED, NO_COMPILE = range(1, 9)  # Verdict's values, in jobs.py
HEADER, COUNT = struct.Struct("<QI"), struct.Struct("<I")
LOADED = 1
FAULTS = 2  # time-outs and crashes of one function before the rest of its calls are skipped
SOURCE_NAME = "verifier"

STANDARD_LIBRARY = """
abc ast base64 bisect calendar cmath codecs collections collections.abc contextlib copy csv dataclasses datetime decimal
difflib enum fractions functools heapq html io itertools json keyword math numbers operator random re statistics string
struct textwrap time traceback typing unicodedata urllib.parse warnings
""".split()


class Sink(io.TextIOBase):
    """Where prints go: nowhere."""

    def write(self, text: str) -> int:
        return len(text)


class Settings(types.SimpleNamespace):
    """What the parent asks for: call_seconds, function_seconds, memory_mb, mode, preload, paths, without."""


def main() -> NoReturn:
    settings = Settings(**json.loads(sys.argv[2]))
    sys.path[:] = [path for path in sys.path if path != sys.argv[1]] + settings.paths
    parent = os.getppid()
    entered = lockdown.enter_namespaces(n for n in lockdown.NAMESPACES if n not in settings.without)
    zygote = os.fork()
    if zygote:
        guard(parent, zygote)
    lockdown.die_with_parent(signal.SIGKILL)
    try:
        box = Zygote(settings, entered)
        box.check()
    except BaseException as error:
        answer(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode() + b"\n")
        os._exit(1)
    answer(json.dumps(box.locks).encode() + b"\n")
    box.serve()


def guard(parent: int, zygote: int) -> NoReturn:
    """Ends with the zygote, and ends it when the parent is gone."""
    for handle in (0, 1, 2):
        os.close(handle)
    while os.getppid() == parent:
        for _ in range(20):
            if os.waitpid(zygote, os.WNOHANG)[0]:
                os._exit(0)
            time.sleep(0.05)
    os.kill(zygote, signal.SIGKILL)
    os._exit(0)


def answer(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def read_exactly(count: int) -> bytes:
    """The next bytes from the parent, and not one more: what is not read yet, no child can see."""
    parts = []
    while count:
        part = os.read(0, min(count, 1 << 20))
        if not part:
            os._exit(0)  # the parent closed the pipe
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


class Zygote:
    def __init__(self, settings: Settings, entered: list[str]) -> None:
        self.settings = settings
        for name in [*STANDARD_LIBRARY, *settings.preload]:
            importlib.import_module(name)
        sys.stdin, sys.stdout, sys.stderr = None, Sink(), Sink()  # type: ignore[assignment]
        sys.argv = [SOURCE_NAME]
        os.environ.clear()
        self.board = mmap.mmap(-1, mmap.PAGESIZE)
        self.lock(entered)
        random.seed(settings.hash_seed)
        gc.collect()
        gc.freeze()
        gc.disable()

    def lock(self, entered: list[str]) -> None:
        """Applies what this kernel has, once, to the zygote and all its children."""
        missing = self.settings.without
        version = 0 if "landlock" in missing else lockdown.landlock_version()
        seccomp = "seccomp" not in missing and lockdown.has_seccomp()
        lockdown.limit("CORE", 0)
        lockdown.limit("FSIZE", 0)
        lockdown.limit("NOFILE", 16)
        lockdown.limit("AS", self.settings.memory_mb << 20)
        if sys.platform == "linux":
            lockdown.forbid_privileges()
        if version:
            lockdown.restrict_files(library_folders(self.settings), version)
        if sys.platform == "linux":
            lockdown.drop_capabilities()
        self.filter = lockdown.Filter(reading=version > 0) if seccomp else None
        self.locks = {"seccomp": seccomp, "landlock": version, "namespaces": entered}

    def check(self) -> None:
        """Proves in a child that the locks hold, before any job is taken. Raises RuntimeError when they do not."""
        probe = os.fork()
        if not probe:
            os._exit(self.try_to_escape())
        status = os.waitpid(probe, 0)[1]
        if status:
            raise RuntimeError(f"the locks do not hold (status {status})")

    def try_to_escape(self) -> int:
        self.lock_child(keep=0)
        if not self.filter:
            return 0
        for attempt in (os.fork, lambda: os.kill(os.getppid(), 0), lambda: os.open("/etc/passwd", os.O_RDONLY)):
            try:
                attempt()  # type: ignore[no-untyped-call]
            except OSError:
                continue
            return 1
        return 0

    def serve(self) -> NoReturn:
        while True:
            size, count = HEADER.unpack(read_exactly(HEADER.size))
            verdicts = self.judge(read_exactly(size), count)
            answer(COUNT.pack(len(verdicts)) + verdicts)

    def judge(self, body: bytes, count: int) -> bytes:
        """The verdicts of one function on `count` inputs."""
        if len(self.board) <= count:
            self.board = mmap.mmap(-1, count + 1)
        deadline = time.monotonic() + self.settings.function_seconds
        done, faults = bytearray(), 0
        while len(done) < count and faults < FAULTS and time.monotonic() < deadline:
            fault, finished = self.attempt(body, count, len(done), deadline)
            done += finished
            if fault and len(done) < count:
                done.append(fault)
                faults = FAULTS if self.board[0] != LOADED else faults + 1
        return bytes(done) + bytes([SKIPPED]) * (count - len(done))

    def attempt(self, body: bytes, count: int, start: int, deadline: float) -> tuple[int, bytes]:
        """Runs calls start, start + 1, … in one child until the end or a fault: (TIMEOUT, CRASH or 0, verdicts)."""
        board = self.board
        board[: count + 1] = bytes(count + 1)
        ended, alive = os.pipe()
        child = lockdown.libc.fork()
        if child == 0:
            self.run(body, count, start, alive)
        os.close(alive)
        in_time = self.watch(ended, start, deadline)
        os.close(ended)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if board[0] == NO_COMPILE:
            return 0, bytes([NO_COMPILE]) * (count - start)
        finished = board[start + 1 : count + 1].partition(b"\0")[0]
        if finished.strip(bytes((TRUE, FALSE, NOT_BOOL, ERROR))):
            return CRASH, b""  # bytes that no call can give: forged
        return (0 if len(finished) == count - start else CRASH if in_time else TIMEOUT), finished

    def watch(self, ended: int, start: int, deadline: float) -> bool:
        """Waits until the child is gone (True), or one call or the whole function has taken too long (False)."""
        seconds = self.settings.call_seconds
        poll = select.poll()
        poll.register(ended)
        progress, since = self.board[0], time.monotonic()
        place = start + 1
        while True:
            now = time.monotonic()
            if now >= deadline or now - since >= seconds:
                return False
            if poll.poll(1000 * min(seconds / 8, deadline - now) + 1):
                return True
            new = self.board.find(b"\0", place)
            if new != place or self.board[0] != progress:
                place, progress, since = (new if new >= 0 else len(self.board)), self.board[0], time.monotonic()

    def lock_child(self, keep: int) -> None:
        """The child's own locks. Of all open files it keeps one end of a pipe, whose closing tells of its end."""
        lockdown.die_with_parent(signal.SIGKILL)
        os.closerange(0, keep)
        os.closerange(keep + 1, 64)
        lockdown.limit("NPROC", 0)
        lockdown.limit("CPU", int(self.settings.function_seconds) + 2)
        if self.filter:
            self.filter.install()

    def run(self, body: bytes, count: int, start: int, alive: int) -> NoReturn:
        """The child: locks itself, loads the function and calls it. Never returns into the zygote's loop."""
        try:
            self.lock_child(keep=alive)
            board = self.board
            texts = split(body, count)
            evaluate = load(next(texts))
            if evaluate is None:
                board[0] = NO_COMPILE
                os._exit(0)
            board[0] = LOADED
            for place, text in enumerate(texts, 1):
                if place > start:
                    board[place] = verdict(evaluate, text)
        finally:
            os._exit(0)


def split(body: bytes, count: int) -> Iterator[str]:
    """The source, then each input."""
    at = 4 * (count + 1)
    for size in struct.unpack_from(f"<{count + 1}I", body):
        yield body[at : at + size].decode("utf-8", "surrogatepass")
        at += size


def load(source: str) -> Callable[[str], Any] | None:
    """Runs the module level in one namespace and returns its `evaluate`; None when there is none to call."""
    try:
        module = types.ModuleType(SOURCE_NAME)
        sys.modules[SOURCE_NAME] = module
        exec(compile(source, SOURCE_NAME, "exec", dont_inherit=True), module.__dict__)
        evaluate = module.__dict__.get("evaluate")
        return evaluate if callable(evaluate) else None
    except BaseException:
        return None


def verdict(evaluate: Callable[[str], Any], text: str) -> int:
    """Nothing but the two bools themselves is TRUE or FALSE; `is` runs no code of the value."""
    try:
        value = evaluate(text)
    except BaseException:
        return ERROR
    return TRUE if value is True else FALSE if value is False else NOT_BOOL


def library_folders(settings: Settings) -> list[str]:
    """What a child may read: where Python and the preloaded libraries live, and the time zones."""
    folders = {sys.base_prefix + "/lib", *sys.path, "/usr/share/zoneinfo", "/usr/lib", "/lib", "/lib64"}
    return [folder for folder in folders if os.path.isdir(folder)]
