"""Progress of a stage: a bar with rate and time left on a terminal, a plain line now and then otherwise."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PLAIN_SECONDS = 15.0
"""Time between two plain lines."""


class Meter:
    """Told of every finished unit. Shows nothing itself: the plain or the live meter does."""

    def __init__(self, console: Console, name: str, total: int | None) -> None:
        self.console = console
        self.name = name
        self.total = total
        self.units = self.kept = self.dropped = self.tokens = 0
        self._note: str | None = None
        self.started = self._told = time.monotonic()

    def add(self, units: int = 1, kept: int = 0, dropped: int = 0, tokens: int = 0) -> None:
        self.units += units
        self.kept += kept
        self.dropped += dropped
        self.tokens += tokens
        self.show()

    def training(self, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """The `progress` of autoif.training: steps, or pairs while the reference is computed."""
        first = "reference_pairs" in metrics
        self.units, self.total = (int(metrics["reference_pairs"]), int(metrics["pairs"])) if first else (step, steps)
        told = ("loss", "rewards/accuracies")
        self._note = (
            "reference log-probs" if first else ", ".join(f"{k} {metrics[k]:.3f}" for k in told if k in metrics)
        )
        self.show()

    def doing(self, what: str, done: int, total: int) -> None:
        """The `progress` of autoif.evaluation."""
        self.units, self.total, self._note = done, total, what
        self.show()

    def show(self) -> None:
        now = time.monotonic()
        if now - self._told >= PLAIN_SECONDS:
            self._told = now
            of = f"/{self.total}" if self.total else ""
            self.console.print(f"{self.name}: {self.units}{of}, {self.note()}", highlight=False, soft_wrap=True)

    def note(self) -> str:
        if self._note is not None:
            return self._note
        seconds = max(time.monotonic() - self.started, 1e-9)
        rate = f"{self.tokens / seconds:.0f} tokens/s" if self.tokens else f"{self.units / seconds:.1f}/s"
        return f"kept {self.kept}, dropped {self.dropped}, {rate}"


class LiveMeter(Meter):
    def __init__(self, console: Console, name: str, total: int | None, progress: Progress) -> None:
        super().__init__(console, name, total)
        self._progress = progress
        self._task = progress.add_task(name, total=total, note="")

    def show(self) -> None:
        self._progress.update(self._task, completed=self.units, total=self.total, note=self.note())


@contextmanager
def meter(console: Console, name: str, total: int | None, done: int = 0) -> Iterator[Meter]:
    """A meter for `total` units (None when unknown) of which `done` were finished by an earlier process."""
    if not console.is_terminal:
        plain = Meter(console, name, total)
        plain.units = done
        yield plain
        return
    columns = (
        TextColumn("{task.description:>12}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        live = LiveMeter(console, name, total, progress)
        live.add(units=done)
        yield live
