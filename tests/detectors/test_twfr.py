"""Rank-weighted pooling: hand-worked values."""

import numpy as np
import pytest

from asd.arrays import Spectrogram
from asd.detectors.twfr import _DECAYS, Twfr, TwfrConfig, _nearest
from asd.features.clipset import ClipSet


def clips(n_clips: int, seed: int, shift: float = 0.0) -> list[Spectrogram]:
    rng = np.random.default_rng(seed)
    pattern = shift * np.sin(np.arange(6))[:, None]
    return [(pattern + rng.normal(-40, 2, (6, 30))).astype(np.float32) for _ in range(n_clips)]


def test_pooling_goes_from_the_mean_to_the_maximum() -> None:
    clip = np.array([[0, 4, 2], [1, 1, 1]], np.float32)
    pooled = Twfr(TwfrConfig())._pool(clip)
    np.testing.assert_allclose(pooled[:, 1], 1)
    np.testing.assert_allclose(pooled[_DECAYS.index(1.0), 0], 2)
    np.testing.assert_allclose(pooled[_DECAYS.index(0.5), 0], (4 + 0.5 * 2) / 1.75)
    np.testing.assert_allclose(pooled[_DECAYS.index(0.0), 0], 4)


def test_the_distance_is_to_the_nearest_centre() -> None:
    means, whitening = np.array([[0.0, 0], [10, 0]]), np.diag([1.0, 2.0])
    found = _nearest(np.array([[3.0, 2.0], [9.0, 0.0]]), means, whitening)
    np.testing.assert_allclose(found, [5, 1])


def test_two_states_need_two_components() -> None:
    train = [clip for pair in zip(clips(20, 0), clips(20, 1, 30), strict=True) for clip in pair]
    between = clips(10, 2, 15)
    margins = []
    for components in (1, 2):
        detector = Twfr(TwfrConfig(components=components)).fit(ClipSet(train), ClipSet([]))
        normal = detector.score(ClipSet(clips(10, 3) + clips(10, 4, 30)))
        margins.append(detector.score(ClipSet(between)).min() - normal.max())
    assert margins[0] < 0 < margins[1]


def test_scores_of_new_normal_clips_are_around_zero() -> None:
    scores = (
        Twfr(TwfrConfig()).fit(ClipSet(clips(60, 0)), ClipSet([])).score(ClipSet(clips(100, 1)))
    )
    assert scores.mean() == pytest.approx(0, abs=0.6)
