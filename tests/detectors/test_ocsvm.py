"""The One-Class SVM: scikit-learn's scores without scikit-learn's pickles."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import SGDOneClassSVM
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from asd.arrays import Spectrogram
from asd.detectors import ocsvm
from asd.detectors._flat import overlay, window_frames
from asd.detectors._statistics import clip_statistics
from asd.detectors.ocsvm import Ocsvm, OcsvmConfig
from asd.errors import DetectorError
from asd.features.clipset import ClipSet


def make_clips(n_clips: int, seed: int, n_frames: int = 12, n_mels: int = 6) -> list[Spectrogram]:
    rng = np.random.default_rng(seed)
    return [rng.normal(-40, 5, (n_mels, n_frames)).astype(np.float32) for _ in range(n_clips)]


def build(**values: Any) -> Ocsvm:
    return Ocsvm(OcsvmConfig.parse(values), seed=7)


@pytest.mark.parametrize("vector", ["statistics", "flat"])
@pytest.mark.parametrize("variant", ["exact", "linear"])
def test_scores_are_those_of_scikit_learn(vector: str, variant: str, tmp_path: Path) -> None:
    train, test = make_clips(50, 0), make_clips(20, 1)
    detector = build(vector=vector, variant=variant, components=8, gamma=0.02)
    detector.fit(ClipSet(train), ClipSet([]))

    svm = (
        make_pipeline(OneClassSVM(nu=0.1, gamma=0.02))
        if variant == "exact"
        else make_pipeline(
            Nystroem(gamma=0.02, n_components=50, random_state=7),
            SGDOneClassSVM(nu=0.1, random_state=7),
        )
    )
    reference = make_pipeline(StandardScaler(), PCA(8, svd_solver="full"), svm)

    def table(clips: list[Spectrogram]) -> Any:
        if vector == "statistics":
            return ClipSet(clips).table(clip_statistics)
        return np.stack(clips).reshape(len(clips), -1).astype(np.float64)

    reference.fit(table(train))
    expected = -reference.decision_function(table(test))
    # The sign of a component is free, and stochastic descent does not see it through the kernel.
    assert_allclose(detector.score(ClipSet(test)), expected, rtol=0, atol=1e-9)
    detector.save(tmp_path)
    assert_allclose(Ocsvm.load(tmp_path).score(ClipSet(test)), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("nu", [0.05, 0.3])
def test_nu_bounds_the_share_outside_and_that_of_support_vectors(nu: float) -> None:
    # Proposition 3 of Schölkopf et al. (2001); the solver stops at a tolerance of 0.001.
    train = make_clips(200, 0)
    detector = build(nu=nu, components=5)
    outside = (detector.fit(ClipSet(train), ClipSet([])).score(ClipSet(train)) > 0.001).mean()
    assert outside <= nu <= len(detector.centers_) / 200


def test_many_clips_take_the_linear_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocsvm, "_EXACT_CLIPS", 39)
    monkeypatch.setattr(ocsvm, "_LANDMARKS", 16)
    assert len(build(nu=0.9).fit(ClipSet(make_clips(39, 0)), ClipSet([])).centers_) > 16
    assert len(build(nu=0.9).fit(ClipSet(make_clips(40, 0)), ClipSet([])).centers_) == 16


def test_many_clips_are_projected_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = make_clips(90, 0), make_clips(10, 1)
    whole = build(components=4).fit(ClipSet(train), ClipSet([])).score(ClipSet(test))
    monkeypatch.setattr(ocsvm, "_BLOCK_CLIPS", 30)
    blocks = build(components=4).fit(ClipSet(train), ClipSet([])).score(ClipSet(test))
    assert np.corrcoef(whole, blocks)[0, 1] > 0.5
    assert blocks.std() == pytest.approx(whole.std(), rel=0.5)


def test_flat_clips_longer_than_a_vector_score_as_the_mean_of_their_windows() -> None:
    detector = build(vector="flat")
    detector.fit(ClipSet(make_clips(20, 0)), ClipSet([]))
    first, second = make_clips(2, 1)
    joined = np.concatenate([first, second], axis=1)
    assert detector.score(ClipSet([joined]))[0] == pytest.approx(
        detector.score(ClipSet([first, second])).mean()
    )
    twice = np.concatenate([first[:, :6], first[:, :6]], axis=1)
    assert detector.score(ClipSet([first[:, :6]]))[0] == pytest.approx(
        detector.score(ClipSet([twice]))[0]
    )


@pytest.mark.parametrize("vector", ["statistics", "flat"])
def test_explains_a_band_far_outside_where_all_kernels_vanish(vector: str) -> None:
    detector = build(vector=vector)
    detector.fit(ClipSet(make_clips(30, 0)), ClipSet([]))
    clip = make_clips(1, 1)[0]
    clip[4] += 500
    [found] = detector.explain(ClipSet([clip]))
    assert found.sum(axis=1).argmax() == 4


def test_another_number_of_bands_is_refused() -> None:
    detector = build()
    detector.fit(ClipSet(make_clips(5, 0)), ClipSet([]))
    with pytest.raises(DetectorError, match=r"trained on 6 mel bands, got 9; .*n_mels=6"):
        detector.score(ClipSet(make_clips(1, 0, n_mels=9)))


@pytest.mark.parametrize("n_frames", [1, 4, 8, 11])
def test_maps_of_windows_come_together_as_the_clip(n_frames: int) -> None:
    clip = make_clips(1, 0, n_frames=n_frames)[0]
    windows = clip[:, window_frames(n_frames, 4)].transpose(1, 0, 2).astype(np.float64)
    assert_allclose(overlay(windows, n_frames), clip, rtol=1e-6)
