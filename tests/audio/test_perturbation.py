"""Changes with answers that can be worked out."""

import numpy as np
import pytest
from numpy.typing import NDArray

from asd.audio.noise import Noise
from asd.audio.perturbation import (
    CHANGES,
    PHONE_BAND,
    Change,
    add_noise,
    background,
    filtered,
    gain,
    perturb,
    phone,
    pink,
    pitched,
    tilt,
)

RATE = 8000
Samples = NDArray[np.float32]


def tone(hz: float, seconds: float = 1.0) -> Samples:
    t = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(0.1 * np.sin(2 * np.pi * hz * t), np.float32)


def level_db(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64))))


def test_gain_is_nothing_but_gain() -> None:
    # 0.9 turned up by 6.02 dB passes full scale and is not clipped.
    assert gain(np.array([0.9, -0.5], np.float32), 20 * np.log10(2)).tolist() == pytest.approx(
        [1.8, -1.0]
    )


@pytest.mark.parametrize(("hz", "expected"), [(20, -3), (283, 0), (4000, 3)])
def test_tilt_is_even_over_octaves(hz: float, expected: float) -> None:
    points, response = tilt(RATE, 6.0)
    assert np.interp(np.log(hz), np.log(points), response) == pytest.approx(expected, abs=0.01)


def test_a_filter_changes_each_tone_by_its_response_without_delay() -> None:
    hz, response = np.array([100.0, 1000.0]), np.array([-12.0, 6.0])
    for frequency, expected in ((50, -12), (100, -12), (1000, 6), (2000, 6), (316.2278, -3)):
        sound = tone(round(frequency))
        found = filtered(sound, RATE, hz, response)
        assert level_db(found) - level_db(sound) == pytest.approx(expected, abs=0.02)
        assert np.allclose(found, gain(sound, expected), atol=2e-3)


def test_a_phone_passes_its_band_and_each_has_its_own_ripple() -> None:
    hz, response = phone(RATE, seed=0)
    low, high = (share * RATE / 2 for share in PHONE_BAND)
    inside = (hz > low) & (hz < high)
    assert abs(response[inside]).max() < 10
    assert response[hz < low / 4].max() < -30
    assert (phone(RATE, 0)[1] == response).all()
    assert not np.allclose(phone(RATE, 1)[1], response)


@pytest.mark.parametrize("snr_db", [10.0, 0.0])
def test_noise_lies_as_far_below_the_clip_as_was_asked(snr_db: float) -> None:
    rng = np.random.default_rng(0)
    clip, noise = tone(440), pink(RATE, rng)
    added = add_noise(clip, noise, snr_db) - clip
    assert level_db(clip) - level_db(added) == pytest.approx(snr_db, abs=1e-3)


def test_silence_has_no_ratio_and_stays() -> None:
    silent = np.zeros(100, np.float32)
    assert (add_noise(silent, tone(100)[:100], 0.0) == silent).all()


def test_pink_noise_falls_by_3_db_an_octave() -> None:
    noise = pink(1 << 16, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves = [10 * np.log10(power[2**k : 2 ** (k + 1)].mean()) for k in range(8, 15)]
    assert np.diff(octaves) == pytest.approx(-3.01, abs=0.5)
    assert level_db(noise) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("semitones", [-1.0, 1.0])
def test_a_shifted_clip_has_no_empty_band(semitones: float) -> None:
    white = np.random.default_rng(0).normal(size=RATE).astype(np.float32)
    power = np.abs(np.fft.rfft(pitched(white, semitones))) ** 2
    bands = [10 * np.log10(band.mean()) for band in np.array_split(power, 40)]
    assert max(bands) - min(bands) < 6
    tones = pitched(tone(440), semitones)
    peak = np.argmax(np.abs(np.fft.rfft(tones))) * RATE / len(tones)
    assert peak == pytest.approx(440 * 2 ** (semitones / 12), abs=1)


def test_short_sounds_are_repeated() -> None:
    sound = Noise("knock", np.array([1, 2, 3], np.float32))
    piece = background(7, [sound], np.random.default_rng(0))
    assert set(np.diff(piece).tolist()) == {1.0, -2.0}
    assert len(piece) == 7


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_every_change_changes_the_clip_and_is_repeatable(change: Change) -> None:
    clip = tone(440) + 0.01 * pink(RATE, np.random.default_rng(1))
    first, second = (perturb(clip, RATE, change, [], np.random.default_rng(5), 0) for _ in range(2))
    assert (first == second).all()
    assert first.dtype == np.float32
    if change.kind == "pitch":
        assert abs(len(first) / len(clip) - 1) == pytest.approx(0.058, abs=0.003)
    else:
        assert first.shape == clip.shape
        assert not np.allclose(first, clip, atol=1e-3)
