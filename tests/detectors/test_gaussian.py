"""Mahalanobis distance of patches: known geometry, few clips, real recordings."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asd.arrays import Matrix, Spectrogram
from asd.detectors._patches import patch_starts, patch_statistics
from asd.detectors.gaussian import Gaussian, GaussianConfig
from asd.features.clipset import ClipSet


def noise(n_clips: int, seed: int, n_frames: int = 40, n_mels: int = 8) -> list[Spectrogram]:
    rng = np.random.default_rng(seed)
    shape = (n_mels, n_frames)
    return [rng.normal(-40, 3, shape).astype(np.float32) for _ in range(n_clips)]


def described(clips: list[Spectrogram], frames: int) -> Matrix:
    rows = [
        patch_statistics(
            clip.astype(float), frames, patch_starts(clip.shape[1], frames, frames // 2)
        )
        for clip in clips
    ]
    return np.concatenate(rows)


def test_patches_of_training_clips_lie_one_spread_away_in_each_direction() -> None:
    train = noise(30, 0)
    detector = Gaussian(GaussianConfig(frames=4)).fit(ClipSet(train), ClipSet([]))
    whitened = (described(train, 4) - detector.mean_) @ detector.projection_
    np.testing.assert_allclose(whitened.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(16), atol=0.2)


def test_the_distance_is_that_of_mahalanobis() -> None:
    train, test = noise(200, 0), noise(3, 1)
    detector = Gaussian(GaussianConfig(frames=4)).fit(ClipSet(train), ClipSet([]))
    patches = described(train, 4)
    inverse = np.linalg.inv(np.cov(patches.T))
    for clip, score in zip(test, detector.score(ClipSet(test)), strict=True):
        away = described([clip], 4) - patches.mean(axis=0)
        expected = np.sqrt(np.einsum("ij,jk,ik->i", away, inverse, away).mean())
        assert score == pytest.approx(expected, rel=0.02)


def test_what_varies_between_normal_clips_counts_for_little() -> None:
    """As the lean of the spectrum does, where units or microphones differ."""
    rng = np.random.default_rng(0)
    lean = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
    train = [clip + 6 * lean * np.float32(rng.normal()) for clip in noise(40, 1)]
    detector = Gaussian(GaussianConfig(frames=8)).fit(ClipSet(train), ClipSet([]))
    odd = np.where(np.arange(8) % 2, 1, -1)[:, None].astype(np.float32)
    odd *= np.linalg.norm(lean) / np.linalg.norm(odd)
    [clip] = noise(1, 2)
    leaning, uneven = detector.score(ClipSet([clip + 6 * lean, clip + 6 * odd]))
    assert uneven > 1.5 * leaning


def test_directions_in_which_normal_clips_hardly_differ_are_left_out() -> None:
    rng = np.random.default_rng(0)
    wide = rng.normal(0, 5, (40, 2)) @ rng.normal(size=(2, 8))
    train = [
        (row[:, None] + 0.01 * clip).astype(np.float32)
        for row, clip in zip(wide, noise(40, 1), strict=True)
    ]
    few, many = (
        Gaussian(GaussianConfig(frames=8, components=n)).fit(ClipSet(train), ClipSet([]))
        for n in (2, 16)
    )
    basis = np.linalg.svd(wide - wide.mean(axis=0))[2]
    aside = (train[0] + 4 * basis[-1][:, None]).astype(np.float32)
    clips = ClipSet([train[0], aside])
    assert np.divide(*few.score(clips)[::-1]) < 1.2
    assert np.divide(*many.score(clips)[::-1]) > 2


@pytest.mark.parametrize("n_clips", [2, 10])
def test_two_clips_are_enough_even_when_alike(n_clips: int) -> None:
    for train in noise(n_clips, 0), noise(1, 0) * n_clips, [np.zeros((8, 40), np.float32)] * 2:
        detector = Gaussian(GaussianConfig()).fit(ClipSet(train), ClipSet([]))
        louder = (train[0] + 9 * np.eye(8, 40)).astype(np.float32)
        scores = detector.score(ClipSet([train[0], louder]))
        assert np.isfinite(scores).all()
        assert scores[1] > scores[0]


def test_the_map_adds_up_to_the_squared_distance() -> None:
    detector = Gaussian(GaussianConfig(frames=4)).fit(ClipSet(noise(12, 0)), ClipSet([]))
    clips = ClipSet(noise(1, 3, n_frames=4))
    found = detector.explain(clips)[0]
    np.testing.assert_allclose(found.sum(axis=0), detector.score(clips)[0] ** 2, rtol=1e-5)


@pytest.mark.real
@pytest.mark.parametrize("level", ["none", "power"])
def test_real_motors(
    level: str,
    real_data: Callable[[str], Path],
    real_motor_auc: Callable[..., tuple[float, float]],
) -> None:
    auc, pauc = real_motor_auc(real_data("motor"), Gaussian(GaussianConfig()), level)
    assert auc > 0.95
    assert pauc > 0.85
