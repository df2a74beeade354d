import numpy as np
import pytest

from autoif.training.rounding import BF16, F16, dithered

WEIGHTS = np.random.default_rng(0).normal(0, 0.2, 100_000).astype(np.float16).astype(np.float32)
"""A model whose weights lie on the grid of F16, as those of a quantised one mostly do."""


@pytest.mark.parametrize("update", [1e-6, 1e-5, 5e-5])
def test_a_small_update_survives_on_average(update: float) -> None:
    kept = dithered(WEIGHTS + np.float32(update), "w", F16) - WEIGHTS
    assert kept.mean() == pytest.approx(update, rel=0.1)


def test_rounding_to_nearest_would_lose_it() -> None:
    """Why `dithered` exists."""
    heavy = WEIGHTS[np.abs(WEIGHTS) > 0.125]
    assert ((heavy + np.float32(1e-5)).astype(np.float16) == heavy).all()


def test_what_is_on_the_grid_stays() -> None:
    assert (dithered(WEIGHTS, "w", F16) == WEIGHTS).all()


def test_the_result_is_on_the_grid_and_next_to_the_value() -> None:
    torch = pytest.importorskip("torch")
    values = WEIGHTS * np.float32(1.2345)
    half, brain = dithered(values, "w", F16), dithered(values, "w", BF16)
    normal = np.abs(values) > 2**-14  # below, F16 has fewer bits
    assert (half[normal].astype(np.float16) == half[normal]).all()
    assert (torch.from_numpy(brain).bfloat16().float().numpy() == brain).all()
    assert (np.abs(half - values) <= np.abs(values) * 2**-10).all()
    assert (np.abs(brain - values) <= np.abs(values) * 2**-7).all()


def test_the_draw_follows_from_the_name() -> None:
    values = WEIGHTS + np.float32(1e-5)
    assert (dithered(values, "a", F16) == dithered(values, "a", F16)).all()
    assert (dithered(values, "a", F16) != dithered(values, "b", F16)).any()


def test_shape_is_kept() -> None:
    assert dithered(WEIGHTS.reshape(100, 10, 100), "w", F16).shape == (100, 10, 100)
