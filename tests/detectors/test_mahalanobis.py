"""Mahalanobis distance: known geometry, few clips, real recordings."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from asd.arrays import Spectrogram
from asd.detectors._statistics import statistics_table
from asd.detectors.mahalanobis import Mahalanobis, MahalanobisConfig


def make_clips(n_clips: int, seed: int = 0) -> list[Spectrogram]:
    rng = np.random.default_rng(seed)
    return [rng.normal(-40, 5, (6, 20)).astype(np.float32) for _ in range(n_clips)]


def test_scores_are_the_distances_of_ledoit_and_wolf() -> None:
    train, test = make_clips(50), make_clips(5, seed=1)
    detector = Mahalanobis(MahalanobisConfig()).fit(train, [])
    scaled = statistics_table(train, "normalised") / detector.scale_
    reference = LedoitWolf().fit(scaled)
    expected = reference.mahalanobis(statistics_table(test, "normalised") / detector.scale_)
    np.testing.assert_allclose(detector.score(test) ** 2, expected, rtol=1e-3)


def test_the_sum_of_an_explanation_is_the_squared_distance() -> None:
    clips = make_clips(12)
    detector = Mahalanobis(MahalanobisConfig()).fit(clips[:10], [])
    for found, score in zip(detector.explain(clips), detector.score(clips), strict=True):
        np.testing.assert_allclose(found.mean(axis=1).sum(), score**2, rtol=1e-4)


@pytest.mark.parametrize("n_clips", [2, 3, 10])
def test_two_clips_are_enough_even_when_alike(n_clips: int) -> None:
    for train in make_clips(n_clips), make_clips(1) * n_clips:
        detector = Mahalanobis(MahalanobisConfig()).fit(train, [])
        scores = detector.score([train[0], (train[0] + 3 * np.eye(6, 20)).astype(np.float32)])
        assert np.isfinite(scores).all()
        assert scores[1] > scores[0]


def test_the_gain_of_the_recording_does_not_matter_by_default() -> None:
    clips = make_clips(12)
    louder = [(clip + 6).astype(np.float32) for clip in clips]
    detector = Mahalanobis(MahalanobisConfig()).fit(clips[:8], [])
    np.testing.assert_allclose(detector.score(louder), detector.score(clips), rtol=1e-3, atol=1e-3)


@pytest.mark.real
def test_real_motors(
    real_data: Callable[[str], Path],
    real_motor_auc: Callable[[Path, Mahalanobis], tuple[float, float]],
) -> None:
    auc, pauc = real_motor_auc(real_data("motor"), Mahalanobis(MahalanobisConfig()))
    assert auc > 0.96
    assert pauc > 0.93
