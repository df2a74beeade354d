"""One verifier, in the process that runs it: load its source, call its `evaluate`, judge what that returns."""

from __future__ import annotations

import struct
import sys
import types
from collections.abc import Callable, Iterator
from mmap import mmap
from typing import Any

from . import plain

TRUE, FALSE, NOT_BOOL, ERROR, TIMEOUT, CRASH, SKIPPED, NO_COMPILE = range(1, 9)  # the values of Verdict in jobs.py
LOADED = 1
NAME = "verifier"
SMALL = 20_000  # bytes of source that the zygote compiles itself: some milliseconds, a bounded depth


class Function:
    """A job as the zygote holds it: its frame and, once compiled, its code (None for a source that is not Python)."""

    def __init__(self, body: bytes, count: int) -> None:
        self.body, self.count = body, count
        self.code: types.CodeType | None = None
        self.compiled = self.plain = False
        if struct.unpack_from("<I", body)[0] <= SMALL:
            self.compile()

    def compile(self) -> None:
        """Compiles ahead of the fork, and leaves what may exhaust the compiler to the child."""
        try:
            self.code = compile_source(next(self.texts()))
            self.plain = self.code is None or plain.is_plain(self.code)
            self.compiled = True
        except (MemoryError, RecursionError):
            pass

    def texts(self) -> Iterator[str]:
        """The source, then each input."""
        at = 4 * (self.count + 1)
        for size in struct.unpack_from(f"<{self.count + 1}I", self.body):
            yield self.body[at : at + size].decode("utf-8", "surrogatepass")
            at += size

    def run(self, board: mmap, at: int, start: int, shared: bool) -> None:
        """Loads the function and makes its calls from `start` on; every step leaves a byte on the board, from `at`."""
        texts = self.texts()
        module = types.ModuleType(NAME)
        evaluate = self.load(next(texts), module, shared)
        if evaluate is None:
            board[at : at + 1 + self.count] = bytes([NO_COMPILE]) * (1 + self.count)
            return
        board[at] = LOADED
        for place, text in enumerate(texts):
            if place >= start:
                board[at + 1 + place] = call(evaluate, text, shared)

    def load(self, source: str, module: types.ModuleType, shared: bool) -> Callable[[str], Any] | None:
        """Runs the module level in one namespace and returns its `evaluate`; None when there is none to call."""
        try:
            code = self.code if self.compiled else compile_source(source)
            if code is None:
                return None
            if shared:
                module.__dict__["__builtins__"] = plain.NAMES
            else:
                sys.modules[NAME] = module
            exec(code, module.__dict__)
        except MemoryError:
            return plain.leave() if shared else None
        except BaseException:
            return None
        evaluate = module.__dict__.get("evaluate")
        return evaluate if callable(evaluate) else None


def compile_source(source: str) -> types.CodeType | None:
    """None for a source that is not Python."""
    try:
        return compile(source, NAME, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError):  # ValueError: NUL characters, lone surrogates
        return None


def call(evaluate: Callable[[str], Any], text: str, shared: bool) -> int:
    """Nothing but the two bools themselves is TRUE or FALSE; `is` runs no code of the value.

    A shared child ends when memory runs out, whoever filled it: the zygote then gives the function a child of its own.
    """
    try:
        value = evaluate(text)
    except MemoryError:
        return plain.leave() if shared else ERROR
    except BaseException:
        return ERROR
    return TRUE if value is True else FALSE if value is False else NOT_BOOL
