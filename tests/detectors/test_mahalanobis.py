"""Mahalanobis distance: known geometry, few clips, real recordings."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA

from asd.arrays import Spectrogram
from asd.detectors._statistics import clip_statistics
from asd.detectors.mahalanobis import Mahalanobis, MahalanobisConfig
from asd.features.clipset import ClipSet


def make_clips(n_clips: int, seed: int = 0) -> list[Spectrogram]:
    rng = np.random.default_rng(seed)
    return [rng.normal(-40, 5, (6, 20)).astype(np.float32) for _ in range(n_clips)]


@pytest.mark.parametrize("n_clips", [50, 18, 17, 5])
def test_scores_are_the_distances_of_ledoit_and_wolf(n_clips: int) -> None:
    train, test = make_clips(n_clips), make_clips(5, seed=1)
    detector = Mahalanobis(MahalanobisConfig()).fit(ClipSet(train), ClipSet([]))
    scaled = ClipSet(train).table(clip_statistics) / detector.scale_
    reference = LedoitWolf().fit(scaled)
    expected = reference.mahalanobis(ClipSet(test).table(clip_statistics) / detector.scale_)
    np.testing.assert_allclose(detector.score(ClipSet(test)) ** 2, expected, rtol=1e-3)


@pytest.mark.parametrize("n_clips", [50, 12])
def test_directions_that_hold_the_last_of_the_variance_may_be_left_out(n_clips: int) -> None:
    """The distance is then that of the part of a clip which lies in the others."""
    train, test = ClipSet(make_clips(n_clips)), ClipSet(make_clips(5, seed=1))
    detector = Mahalanobis(MahalanobisConfig(variance=0.9)).fit(train, ClipSet([]))
    scaled = train.table(clip_statistics) / detector.scale_
    pca = PCA(n_components=0.9, svd_solver="full").fit(scaled)
    narrower = len(pca.components_)
    assert np.linalg.matrix_rank(detector.whitening_) == narrower < scaled.shape[1]
    shrunk = LedoitWolf().fit(scaled).covariance_
    spreads = np.einsum("ij,jk,ik->i", pca.components_, shrunk, pca.components_)
    inside = pca.transform(test.table(clip_statistics) / detector.scale_)
    expected = np.sqrt((inside**2 / spreads).sum(axis=1))
    np.testing.assert_allclose(detector.score(test), expected, rtol=1e-3)


@pytest.mark.parametrize("variance", [0.5, 0.9, 1.0])
def test_the_sum_of_an_explanation_is_the_squared_distance(variance: float) -> None:
    clips = make_clips(12)
    config = MahalanobisConfig(variance=variance)
    detector = Mahalanobis(config).fit(ClipSet(clips[:10]), ClipSet([]))
    for found, score in zip(
        detector.explain(ClipSet(clips)), detector.score(ClipSet(clips)), strict=True
    ):
        np.testing.assert_allclose(found.mean(axis=1).sum(), score**2, rtol=1e-4)


@pytest.mark.parametrize("variance", [0.9, 1.0])
@pytest.mark.parametrize("n_clips", [2, 3, 10])
def test_two_clips_are_enough_even_when_alike(n_clips: int, variance: float) -> None:
    for train in make_clips(n_clips), make_clips(1) * n_clips:
        detector = Mahalanobis(MahalanobisConfig(variance=variance)).fit(
            ClipSet(train), ClipSet([])
        )
        scores = detector.score(
            ClipSet([train[0], (train[0] + 3 * np.eye(6, 20)).astype(np.float32)])
        )
        assert np.isfinite(scores).all()
        assert scores[1] > scores[0]


def test_louder_clips_score_higher_where_the_front_end_keeps_their_level() -> None:
    clips = make_clips(12)
    louder = ClipSet([(clip + 6).astype(np.float32) for clip in clips])
    detector = Mahalanobis(MahalanobisConfig()).fit(ClipSet(clips[:8]), ClipSet([]))
    assert (detector.score(louder) > detector.score(ClipSet(clips))).all()


@pytest.mark.real
def test_real_motors(
    real_data: Callable[[str], Path], real_motor_auc: Callable[..., tuple[float, float]]
) -> None:
    auc, pauc = real_motor_auc(real_data("motor"), Mahalanobis(MahalanobisConfig()))
    assert auc > 0.96
    assert pauc > 0.93
