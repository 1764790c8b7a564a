"""Nearest neighbour on statistics: hand-worked values and figures on real recordings."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from asd.arrays import Spectrogram
from asd.detectors._statistics import clip_statistics, spread_over_time, statistics_scale
from asd.detectors.knn import Knn, KnnConfig
from asd.features.clipset import ClipSet


def clips_of(*values: float) -> list[Spectrogram]:
    """Clips of one band that never change."""
    return [np.full((1, 4), value, np.float32) for value in values]


def test_statistics_of_a_known_clip() -> None:
    clip = np.array([[0, 10, 0, 10, 0], [7, 7, 7, 7, 7]], np.float32)
    mean, deviation, quantiles, change = [4, 7], [np.sqrt(24), 0], [0, 7, 0, 7, 10, 7], [10, 0]
    expected = np.array(mean + deviation + quantiles + change)
    np.testing.assert_allclose(clip_statistics(clip), expected)


def test_bands_share_the_scale_of_a_statistic() -> None:
    table = np.array([[0.0, 0.0] + [0.0] * 10, [6.0, 8.0] + [0.0] * 10])
    scale = statistics_scale(table).reshape(6, 2)
    np.testing.assert_allclose(scale[0], np.sqrt((9 + 16) / 2))
    np.testing.assert_allclose(scale[1:], 1)


def test_contributions_go_to_the_frames_that_differ() -> None:
    clip = np.array([[0, 0, 8, 0], [1, 1, 1, 1]], np.float32)
    contributions = np.array([2.0, 0.5] + [0.0] * 10)
    reference = np.array([0.0, 1.0] + [0.0] * 10)
    found = spread_over_time(contributions, clip, reference)
    np.testing.assert_allclose(found, np.array([[0, 0, 8, 0], [0.5, 0.5, 0.5, 0.5]]))


def test_scores_are_distances_to_the_nearest() -> None:
    # Means and the three quantiles are -2, 0 and 2: four statistics, each in units of its own
    # standard deviation.
    unit = np.sqrt(8 / 3)
    detector = Knn(KnnConfig(density=0)).fit(ClipSet(clips_of(-2, 0, 2)), ClipSet([]))
    found = detector.score(ClipSet(clips_of(0, 3, -5)))
    np.testing.assert_allclose(found, np.array([0, 1, 3]) * 2 / unit, atol=1e-6)
    manhattan = Knn(KnnConfig(density=0, distance="manhattan")).fit(
        ClipSet(clips_of(-2, 0, 2)), ClipSet([])
    )
    np.testing.assert_allclose(manhattan.score(ClipSet(clips_of(3))), 4 / unit, rtol=1e-6)


def test_k_averages_over_neighbours_and_takes_all_there_are() -> None:
    unit = np.sqrt(8 / 3)
    two = Knn(KnnConfig(density=0, k=2)).fit(ClipSet(clips_of(-2, 0, 2)), ClipSet([]))
    np.testing.assert_allclose(two.score(ClipSet(clips_of(3))), 2 * (1 + 3) / 2 / unit, rtol=1e-6)
    many = Knn(KnnConfig(density=0, k=99)).fit(ClipSet(clips_of(-2, 0, 2)), ClipSet([]))
    np.testing.assert_allclose(
        many.score(ClipSet(clips_of(3))), 2 * (1 + 3 + 5) / 3 / unit, rtol=1e-6
    )


@pytest.mark.parametrize("density", [0.0, 0.5])
def test_the_nearest_of_many_are_those_that_a_search_of_all_finds(density: float) -> None:
    rng = np.random.default_rng(0)
    train, test = (rng.normal(size=(n, 4, 6)).astype(np.float32) for n in (300, 150))
    detector = Knn(KnnConfig(k=3, density=density)).fit(ClipSet(list(train)), ClipSet([]))
    described = ClipSet(list(test)).table(clip_statistics) / detector.scale_
    apart = cdist(described, detector.references_) / detector.density_
    expected = np.sort(apart)[:, :3].mean(axis=1)
    np.testing.assert_allclose(detector.score(ClipSet(list(test))), expected, rtol=1e-9)


def test_density_makes_up_for_rare_operating_states() -> None:
    train = clips_of(-0.2, -0.1, 0, 0.1, 0.2, 10, 14)
    plain = Knn(KnnConfig(density=0)).fit(ClipSet(train), ClipSet([]))
    dense = Knn(KnnConfig(density=1, density_k=1)).fit(ClipSet(train), ClipSet([]))
    near_common, near_rare = 1.0, 12.0
    assert np.diff(plain.score(ClipSet(clips_of(near_common, near_rare)))) > 0
    assert np.diff(dense.score(ClipSet(clips_of(near_common, near_rare)))) < 0
    # 12 lies 2 from its neighbour, whose own neighbour lies 4 away.
    np.testing.assert_allclose(dense.score(ClipSet(clips_of(near_rare))), 0.5, rtol=1e-5)


def test_density_is_finite_where_clips_stand_twice() -> None:
    for train in clips_of(0, 0, 3, 9), clips_of(5, 5, 5):
        detector = Knn(KnnConfig(density=1, density_k=1)).fit(ClipSet(train), ClipSet([]))
        assert np.isfinite(detector.score(ClipSet(clips_of(0, 1, 100)))).all()


def test_louder_clips_score_higher_where_the_front_end_keeps_their_level() -> None:
    rng = np.random.default_rng(0)
    clips = [rng.normal(-40, 5, (8, 30)).astype(np.float32) for _ in range(12)]
    louder = ClipSet([(clip + 6).astype(np.float32) for clip in clips])
    detector = Knn(KnnConfig()).fit(ClipSet(clips[:8]), ClipSet([]))
    assert (detector.score(louder) > detector.score(ClipSet(clips))).all()


@pytest.mark.real
@pytest.mark.parametrize(
    ("density", "least_auc", "least_pauc"), [(0.0, 0.98, 0.94), (0.5, 0.96, 0.9)]
)
def test_real_motors_where_nothing_is_rare_are_told_best_without_density(
    density: float,
    least_auc: float,
    least_pauc: float,
    real_data: Callable[[str], Path],
    real_motor_auc: Callable[..., tuple[float, float]],
) -> None:
    auc, pauc = real_motor_auc(real_data("motor"), Knn(KnnConfig(density=density)))
    assert auc > least_auc
    assert pauc > least_pauc
