"""Confidence intervals by the percentile bootstrap, paired where two models answered the same things.

B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979);
B. Efron and R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13 for the percentile interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DRAWS_AT_ONCE = 4_000_000  # 32 MB of indices


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the interval around it, in the unit of the values."""

    mean: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        return {"mean": self.mean, "low": self.low, "high": self.high}


def paired_difference(
    policy: Sequence[float], reference: Sequence[float], seed: int, resamples: int = 10_000, level: float = 0.95
) -> Interval:
    """The mean of policy - reference with its interval; entry i of both is about the same thing i, drawn together.

    Raises ValueError for sequences that are empty or differ in length.
    """
    differences = [p - r for p, r in zip(policy, reference, strict=True)]
    return mean_interval(differences, seed, resamples, level)


def mean_interval(values: Sequence[float], seed: int, resamples: int = 10_000, level: float = 0.95) -> Interval:
    """The mean of values with its interval. Raises ValueError when there are none."""
    return ratio_interval(values, [1] * len(values), seed, resamples, level)


def ratio_interval(
    totals: Sequence[float], weights: Sequence[float], seed: int, resamples: int = 10_000, level: float = 0.95
) -> Interval:
    """sum(totals) / sum(weights) with its interval; entry i of both is drawn together.

    This is the mean over parts that come in clusters, such as the instructions of a prompt: a cluster has a total and
    a positive number of parts. Raises ValueError for sequences that are empty or differ in length.
    """
    if not totals or len(totals) != len(weights):
        raise ValueError(f"a bootstrap needs equally many totals and weights, found {len(totals)} and {len(weights)}")
    means = _resample(np.asarray(totals, float), np.asarray(weights, float), seed, resamples)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(sum(totals) / sum(weights), float(low), float(high))


def _resample(
    totals: NDArray[np.float64], weights: NDArray[np.float64], seed: int, resamples: int
) -> NDArray[np.float64]:
    """The ratio in each resample, drawn in chunks that keep memory flat. Shape (resamples,)."""
    rng = np.random.default_rng(seed)
    n = len(totals)
    chunk = max(1, _DRAWS_AT_ONCE // n)
    means = np.empty(resamples)
    for start in range(0, resamples, chunk):
        drawn = rng.integers(0, n, (min(chunk, resamples - start), n))
        means[start : start + len(drawn)] = totals[drawn].sum(axis=1) / weights[drawn].sum(axis=1)
    return means
