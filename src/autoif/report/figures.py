"""The drawings, as plain geometry: a template turns each into inline SVG. Lengths are in SVG user units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 340.0, 180.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 10.0, 10.0, 24.0
POINTS = 240
"""Longest line; more steps are averaged in groups."""


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    label: str
    value: float


@dataclass(frozen=True, slots=True)
class Histogram:
    title: str
    note: str
    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    path: str
    """What SVG's `points` takes."""
    values: tuple[float | None, ...]
    """At each of the figure's steps; None where there is none."""

    @property
    def first(self) -> float:
        return next(value for value in self.values if value is not None)

    @property
    def last(self) -> float:
        return next(value for value in reversed(self.values) if value is not None)


@dataclass(frozen=True, slots=True)
class Curves:
    title: str
    note: str
    lines: tuple[Line, ...]
    steps: tuple[float, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def histogram(title: str, note: str, counts: Sequence[tuple[str, int]]) -> Histogram | None:
    """One bar for each (label, count), in order; None when there is nothing to draw."""
    top = max((count for _, count in counts), default=0)
    if not top:
        return None
    marks = ticks(0, top)
    scale = _Scale(0, max(top, marks[-1]), HEIGHT - BOTTOM, TOP)
    step = (WIDTH - LEFT - RIGHT) / len(counts)
    bars = tuple(
        Bar(LEFT + i * step + 0.5, scale(count), step - 1, HEIGHT - BOTTOM - scale(count), label, count)
        for i, (label, count) in enumerate(counts)
    )
    stride = max(1, -(-len(bars) // 6))
    labels = tuple(Tick(bar.x + bar.width / 2, bar.label) for bar in bars[::stride])
    return Histogram(title, note, bars, labels, tuple(Tick(scale(mark), f"{mark:,.0f}") for mark in marks))


def curves(title: str, note: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> Curves | None:
    """One line for each name, through its (step, value) points; None when there is nothing to draw."""
    steps = sorted({step for points in series.values() for step, _ in points})
    if not steps:
        return None
    groups = [steps[i : i + -(-len(steps) // POINTS)] for i in range(0, len(steps), -(-len(steps) // POINTS))]
    averaged = {name: _average(dict(points), groups) for name, points in series.items() if points}
    values = [value for line in averaged.values() for value in line if value is not None]
    marks = ticks(min(values), max(values))
    x = _Scale(steps[0], steps[-1], LEFT, WIDTH - RIGHT)
    y = _Scale(min(*values, *marks), max(*values, *marks), HEIGHT - BOTTOM, TOP)
    shown = tuple(group[-1] for group in groups)
    lines = tuple(
        Line(name, " ".join(f"{x(s):.1f},{y(v):.1f}" for s, v in zip(shown, line, strict=True) if v is not None), line)
        for name, line in averaged.items()
    )
    whole = [Tick(x(mark), f"{mark:,.0f}") for mark in ticks(steps[0], steps[-1]) if mark.is_integer()]
    x_ticks = tuple(tick for tick in whole if LEFT - 5 <= tick.at <= WIDTH)
    return Curves(title, note, lines, shown, x_ticks, tuple(Tick(y(m), _label(m, marks[1] - marks[0])) for m in marks))


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers that span low to high: `about` so many, two at least."""
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next(power * m for m in (1, 2, 5, 10) if power * m * about >= span)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def _label(mark: float, step: float) -> str:
    """With as many digits as tell it from the next mark."""
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{mark:,.{decimals}f}" if decimals < 5 else f"{mark:.2g}"


def bins(counts: Mapping[int, int], about: int = 20) -> list[tuple[str, int]]:
    """Counts of whole numbers gathered into `about` so many bins of a round width."""
    if not counts:
        return []
    step = max(1, round(ticks(0, max(counts) + 1, about)[1]))
    gathered = [0] * (max(counts) // step + 1)
    for number, count in counts.items():
        gathered[number // step] += count
    return [(f"{i * step:,}", count) for i, count in enumerate(gathered)]


def _average(points: Mapping[float, float], groups: Sequence[Sequence[float]]) -> tuple[float | None, ...]:
    """The mean value of each group of steps; None where a group has none."""
    found = [[points[step] for step in group if step in points] for group in groups]
    return tuple(sum(values) / len(values) if values else None for values in found)


class _Scale:
    """Maps low..high linearly to start..end; a range without extent goes to the middle."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.span, self.start, self.length = low, high - low, start, end - start

    def __call__(self, value: float) -> float:
        return self.start + self.length * ((value - self.low) / self.span if self.span else 0.5)
