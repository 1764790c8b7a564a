"""The interpolation network: what it sees and what it does not."""

import numpy as np
import pytest
import torch

from asd.arrays import Spectrogram
from asd.detectors.idnn import Idnn, IdnnConfig
from asd.errors import DetectorError
from asd.features.clipset import ClipSet


def noise(n_clips: int, seed: int, n_mels: int = 8) -> list[Spectrogram]:
    rng = np.random.default_rng(seed)
    return [rng.normal(-40, 3, (n_mels, 30)).astype(np.float32) for _ in range(n_clips)]


@pytest.fixture(scope="module")
def fitted() -> Idnn:
    return Idnn(IdnnConfig(epochs=3, batch_size=4)).fit(ClipSet(noise(12, 0)), ClipSet([]))


def test_the_middle_frame_is_not_seen(fitted: Idnn) -> None:
    windows = torch.zeros(2, 5, 8)
    windows[1, 2] = 1
    with torch.inference_mode():
        told, truth = fitted._told(windows)
    # The same is told of both; only what it is held against differs.
    torch.testing.assert_close(told[0], told[1])
    torch.testing.assert_close(truth[1] - truth[0], torch.ones(1, 8))


def test_every_frame_is_judged_once(fitted: Idnn) -> None:
    clip = noise(1, 1)[0]
    found = fitted.explain(ClipSet([clip]))[0]
    assert found.shape == clip.shape
    assert (found > 0).all()
    np.testing.assert_allclose(
        fitted.score(ClipSet([clip])), found.mean(dtype=np.float64), rtol=1e-6
    )


def test_a_click_shows_in_its_frame_most(fitted: Idnn) -> None:
    clip = noise(1, 2)[0]
    clip[:, 15] += 30
    assert fitted.explain(ClipSet([clip]))[0].mean(axis=0).argmax() == 15


def test_another_number_of_bands_is_refused(fitted: Idnn) -> None:
    with pytest.raises(DetectorError, match="trained on 8 mel bands, got 12"):
        fitted.score(ClipSet(noise(1, 1, n_mels=12)))
