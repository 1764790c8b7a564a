"""Blocks of long recordings as they are, and short recordings made longer."""

import numpy as np
import pytest

from asd.decision.calibration import MOST_BLOCKS, Calibration
from asd.decision.events import peak_sample
from asd.decision.extension import Extension, quantiles
from asd.decision.pvalues import NormalSample
from asd.decision.recording import mean, recording_sample, recording_statistic, top_mean


def test_p_values_by_hand() -> None:
    # Two units: one of 1 and 3, one of 2.
    sample = NormalSample.of(np.array([1.0, 3.0, 2.0]), np.array([0.5, 0.5, 1.0]), 2)
    np.testing.assert_allclose(sample.p_values([0, 1, 1.5, 3, 4]), [1, 1, 2.5 / 3, 1.5 / 3, 1 / 3])
    np.testing.assert_allclose(sample.p_above([1, 3]), [2.5 / 3, 1 / 3])


def test_blocks_are_windows_in_a_row_of_one_recording() -> None:
    calibration = Calibration.of([1, 2, 3, 9, 8], ["a", "a", "a", "b", "b"])
    blocks = [values.tolist() for _, values in calibration.layout.blocks(2)]
    assert blocks == [[[[9, 8]]], [[[1, 2], [2, 3]]]]
    ((_, many),) = Calibration.of(np.arange(1000.0), np.zeros(1000)).layout.blocks(2)
    assert many.shape[1] == MOST_BLOCKS


def test_recordings_long_enough_are_taken_as_they_are() -> None:
    calibration = Calibration.of([1, 5, 3, 9, 8, 2], ["a", "a", "a", "b", "b", "b"])
    sample = peak_sample(calibration, 3)
    assert sample.values.tolist() == [5, 9]
    assert sample.weights.tolist() == [1, 1]


def test_of_a_session_the_recordings_that_are_long_enough_stand_for_it() -> None:
    calibration = Calibration.of([1, 5, 3, 9, 8], ["a", "a", "a", "b", "b"], np.zeros(5, int))
    assert peak_sample(calibration, 3).values.tolist() == [5]
    assert calibration.shares.tolist() == pytest.approx([1 / 6] * 3 + [1 / 4] * 2)


def test_steady_recordings_stay_at_their_level() -> None:
    calibration = Calibration.of(np.repeat(np.arange(6.0), 3), np.repeat(np.arange(6), 3))
    extension = Extension.fit(calibration, np.arange(6))
    for values in (extension.draws(20, top_mean), extension.maxima(20)):
        np.testing.assert_allclose(values, np.arange(6.0)[:, None] * np.ones_like(values))


def test_levels_known_with_error_are_moved_together() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(200, 1)) * 0.1 + rng.normal(size=(200, 2))
    calibration = Calibration.of(scores.ravel(), np.repeat(np.arange(200), 2))
    levels = Extension.fit(calibration, np.arange(200)).levels
    assert scores.mean(axis=1).std() > 0.6
    assert 0.05 < levels.std() < 0.4


def test_long_recordings_are_simulated_close_to_real_ones() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(100, 1)) + rng.normal(size=(100, 30))
    calibration = Calibration.of(scores.ravel(), np.repeat(np.arange(100), 30))
    real = rng.normal(size=(4000, 1)) + rng.normal(size=(4000, 120))
    for sample, statistic in [
        (recording_sample(calibration, 120), top_mean(real)),
        (peak_sample(calibration, 120), real.max(axis=1)),
    ]:
        assert np.median(sample.values) == pytest.approx(np.median(statistic), abs=0.4)
        # One calibration: the rate strays about 0.1 by its recordings.
        assert 0.02 < (sample.p_values(statistic) <= 0.1).mean() < 0.2


def test_quantiles_follow_the_sample_and_leave_it_beyond_the_last_tenth() -> None:
    ordered = np.arange(100.0)
    body = quantiles(ordered, np.array([0.0, 0.25, 0.5, 0.85]))
    np.testing.assert_allclose(body, [0, 25, 50, 85])
    tail = quantiles(ordered, np.array([0.99, 0.999, 0.9999]))
    assert (np.diff(tail) > 0).all()
    assert tail[-1] > 100
    assert quantiles(np.array([3.0]), np.array([0.1, 0.9])).tolist() == [3, 3]


def test_single_windows_tell_a_long_recording_by_its_mean() -> None:
    calibration = Calibration.of(np.arange(20.0))
    assert recording_statistic(calibration, 1) is top_mean
    assert recording_statistic(calibration, 2) is mean
    assert recording_sample(calibration, 50).values.tolist() == list(range(20))
    # Nothing tells levels from scatter: the peak of a long recording may lie above all.
    assert peak_sample(calibration, 50).p_values([19.0])[0] > 0.5
