"""Children: forked, watched, ended, and read from. The zygote's side of every verdict.

The board is shared memory: for each function one byte for loading, then one per call. It is read when the child is
dead, and no more of it is believed than "these calls gave these of the four verdicts that a call can give".
"""

from __future__ import annotations

import enum
import gc
import mmap
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise
from typing import NoReturn

from . import lockdown
from .verifier import CRASH, ERROR, FALSE, LOADED, NO_COMPILE, NOT_BOOL, SKIPPED, TIMEOUT, TRUE, Function

CALL_VERDICTS = bytes((TRUE, FALSE, NOT_BOOL, ERROR))
FAULTS = 2  # time-outs and crashes of one function before the rest of its calls are skipped


class End(enum.Enum):
    """How a child ended."""

    ENDED = enum.auto()
    KILLED = enum.auto()
    CALL_LATE = enum.auto()
    ALL_LATE = enum.auto()


class Bench:
    """Where functions are judged. `lock(keep)` is what each child does first; it keeps one open file."""

    def __init__(self, call_seconds: float, function_seconds: float, lock: Callable[[int], None]) -> None:
        self.call_seconds, self.function_seconds, self.lock = call_seconds, function_seconds, lock
        self.board = mmap.mmap(-1, mmap.PAGESIZE)

    def judge_together(self, functions: list[Function]) -> Iterator[list[bytes]]:
        """Plain functions: as many in one child as go without a fault, the one at fault in a child of its own."""
        while functions:
            end, boards = self.attempt(functions, b"", shared=True)
            results = [verdicts(board) for board in boards]
            good = 0
            while good < len(functions) and is_complete(boards[good], results[good]):
                good += 1
            yield results[:good]
            if good < len(functions):
                late = end is End.CALL_LATE and boards[good][0] == LOADED
                done = results[good] + bytes([TIMEOUT]) if late else b""
                yield [self.judge(functions[good], done, int(late))]
            functions = functions[good + 1 :]

    def judge(self, function: Function, done: bytes = b"", faults: int = 0) -> bytes:
        """The verdicts of one function, in a child of its own and a new one after each fault."""
        deadline = time.monotonic() + self.function_seconds
        spared = False
        while len(done) < function.count and faults < FAULTS and time.monotonic() < deadline:
            end, [board] = self.attempt([function], done, shared=False, deadline=deadline)
            done += verdicts(board, len(done))
            if end is End.KILLED and not spared and len(done) < function.count:
                spared = True  # by someone else, such as the kernel when memory is short: try once more
            elif len(done) < function.count:
                done += bytes([CRASH if end in (End.ENDED, End.KILLED) else TIMEOUT])
                faults = faults + 1 if board[0] == LOADED else FAULTS
        return done + bytes([SKIPPED]) * (function.count - len(done))

    def attempt(
        self, functions: list[Function], done: bytes, shared: bool, deadline: float | None = None
    ) -> tuple[End, list[bytes]]:
        """Runs functions in one child, the first from call len(done) on; returns how it ended, and their boards."""
        ends = list(accumulate((1 + function.count for function in functions), initial=0))
        board = self.clear_board(ends[-1])
        board[1 : 1 + len(done)] = done
        ended, alive = os.pipe()
        child = fork()
        if child == 0:
            self.run(functions, ends, len(done), alive, shared)
        os.close(alive)
        end = self.watch(ended, child, deadline or time.monotonic() + self.function_seconds)
        os.close(ended)
        return end, [board[a:b] for a, b in pairwise(ends)]

    def clear_board(self, size: int) -> mmap.mmap:
        if len(self.board) < size:
            self.board = mmap.mmap(-1, 2 * size)
        self.board[:size] = bytes(size)
        return self.board

    def watch(self, ended: int, child: int, deadline: float) -> End:
        """Waits for the end of the child; ends it when one call or the whole attempt takes too long."""
        seconds = self.call_seconds
        limit_cpu(child, self.function_seconds)
        poll = select.poll()
        poll.register(ended, 0)
        place, since, end = -1, time.monotonic(), End.ENDED
        while not poll.poll(1000 * min(seconds / 8, max(0.0, deadline - since))):
            now, new = time.monotonic(), self.board.find(b"\0")
            if new != place:
                place, since = new, now
            elif now - since >= seconds:
                end = End.CALL_LATE
                break
            if now >= deadline:
                end = End.ALL_LATE
                break
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        return End.KILLED if end is End.ENDED and os.WTERMSIG(status) == signal.SIGKILL else end

    def run(self, functions: list[Function], ends: list[int], start: int, alive: int, shared: bool) -> NoReturn:
        """The child. It never returns into the zygote's loop."""
        try:
            self.lock(alive)
            for function, at in zip(functions, ends, strict=False):
                function.run(self.board, at, start, shared)
                if shared:
                    gc.collect()  # nothing of a function is left when the next one begins
        finally:
            os._exit(0)


def verdicts(board: bytes, start: int = 0) -> bytes:
    """What can be believed of a function's board: the verdicts from `start` to the first call that did not finish."""
    calls = board[1 + start :]
    if board[0] == NO_COMPILE:
        return bytes([NO_COMPILE]) * len(calls)
    finished = calls.partition(b"\0")[0] if board[0] == LOADED else b""
    return b"" if finished.translate(None, CALL_VERDICTS) else finished


def is_complete(board: bytes, results: bytes) -> bool:
    return board[0] != 0 and len(results) == len(board) - 1


def fork() -> int:
    """The C library's fork: Python's own would re-seed `random` and run every module's hooks in each child."""
    return lockdown.call("fork") if sys.platform == "linux" else os.fork()


def limit_cpu(child: int, seconds: float) -> None:
    """From outside, where it costs the child nothing; a second wall should the zygote be stopped."""
    if sys.platform == "linux":
        resource.prlimit(child, resource.RLIMIT_CPU, (int(seconds) + 2, int(seconds) + 2))
