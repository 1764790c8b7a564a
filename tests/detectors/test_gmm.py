"""The mixture: true likelihoods, any number of clips, any length of clip."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from asd.arrays import Spectrogram
from asd.detectors import gmm as module
from asd.detectors.gmm import Gmm, GmmConfig
from asd.errors import DetectorError
from asd.features.clipset import ClipSet


def make_clips(n_clips: int, seed: int = 0, n_frames: int = 6) -> list[Spectrogram]:
    """Clips of 4 bands that vary mostly in three directions, from two groups."""
    rng = np.random.default_rng(seed)
    patterns = np.random.default_rng(99).normal(size=(3, 4, n_frames)) * [[[4]], [[2]], [[1]]]
    clips = []
    for number in range(n_clips):
        weights = rng.normal(size=3) + 3 * (number % 2)
        clip = np.tensordot(weights, patterns, 1) + rng.normal(0, 0.3, (4, n_frames))
        clips.append((clip - 40).astype(np.float32))
    return clips


def flat(clips: list[Spectrogram]) -> Spectrogram:
    return np.stack([clip.ravel() for clip in clips])


def test_without_residual_it_is_the_original_recipe() -> None:
    train, test = make_clips(200), make_clips(20, seed=1)
    config = GmmConfig(pca_components=3, mixture_components=2, residual=False, regularisation=1e-6)
    found = Gmm(config).fit(ClipSet(train), ClipSet([])).score(ClipSet(test))
    scaler = StandardScaler().fit(flat(train).astype(float))
    pca = PCA(3).fit(scaler.transform(flat(train)))
    mixture = GaussianMixture(2, random_state=0).fit(pca.transform(scaler.transform(flat(train))))
    expected = -mixture.score_samples(pca.transform(scaler.transform(flat(test))))
    np.testing.assert_allclose(found, expected, rtol=1e-2)


def test_with_residual_it_is_probabilistic_pca() -> None:
    train, test = make_clips(200), make_clips(20, seed=1)
    config = GmmConfig(pca_components=3, mixture_components=1, regularisation=0)
    detector = Gmm(config).fit(ClipSet(train), ClipSet([]))
    basis = detector.basis_.astype(float)
    along = np.linalg.inv(detector.whitening_[0] @ detector.whitening_[0].T)
    rest = np.eye(24) - basis @ basis.T
    covariance = basis @ along @ basis.T + detector.noise_ * rest
    scaled = (flat(test).astype(float) - detector.mean_) / detector.scale_
    expected = -multivariate_normal(basis @ detector.means_[0], covariance).logpdf(scaled) / 24
    np.testing.assert_allclose(detector.score(ClipSet(test)), expected, rtol=1e-4)


def test_the_noise_is_that_of_new_clips() -> None:
    detector = Gmm(GmmConfig(pca_components=3)).fit(ClipSet(make_clips(30)), ClipSet([]))
    scaled = (flat(make_clips(500, seed=1)) - detector.mean_) / detector.scale_
    rest = scaled - scaled @ detector.basis_ @ detector.basis_.T
    assert detector.noise_ == pytest.approx((rest**2).sum(axis=1).mean() / 21, rel=0.25)


@pytest.mark.parametrize(
    ("n_clips", "n_directions", "n_gaussians"), [(4, 1, 1), (20, 5, 1), (100, 8, 3), (400, 8, 5)]
)
def test_what_is_fitted_grows_with_the_clips(
    n_clips: int, n_directions: int, n_gaussians: int
) -> None:
    detector = Gmm(GmmConfig(pca_components=8)).fit(ClipSet(make_clips(n_clips)), ClipSet([]))
    assert detector.basis_.shape == (24, n_directions)
    assert detector.means_.shape == (n_gaussians, n_directions)
    assert np.isfinite(detector.score(ClipSet(make_clips(3, seed=1)))).all()


def test_all_that_was_asked_for_is_fitted_to_few_clips_on_demand() -> None:
    config = GmmConfig(pca_components=100, mixture_components=3, clips_per_direction=0)
    detector = Gmm(config).fit(ClipSet(make_clips(10)), ClipSet([]))
    assert detector.basis_.shape == (24, 9)
    assert detector.means_.shape == (3, 9)
    assert np.isfinite(detector.score(ClipSet(make_clips(3, seed=1)))).all()


def test_a_part_of_many_clips_gives_the_subspace(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = make_clips(300), make_clips(40, seed=1)
    config = GmmConfig(pca_components=3, mixture_components=1)
    whole = Gmm(config).fit(ClipSet(train), ClipSet([])).score(ClipSet(test))
    monkeypatch.setattr(module, "_SUBSPACE_CLIPS", 150)
    part = Gmm(config).fit(ClipSet(train), ClipSet([])).score(ClipSet(test))
    assert np.corrcoef(whole, part)[0, 1] > 0.98


def test_long_clips_are_scored_by_windows_and_short_ones_repeated() -> None:
    detector = Gmm(GmmConfig()).fit(ClipSet(make_clips(40)), ClipSet([]))
    one, two = make_clips(2, seed=1)
    both = np.concatenate([one, two], axis=1)
    assert detector.score(ClipSet([both]))[0] == pytest.approx(
        detector.score(ClipSet([one, two])).mean()
    )
    short = one[:, :4]
    repeated = np.concatenate([short, short[:, :2]], axis=1)
    assert detector.score(ClipSet([short]))[0] == pytest.approx(
        detector.score(ClipSet([repeated]))[0]
    )
    assert detector.explain(ClipSet([both, short]))[1].shape == (4, 4)


def test_an_explanation_adds_up_to_the_deviation() -> None:
    detector = Gmm(GmmConfig(mixture_components=1)).fit(ClipSet(make_clips(40)), ClipSet([]))
    clips = make_clips(10, seed=1)
    sums = [found.sum() for found in detector.explain(ClipSet(clips))]
    # The score is half of it and a constant, a value of the spectrogram.
    constant = detector.score(ClipSet(clips)) - np.array(sums) / 2 / 24
    np.testing.assert_allclose(constant, constant[0], rtol=1e-4)


def test_clips_that_are_all_the_same_are_refused() -> None:
    with pytest.raises(DetectorError, match="all training clips are the same"):
        Gmm(GmmConfig()).fit(ClipSet(make_clips(1) * 20), ClipSet([]))


@pytest.mark.real
def test_real_motors_at_the_level_of_the_recording(
    real_data: Callable[[str], Path], real_motor_auc: Callable[..., tuple[float, float]]
) -> None:
    auc, pauc = real_motor_auc(real_data("motor"), Gmm(GmmConfig()), level="none")
    assert auc > 0.88
    assert pauc > 0.85
