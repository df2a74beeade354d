"""Progress of a stage: a bar with rate and time left on a terminal, a plain line now and then otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PLAIN_SECONDS = 15.0
"""Time between two plain lines."""


class Before(NamedTuple):
    """What an earlier process did of the same stage."""

    units: int
    kept: int
    dropped: int


NOTHING = Before(0, 0, 0)


class Meter:
    """Told of every finished unit. Shows nothing itself: the plain or the live meter does."""

    def __init__(self, console: Console, name: str, total: int | None, before: Before = NOTHING) -> None:
        self.console = console
        self.name = name
        self.total = total
        self.units, self.kept, self.dropped = before
        self.tokens = 0
        self._before = before.units
        self._phase = ""
        self._note: str | None = None
        self.started = self._told = monotonic()

    def add(self, units: int = 1, kept: int = 0, dropped: int = 0, tokens: int = 0) -> None:
        self.units += units
        self.kept += kept
        self.dropped += dropped
        self.tokens += tokens
        self.show()

    def training(self, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """The `progress` of autoif.training: steps, or pairs while the reference is computed."""
        if "reference_pairs" in metrics:
            done, pairs = int(metrics["reference_pairs"]), int(metrics["pairs"])
            self._turn("reference", done, pairs, "reference log-probs")
        else:
            told = ("loss", "rewards/accuracies")
            self._turn("steps", step, steps, ", ".join(f"{k} {metrics[k]:.3f}" for k in told if k in metrics))

    def doing(self, what: str, done: int, total: int) -> None:
        """The `progress` of autoif.evaluation."""
        self._turn(what, done, total, what)

    def _turn(self, phase: str, done: int, total: int, note: str) -> None:
        """One of several phases, each counted for itself; an earlier process did what it begins with."""
        if phase != self._phase:
            self._phase, self._before, self.started = phase, done, monotonic()
        self.units, self.total, self._note = done, total, note
        self.show()

    def show(self) -> None:
        now = monotonic()
        if now - self._told >= PLAIN_SECONDS:
            self._told = now
            of = f"/{self.total:,}" if self.total else ""
            line = f"{self.name}: {self.units:,}{of}, {self.note()}{self._left(now)}"
            self.console.print(line, highlight=False, soft_wrap=True)

    def _left(self, now: float) -> str:
        """How long the rest takes at the rate of this process so far; a bar has its own way to tell it."""
        if not self.total or self.units <= self._before or self.units >= self.total:
            return ""
        seconds = (now - self.started) / (self.units - self._before) * (self.total - self.units)
        return f", {timedelta(seconds=round(seconds))} left"

    def note(self) -> str:
        if self._note is not None:
            return self._note
        seconds = max(monotonic() - self.started, 1e-9)
        units = (self.units - self._before) / seconds
        rate = f"{self.tokens / seconds:.0f} tokens/s" if self.tokens else f"{units:.1f}/s"
        return f"kept {self.kept:,}, dropped {self.dropped:,}, {rate}"


class LiveMeter(Meter):
    def __init__(self, console: Console, name: str, total: int | None, before: Before, progress: Progress) -> None:
        super().__init__(console, name, total, before)
        self._progress = progress
        self._task = progress.add_task(name, total=total, completed=before.units, note=self.note())

    def show(self) -> None:
        self._progress.update(self._task, completed=self.units, total=self.total, note=self.note())


@contextmanager
def meter(console: Console, name: str, total: int | None, before: Before = NOTHING) -> Iterator[Meter]:
    """A meter for `total` units, None when unknown."""
    if not rewritable(console):
        yield Meter(console, name, total, before)
        return
    columns = (
        TextColumn("{task.description:>12}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
    )
    with Progress(*columns, console=console, transient=True, speed_estimate_period=600) as progress:
        yield LiveMeter(console, name, total, before, progress)


def rewritable(console: Console) -> bool:
    """Whether a line can be written over: FORCE_COLOR makes rich take a log for a terminal."""
    return console.is_interactive and console.file.isatty()
