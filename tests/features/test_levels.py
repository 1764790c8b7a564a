"""Quick ways to powers and quantiles give what NumPy gives."""

import numpy as np
import pytest

from asd.features._levels import power, quantiles


@pytest.mark.parametrize("n_frames", [1, 2, 3, 10, 313, 1000])
def test_quantiles_are_those_of_numpy_to_the_last_bit(n_frames: int) -> None:
    rng = np.random.default_rng(n_frames)
    levels = rng.normal(-60, 15, (128, n_frames)).astype(np.float32)
    shares = (0, 0.1, 0.5, 0.9, 0.95, 1)
    expected = np.quantile(levels.astype(np.float64), shares, axis=1)
    np.testing.assert_array_equal(quantiles(levels, shares), expected)


def test_power_is_that_of_decibels() -> None:
    levels = np.random.default_rng(0).normal(-60, 25, (128, 313)).astype(np.float32)
    expected = np.power(10, levels.astype(np.float64) / 10)
    np.testing.assert_allclose(power(levels), expected, rtol=1e-12)
