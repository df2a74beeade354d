import numpy as np
import pytest

from autoif.evaluation import bootstrap
from autoif.evaluation.bootstrap import Interval, average_interval, mean_interval, paired_difference


def test_a_constant_difference_is_certain():
    assert paired_difference([1.0, 0.5, 0.75], [0.5, 0.0, 0.25], seed=0) == Interval(0.5, 0.5, 0.5)


def test_one_value_is_its_own_interval():
    assert mean_interval([0.25], seed=0) == Interval(0.25, 0.25, 0.25)


def test_agrees_with_the_normal_approximation_on_many_values():
    values = np.random.default_rng(1).normal(0.3, 2.0, 2000)
    interval = mean_interval(values.tolist(), seed=0)
    half = 1.96 * values.std() / len(values) ** 0.5
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=half / 20)
    assert interval.high == pytest.approx(values.mean() + half, abs=half / 20)


def test_a_wider_level_gives_a_wider_interval():
    values = [0.0, 1.0] * 30
    narrow, wide = mean_interval(values, 0, level=0.8), mean_interval(values, 0, level=0.99)
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


def test_the_seed_decides_the_draws():
    values = np.random.default_rng(0).random(37).tolist()
    assert mean_interval(values, seed=3) == mean_interval(values, seed=3)
    assert mean_interval(values, seed=3) != mean_interval(values, seed=4)


def test_pairing_removes_what_both_models_share():
    hardness = np.random.default_rng(0).random(200)
    policy, reference = (hardness + 0.01).tolist(), hardness.tolist()
    paired = paired_difference(policy, reference, seed=0)
    assert paired.high - paired.low < 1e-12
    alone = mean_interval(policy, seed=0)
    assert alone.high - alone.low > 0.05


def test_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    intervals = [mean_interval(rng.binomial(1, 0.4, 60).tolist(), seed=i, resamples=400) for i in range(200)]
    covered = sum(interval.low <= 0.4 <= interval.high for interval in intervals)
    assert 0.89 <= covered / 200 <= 0.99


def test_clusters_are_drawn_whole():
    totals, weights = [3, 0] * 25, [3, 3] * 25
    clustered = mean_interval(totals, seed=0, weights=weights)
    independent = mean_interval([1, 0] * 75, seed=0)
    assert clustered.mean == independent.mean == 0.5
    assert clustered.high - clustered.low == pytest.approx(3**0.5 * (independent.high - independent.low), rel=0.15)


def test_drawing_in_chunks_leaves_no_gap(monkeypatch):
    monkeypatch.setattr(bootstrap, "_DRAWS_AT_ONCE", 70)
    interval = mean_interval([5.0] * 10 + [6.0] * 10, seed=0, resamples=1001)
    assert 5.2 < interval.low < 5.5 < interval.high < 5.8


@pytest.mark.parametrize(("policy", "reference"), [([], []), ([1.0], []), ([1.0], [1.0, 0.0])])
def test_refuses_what_cannot_be_paired(policy, reference):
    with pytest.raises(ValueError, match=r"equally many|argument"):
        paired_difference(policy, reference, seed=0)


def test_the_parts_of_an_average_are_drawn_together():
    values, weights = [1.0, 0.0, 1.0, 1.0], [1, 2, 3, 2]
    alone = mean_interval(values, 0, weights=weights)
    assert average_interval([(values, weights)] * 3, 0).as_dict() == pytest.approx(alone.as_dict())
    opposite = [1 - value for value in values]
    assert average_interval([(values, None), (opposite, None)], 0) == Interval(0.5, 0.5, 0.5)
