"""The convolutional autoencoder: the original's network, for inputs of any size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from safetensors.numpy import load_file

from asd.arrays import Spectrogram
from asd.detectors.cnn import Cnn, CnnConfig, ConvAutoencoder
from asd.features.clipset import ClipSet

DECIBELS = -80.0, -20.0


def make_clips(n_clips: int, low: float = 0.0, high: float = 1.0) -> list[Spectrogram]:
    rng = np.random.default_rng(0)
    return [rng.uniform(low, high, (16, 23)).astype(np.float32) for _ in range(n_clips)]


def fitted(clips: list[Spectrogram]) -> Cnn:
    detector = Cnn(CnnConfig(epochs=1, channels=2))
    detector.fit(ClipSet(clips), ClipSet([]))
    return detector


def test_is_the_network_of_the_original() -> None:
    network = ConvAutoencoder()
    state = network.state_dict()
    assert sum(value.numel() for value in state.values()) == 46_529
    assert list(state) == [
        f"{half}.{layer}.{kind}"
        for half in ("encoder", "decoder")
        for layer in (0, 2, 4)
        for kind in ("weight", "bias")
    ]
    clips = torch.zeros(1, 1, 128, 311)
    inner = network.encoder(clips)
    assert inner.shape == (1, 64, 16, 39)
    assert network.decoder(inner).shape == clips.shape


@settings(deadline=None, max_examples=25)
@given(n_mels=st.integers(1, 40), n_frames=st.integers(1, 70))
def test_gives_back_the_shape_of_any_input(n_mels: int, n_frames: int) -> None:
    clips = torch.rand(2, n_mels, n_frames)
    rebuilt = ConvAutoencoder(2)(clips)
    assert rebuilt.shape == clips.shape
    assert ((rebuilt >= 0) & (rebuilt <= 1)).all()


def test_odd_sizes_are_extended_by_their_edge() -> None:
    network = ConvAutoencoder(2)
    clip = torch.rand(1, 16, 20)
    extended = torch.cat([clip, clip[:, :, -1:].expand(-1, -1, 3)], dim=2)
    assert_allclose(
        network(clip).detach().numpy(), network(extended)[:, :, :20].detach().numpy(), atol=1e-6
    )


def test_the_score_is_the_mean_squared_error() -> None:
    clips = make_clips(3)
    detector = fitted(clips)
    inputs = torch.from_numpy(np.stack(clips))
    with torch.no_grad():
        errors = ((detector.network_(inputs) - inputs) ** 2).mean((1, 2)).double().numpy()
    assert_allclose(detector.score(ClipSet(clips)), errors, rtol=1e-5)
    means = [found.mean(dtype=np.float64) for found in detector.explain(ClipSet(clips))]
    assert_allclose(means, detector.score(ClipSet(clips)), rtol=1e-12)


def test_spectrograms_in_the_unit_range_are_taken_as_they_are() -> None:
    detector = fitted(make_clips(4))
    assert (detector.low_, detector.high_) == (0.0, 1.0)


def test_decibels_are_brought_to_the_unit_range_of_the_training_clips() -> None:
    detector = fitted(make_clips(40, *DECIBELS))
    assert (detector.low_, detector.high_) == pytest.approx(DECIBELS, abs=0.5)
    # Sixty decibels too much is one unit too much: the sigmoid cannot follow.
    loud = [clip + 60 for clip in make_clips(2, *DECIBELS)]
    assert detector.score(ClipSet(loud)).min() > 0.25


def test_equal_clips_can_be_trained_on() -> None:
    detector = fitted([np.full((16, 23), -100, np.float32)] * 3)
    assert np.isfinite(detector.score(ClipSet([np.zeros((16, 23), np.float32)]))).all()


def test_weights_are_saved_as_safetensors_under_their_own_names(tmp_path: Path) -> None:
    detector = fitted(make_clips(4, *DECIBELS))
    detector.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "detector.json",
        "weights.safetensors",
    ]
    arrays = load_file(tmp_path / "weights.safetensors")
    assert set(arrays) == {*detector.network_.state_dict(), "input.low", "input.high"}
    for key, value in detector.network_.state_dict().items():
        assert_allclose(arrays[key], value.numpy())
