"""Ctrl-C and SIGTERM: nothing new begins, and what is under way has a few seconds to be finished and kept."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")
SECONDS = 3.0
"""For what is under way; a step of an engine and the end of the process come on top, five seconds in all."""

_asked = False


@contextmanager
def stoppable(tell: Callable[[str], None]) -> Iterator[None]:
    """The first signal asks to stop; the second one, or the end of the time, raises KeyboardInterrupt."""
    global _asked

    def ask(number: int, frame: FrameType | None) -> None:
        global _asked
        if _asked:
            raise KeyboardInterrupt
        _asked = True
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        tell(f"stopping: what is under way has {SECONDS:g} seconds")

    before: dict[int, Any] = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        _asked = False


def asked() -> bool:
    """Whether somebody has asked to stop."""
    return _asked


def until_asked(items: Iterable[T]) -> Iterator[T]:
    """The items, as long as nobody has asked to stop."""
    return takewhile(lambda _: not _asked, items)


def stop_if_asked() -> None:
    """Raises KeyboardInterrupt where somebody has asked to stop."""
    if _asked:
        raise KeyboardInterrupt
