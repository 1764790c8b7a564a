"""The linear spectrum: values by hand, rows in Hz, level taken off."""

from itertools import pairwise

import numpy as np
import pytest

from asd import features
from asd.errors import ConfigError
from asd.features.spectrum import Spectrum, SpectrumConfig
from asd.testing import FrontEndContract

RATE = 16000


class TestSpectrum(FrontEndContract):
    front_end = Spectrum


class TestSpectrumOfFewUnevenRows(FrontEndContract):
    front_end = Spectrum
    fields = {"n_fft": 602, "hop_length": 250, "n_bins": 7, "level": "none"}  # noqa: RUF012


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return np.sin(2 * np.pi * hz * time).astype(np.float32)


def test_it_is_found_by_its_name() -> None:
    assert "spectrum" in features.names()
    front_end = features.front_end({"name": "spectrum", "n_bins": 64})
    assert isinstance(front_end, Spectrum)
    assert front_end.config.n_bins == 64


def test_values_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    samples = rng.standard_normal(3000).astype(np.float32)
    config = SpectrumConfig(n_fft=512, hop_length=200, n_bins=50, level="none")
    padded = np.pad(samples.astype(np.float64), 256)
    frames = np.lib.stride_tricks.sliding_window_view(padded, 512)[::200]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    edges = np.round(np.linspace(0, 256, 51)).astype(int) + 1
    means = [power[:, lo:hi].mean(axis=1) for lo, hi in pairwise(edges)]
    np.testing.assert_allclose(Spectrum(config)(samples), 10 * np.log10(means), atol=1e-3)


@pytest.mark.parametrize("hz", [300.0, 1000.0, 4000.0, 7800.0])
def test_a_tone_stands_in_the_row_that_the_axes_say(hz: float) -> None:
    front_end = Spectrum(SpectrumConfig())
    rows = front_end.axes().rows
    loudest = front_end(tone(hz)).mean(axis=1).argmax()
    width = rows[1] - rows[0]
    assert np.allclose(np.diff(rows), width)
    assert abs(rows[loudest] - hz) <= width / 2 + RATE / 1024


def test_recording_gain_is_ignored_unless_it_is_kept() -> None:
    rng = np.random.default_rng(0)
    samples = (0.1 * rng.standard_normal(RATE)).astype(np.float32)
    for level, shift_db in (("power", 0.0), ("none", -20.0)):
        front_end = features.front_end({"name": "spectrum", "level": level})
        shift = front_end(samples / np.float32(10)) - front_end(samples)
        np.testing.assert_allclose(shift, shift_db, atol=1e-3)


def test_a_recorders_offset_is_not_heard() -> None:
    front_end = Spectrum(SpectrumConfig(n_bins=512, level="none"))
    samples = tone(1000)
    offset = front_end(samples + np.float32(0.01)) - front_end(samples)
    # The window lets the offset into the two rows above 0 Hz, and frames at the edges into more.
    assert np.abs(offset[3:, 4:-4]).max() < 0.1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n_bins": 513, "n_fft": 1024}, r"n_bins=513 must be at most half of n_fft \(512\)"),
        ({"hop_length": 2048, "n_fft": 1024}, r"hop_length=2048 must be at most n_fft=1024"),
        ({"level": "rms"}, r"features\.level='rms'"),
        ({"n_mels": 64}, r"features\.n_mels: unknown key; valid keys are .*n_bins"),
    ],
)
def test_what_does_not_fit_is_one_line(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        features.front_end({"name": "spectrum", **fields})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("rate", "n_bins"), [(1000, 16), (2000, 32), (8000, 128), (44100, 128)])
def test_the_default_follows_the_sample_rate(rate: int, n_bins: int) -> None:
    config = SpectrumConfig(sample_rate=rate)
    assert config.n_bins == n_bins
    assert Spectrum(config).axes().rows[-1] <= rate / 2
