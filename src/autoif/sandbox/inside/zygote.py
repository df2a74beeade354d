"""The process that stays: it loads the standard library once, locks itself, and forks children that run verifiers.

    parent ── pipes ── guardian            ends the zygote when the parent is gone
                         └─ zygote         in its own namespaces; reads jobs, watches, answers
                              └─ child     one function, or several plain ones; no way out but the board

Only this side knows what was asked: a child gets no label, no other child's data that it could change, and no file.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import random
import select
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from . import lockdown
from .children import Bench
from .verifier import NAME, Function

HEADER, COUNT = struct.Struct("<QI"), struct.Struct("<I")
TOGETHER = 64  # plain functions that may share a child

STANDARD_LIBRARY = """
abc ast base64 bisect calendar codecs collections collections.abc contextlib copy csv dataclasses datetime difflib enum
functools heapq html io itertools json keyword math numbers operator random re string struct textwrap time traceback
types typing unicodedata urllib.parse warnings
""".split()  # noqa: SIM905


def main() -> NoReturn:
    settings = SimpleNamespace(**json.loads(sys.argv[2]))
    sys.path[:] = [path for path in sys.path if path != sys.argv[1]] + settings.paths
    parent = os.getppid()
    nobody = os.geteuid() == 0 and not seccomp(settings)  # who cannot be anybody in a user namespace of his own
    entered = lockdown.enter_namespaces([*settings.without, *(["user"] if nobody else [])])
    alive, ours = os.pipe()
    zygote = os.fork()
    if zygote:
        os.close(ours)
        guard(parent, zygote, alive)
    os.close(alive)
    lockdown.die_with_parent()
    try:
        box = Zygote(settings, entered)
        box.check()
    except BaseException as error:
        write(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode() + b"\n")
        os._exit(1)
    write(json.dumps(box.locks).encode() + b"\n")
    box.serve()


def guard(parent: int, zygote: int, alive: int) -> NoReturn:
    """Waits for the end of the zygote (its end of a pipe closes) or of the parent, or for SIGTERM; ends the zygote."""

    def end(*_: object) -> NoReturn:
        os.kill(zygote, signal.SIGKILL)
        os.waitpid(zygote, 0)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    os.close(1)
    poll = select.poll()
    poll.register(0, 0)
    poll.register(alive, 0)
    while os.getppid() == parent and not poll.poll(1000):
        pass
    end()


def write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def read(count: int) -> bytes:
    """The next bytes from the parent, and not one more: what is not read yet, no child can see."""
    parts = []
    while count:
        part = os.read(0, min(count, 1 << 20))
        if not part:
            os._exit(0)  # the parent closed the pipe
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def answer(results: list[bytes]) -> None:
    write(b"".join(COUNT.pack(len(result)) + result for result in results))


class Sink(io.TextIOBase):
    """Where prints go: nowhere."""

    def write(self, text: str) -> int:
        return len(text)


class Zygote:
    def __init__(self, settings: SimpleNamespace, entered: list[str]) -> None:
        self.settings = settings
        for name in [*STANDARD_LIBRARY, *settings.preload]:
            importlib.import_module(name)
        warm_up()
        sys.stdin, sys.stdout, sys.stderr = None, Sink(), Sink()
        sys.argv = [NAME]
        os.environ.clear()
        self.bench = Bench(settings.call_seconds, settings.function_seconds, self.lock_child)
        self.input = select.poll()
        self.input.register(0, select.POLLIN)
        self.lock(entered)
        random.seed(settings.hash_seed)
        gc.collect()
        gc.freeze()

    def lock(self, entered: list[str]) -> None:
        """Applies what this kernel has, once, to the zygote and all its children."""
        version = 0 if "landlock" in self.settings.without else lockdown.landlock_version()
        self.filtered, self.namespaces = seccomp(self.settings), entered
        self.locks = {"seccomp": self.filtered, "landlock": version, "namespaces": entered}
        for name, value in {"CORE": 0, "FSIZE": 0, "NOFILE": 16, "AS": self.settings.memory_mb << 20}.items():
            lockdown.limit(name, value)
        if sys.platform == "linux":
            lockdown.forbid_privileges()
        if version:
            lockdown.restrict_files(library_folders(), version)
        if version and not self.filtered and os.geteuid() == 0:
            lockdown.become_nobody()
        if sys.platform == "linux":
            lockdown.drop_capabilities()
        if self.filtered:
            self.filter = lockdown.Filter(reading=version > 0)
            lockdown.Filter(reading=version > 0, watching=True).install()

    def check(self) -> None:
        """Proves in a child that the locks hold, before any job is taken. Raises RuntimeError when they do not."""
        probe = os.fork()
        if not probe:
            os._exit(self.escapes())
        status = os.waitpid(probe, 0)[1]
        if status:
            raise RuntimeError(f"the locks do not hold (status {status})")

    def escapes(self) -> int:
        """How many of the simplest ways out are open, of those that the locks say they close."""
        self.lock_child(keep=0)
        attempts: list[Callable[[], object]] = []
        if self.filtered:
            attempts += [os.fork, lambda: os.kill(os.getppid(), 0)]
        if self.filtered or self.locks["landlock"]:
            attempts += [lambda: os.open("/etc/passwd", os.O_RDONLY)]
        return sum(map(succeeds, attempts))

    def serve(self) -> NoReturn:
        held = None
        while True:
            first = held or self.receive()
            held, functions = None, [first]
            while held is None and first.plain and len(functions) < TOGETHER and self.input.poll(0):
                function = self.receive()
                if function.plain:
                    functions.append(function)
                else:
                    held = function
            if first.plain:
                for answers in self.bench.judge_together(functions):
                    answer(answers)
            else:
                answer([self.bench.judge(first)])

    def receive(self) -> Function:
        size, count = HEADER.unpack(read(HEADER.size))
        function = Function(read(size), count)
        function.plain = function.plain and "sharing" not in self.settings.without
        return function

    def lock_child(self, keep: int) -> None:
        """The child's own locks. Of the open files it keeps one end of a pipe, whose closing tells of its end."""
        if "pid" not in self.namespaces:
            lockdown.die_with_parent()
        os.closerange(0, keep)
        os.closerange(keep + 1, 64)
        if self.filtered:
            self.filter.install()
        elif self.settings.mode == "strict":
            lockdown.limit("NPROC", 0)
            lockdown.limit("NOFILE", 0)


def succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def seccomp(settings: SimpleNamespace) -> bool:
    return "seccomp" not in settings.without and lockdown.has_seccomp()


def warm_up() -> None:
    """Libraries that read data at their first use do so here, once; langdetect's draws get a fixed seed."""
    if "langdetect" in sys.modules:
        factory: Any = sys.modules["langdetect.detector_factory"]
        factory.DetectorFactory.seed = 0
        factory.init_factory()
    if "nltk" in sys.modules:
        with suppress(LookupError):  # its data are not installed
            sys.modules["nltk"].word_tokenize("Warm up.")


def library_folders() -> list[str]:
    """What a child may read: where Python, the preloaded libraries and their data live, the C library, time zones."""
    data = sys.modules["nltk"].data.path if "nltk" in sys.modules else []
    folders = {*sys.path, *data, f"{sys.base_prefix}/lib", "/lib", "/lib64", "/usr/lib", "/usr/share/zoneinfo"}
    return [folder for folder in folders if Path(folder).is_dir()]
