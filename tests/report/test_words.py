from __future__ import annotations

import pytest

from autoif.report import words


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.96, "10.0 s"),
        (59.6, "1 min 0 s"),
        (42, "42 s"),
        (125, "2 min 5 s"),
        (629, "10 min"),
        (655, "11 min"),
        (3_599, "1 h 0 min"),
        (7_322, "2 h 2 min"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0"), (9_999, "9,999"), (12_345, "12.3 k"), (4_560_000, "4.56 M"), (2.5e9, "2.5 G")]
)
def test_rough_numbers(number: float, said: str) -> None:
    assert words.rough(number) == said


@pytest.mark.parametrize(("share", "said"), [(0.126, "+12.6"), (-0.05, "−5.0"), (0.0, "0.0"), (-0.0001, "0.0")])
def test_points_carry_their_sign(share: float, said: str) -> None:
    assert words.points(share) == said


def test_names_and_moments() -> None:
    assert words.name("crosscheck/one_polarity") == "one polarity"
    assert words.name("model") == "model-written"
    assert words.moment("2026-11-22T10:05:00+00:00") == "22 November 2026, 10:05"
    assert words.moment("yesterday") == "yesterday"
    assert words.sentence("kept: 2 of 3 agree") == "2 of 3 agree."
    assert words.sentence("") == ""


def test_bands_of_confidence():
    found = [words.band(value) for value in (1.0, 0.97, 0.95, 0.93, 0.9, 0.76, 0.5, 0.0)]
    names = [name for _, name in words.BANDS]
    assert found == [names[0], names[1], names[1], names[2], names[2], names[3], words.LOWEST_BAND, words.LOWEST_BAND]
