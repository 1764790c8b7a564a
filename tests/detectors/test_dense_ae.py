"""The DCASE autoencoder: its layers, its two scores and its maps."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from asd.arrays import Spectrogram
from asd.detectors.dense_ae import DenseAe, DenseAeConfig
from asd.detectors.nets.frames import dense
from asd.errors import DetectorError
from asd.features.clipset import ClipSet


def noise(n_clips: int, seed: int, n_mels: int = 8, n_frames: int = 30) -> list[Spectrogram]:
    rng = np.random.default_rng(seed)
    return [rng.normal(-40, 3, (n_mels, n_frames)).astype(np.float32) for _ in range(n_clips)]


def brief(**fields: str) -> DenseAe:
    return DenseAe(DenseAeConfig.parse({"epochs": 3, "batch_size": 4, **fields}))


def test_the_layers_are_those_of_the_baseline() -> None:
    layers = DenseAe(DenseAeConfig())._build(128).modules()
    sizes = [(m.in_features, m.out_features) for m in layers if isinstance(m, torch.nn.Linear)]
    widths = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640]
    assert sizes == list(pairwise(widths))


def test_the_last_layer_is_linear() -> None:
    assert isinstance(dense(4, 3, 2)[-1], torch.nn.Linear)
    assert [type(layer).__name__ for layer in dense(4, 3, 2)] == [
        "Linear",
        "LayerNorm",
        "ReLU",
        "Linear",
    ]


def test_a_network_that_gives_zeros_scores_the_mean_square_of_its_input() -> None:
    detector = brief().fit(ClipSet(noise(12, 0)), ClipSet([]))
    *_, weight, bias = detector.network_.parameters()
    with torch.no_grad():
        weight.zero_()
        bias.zero_()
    detector.low_, detector.high_ = -3.0, 3.0
    clip = np.tile(np.array([[-1.5], [1.5]], np.float32), (4, 9))
    np.testing.assert_allclose(detector.score(ClipSet([clip])), 1.5**2, rtol=1e-5)
    np.testing.assert_allclose(detector.explain(ClipSet([clip]))[0], 1.5**2, rtol=1e-4)


def test_mahalanobis_errors_of_training_clips_have_unit_variance() -> None:
    train = noise(20, 0)
    detector = brief(score="mahalanobis").fit(ClipSet(train), ClipSet([]))
    assert np.mean(detector.score(ClipSet(train))) == pytest.approx(1, abs=0.15)


def test_mahalanobis_forgives_bands_that_are_always_hard_to_tell() -> None:
    rng = np.random.default_rng(0)
    spread = np.where(np.arange(8) < 4, 6.0, 0.5)[:, None]

    def clips(n_clips: int) -> list[Spectrogram]:
        return [(spread * rng.normal(0, 1, (8, 30))).astype(np.float32) for _ in range(n_clips)]

    train, normal, faulty = clips(30), clips(10), clips(10)
    for clip in faulty:
        clip[6] += 2
    ratios = {}
    for score in ("mse", "mahalanobis"):
        detector = brief(score=score).fit(ClipSet(train), ClipSet([]))
        ratios[score] = (
            detector.score(ClipSet(faulty)).mean() / detector.score(ClipSet(normal)).mean()
        )
    assert ratios["mahalanobis"] > ratios["mse"]


def test_another_number_of_bands_is_refused() -> None:
    detector = brief().fit(ClipSet(noise(8, 0)), ClipSet([]))
    with pytest.raises(DetectorError, match="trained on 8 mel bands, got 12"):
        detector.score(ClipSet(noise(1, 1, n_mels=12)))
