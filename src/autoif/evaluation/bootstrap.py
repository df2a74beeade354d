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
    policy: Sequence[float],
    reference: Sequence[float],
    seed: int,
    resamples: int = 10_000,
    level: float = 0.95,
    weights: Sequence[float] | None = None,
) -> Interval:
    """The mean of policy - reference with its interval; entry i of both is about the same thing i, drawn together.

    `weights` as in `mean_interval`. Raises ValueError for sequences that are empty or differ in length.
    """
    differences = [p - r for p, r in zip(policy, reference, strict=True)]
    return mean_interval(differences, seed, resamples, level, weights)


def mean_interval(
    values: Sequence[float],
    seed: int,
    resamples: int = 10_000,
    level: float = 0.95,
    weights: Sequence[float] | None = None,
) -> Interval:
    """The mean of values with its interval.

    For parts that come in clusters, such as the instructions of a prompt, a value is the total of a cluster and its
    weight the number of its parts: the mean is over parts, and clusters are drawn whole. Raises ValueError for
    sequences that are empty or differ in length.
    """
    return average_interval([(values, weights)], seed, resamples, level)


def average_interval(
    parts: Sequence[tuple[Sequence[float], Sequence[float] | None]],
    seed: int,
    resamples: int = 10_000,
    level: float = 0.95,
) -> Interval:
    """The average of several means over the same things, each of (values, weights) as in `mean_interval`.

    Entry i of all parts is about the same thing i, drawn together. Raises ValueError as `mean_interval` does.
    """
    weighed = [(values, weights or [1] * len(values)) for values, weights in parts]
    for values, weights in weighed:
        if not values or len(values) != len(weights):
            raise ValueError(f"a bootstrap needs equally many values and weights: {len(values)}, {len(weights)}")
    # The same seed draws the same things for every part.
    means = [_resample(np.asarray(v, float), np.asarray(w, float), seed, resamples) for v, w in weighed]
    low, high = np.quantile(np.mean(means, axis=0), [(1 - level) / 2, (1 + level) / 2])
    return Interval(sum(sum(v) / sum(w) for v, w in weighed) / len(weighed), float(low), float(high))


def _resample(
    values: NDArray[np.float64], weights: NDArray[np.float64], seed: int, resamples: int
) -> NDArray[np.float64]:
    """The mean in each resample, drawn in chunks that keep memory flat. Shape (resamples,)."""
    rng = np.random.default_rng(seed)
    n = len(values)
    chunk = max(1, _DRAWS_AT_ONCE // n)
    means = np.empty(resamples)
    for start in range(0, resamples, chunk):
        drawn = rng.integers(0, n, (min(chunk, resamples - start), n))
        means[start : start + len(drawn)] = values[drawn].sum(axis=1) / weights[drawn].sum(axis=1)
    return means
