from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoif.report.figures import POINTS, bins, curves, histogram, ticks

finite = st.floats(-1e9, 1e9).filter(lambda value: value == 0 or abs(value) > 1e-9)


@given(finite, finite)
def test_ticks_span_the_values_with_few_round_steps(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    marks = ticks(low, high)
    assert marks[0] <= low + 1e-6 * abs(low)
    assert marks[-1] >= high - 1e-6 * abs(high)
    assert len(marks) <= 8


def test_bars_are_as_high_as_their_counts() -> None:
    figure = histogram("t", "n", [("a", 1), ("b", 4), ("c", 0)])
    assert figure
    heights = [bar.height for bar in figure.bars]
    assert heights[1] == pytest.approx(4 * heights[0])
    assert heights[2] == 0
    assert histogram("t", "n", [("a", 0)]) is None


def test_bins_keep_every_count_in_order() -> None:
    gathered = bins({0: 1, 99: 2, 100: 3, 511: 4})
    assert sum(count for _, count in gathered) == 10
    assert gathered[0] == ("0", 1)
    assert 10 <= len(gathered) <= 40
    assert bins({}) == []


def test_long_curves_are_averaged_and_gaps_are_left_out() -> None:
    steps = [(float(step), float(step % 2)) for step in range(1, 10_001)]
    figure = curves("t", "n", {"every": steps, "first": steps[:1], "none": []})
    assert figure
    every, first = figure.lines
    assert len(every.values) <= POINTS
    assert all(value == pytest.approx(0.5, abs=0.02) for value in every.values if value is not None)
    assert first.path.count(",") == 1
    assert first.first == first.last == 1.0
    assert curves("t", "n", {"none": []}) is None


def test_marks_can_be_told_apart_and_steps_are_whole() -> None:
    for values in ((1.52, 1.535), (1e-7, 9e-7), (-180.0, -211.0), (0.0, 3e6)):
        figure = curves("t", "n", {"line": [(1.0, values[0]), (2.0, values[1])]})
        assert figure
        texts = [tick.text for tick in figure.y_ticks]
        assert len(set(texts)) == len(texts)
        assert [tick.text for tick in figure.x_ticks] == ["1", "2"]


def test_a_flat_curve_is_drawn_inside_the_figure() -> None:
    figure = curves("t", "n", {"flat": [(1.0, 0.0), (2.0, 0.0)]})
    assert figure
    heights = [float(point.split(",")[1]) for point in figure.lines[0].path.split()]
    assert all(math.isfinite(y) and 0 < y < 180 for y in heights)
