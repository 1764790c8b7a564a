"""Pitch shifts of tones, whose frequency and length afterwards are known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from asd.audio.pitch import PitchMethod, shift

RATE = 16000


def tone(hz: float, seconds: float = 1.0) -> NDArray[np.float32]:
    time = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(0.5 * np.sin(2 * np.pi * hz * time), np.float32)


def loudest_hz(samples: NDArray[np.float32]) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 16 * RATE))
    return float(np.argmax(spectrum)) / 16


@pytest.mark.parametrize("semitones", [-6.0, -3.0, -1.0, 1.0, 3.0, 6.0, 0.5])
@pytest.mark.parametrize("method", ["resample", "preserve"])
def test_multiplies_the_frequency(semitones: float, method: PitchMethod) -> None:
    shifted = shift(tone(1000), RATE, semitones, method)
    assert loudest_hz(shifted) == pytest.approx(1000 * 2 ** (semitones / 12), rel=0.005)
    assert shifted.dtype == np.float32


@pytest.mark.parametrize(
    ("semitones", "length"), [(12, 8000), (-12, 32000), (3, 13455), (-3, 19028)]
)
def test_resample_changes_the_length_with_the_pitch(semitones: float, length: int) -> None:
    # ceil(16000 / 2 ** (semitones / 12))
    assert len(shift(tone(440), RATE, semitones, "resample")) == length


@pytest.mark.parametrize("semitones", [-6, 3])
def test_preserve_keeps_the_length(semitones: float) -> None:
    assert len(shift(tone(440), RATE, semitones, "preserve")) == RATE


def test_resample_keeps_the_level() -> None:
    middle = shift(tone(1000), RATE, -5, "resample")[2000:-2000]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=1e-3)


def test_what_passes_half_the_sample_rate_is_removed_and_does_not_fold_over() -> None:
    # 6 kHz an octave up is 12 kHz, which would appear at 4 kHz.
    middle = shift(tone(6000), RATE, 12, "resample")[500:-500]
    assert np.max(np.abs(middle)) < 1e-3


def test_zero_semitones_changes_nothing() -> None:
    np.testing.assert_array_equal(shift(tone(440), RATE, 0), tone(440))
