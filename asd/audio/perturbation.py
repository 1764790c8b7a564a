"""What may change between one recording and the next without anything being wrong.

Recording gain, the microphone, background noise, the machine's speed. The changes are those of
samples alone; nothing is clipped, so that a change of gain is nothing but that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from asd.audio.noise import Noise

Samples = NDArray[np.float32]

Kind = Literal["gain", "tilt", "phone", "noise", "pitch"]

TILT_DB = 6.0
"""What a tilted response favours the highest frequencies by, over the lowest."""
LOWEST_HZ = 20.0
"""Below this a response is flat."""
PHONE_BAND = (300 / 8000, 3400 / 8000)
"""What a telephone passes, as shares of half the sample rate: 300 to 3400 Hz at 16 kHz."""
_PHONE_SLOPE_DB = 24.0
"""Loss an octave outside its band."""
_PHONE_RIPPLE_DB = 3.0
"""Standard deviation of its response from octave third to octave third."""
_PHONE_FLOOR_DB = -60.0
_RIPPLE_POINTS = 30


@dataclass(frozen=True)
class Change:
    """A change, and by how much."""

    name: str
    """As it stands in tables and in the names of metrics."""
    kind: Kind
    amount: float = 0.0
    """dB, dB of clip over noise, or semitones."""


CHANGES = (
    Change("gain_up_6db", "gain", 6.0),
    Change("gain_down_6db", "gain", -6.0),
    Change("mic_bright", "tilt", TILT_DB),
    Change("mic_dark", "tilt", -TILT_DB),
    Change("mic_phone", "phone"),
    Change("noise_10db", "noise", 10.0),
    Change("noise_0db", "noise", 0.0),
    Change("pitch_up_1", "pitch", 1.0),
    Change("pitch_down_1", "pitch", -1.0),
)


def perturb(
    samples: Samples,
    sample_rate: int,
    change: Change,
    noises: Sequence[Noise],
    rng: np.random.Generator,
    microphone_seed: int,
) -> Samples:
    """Change a clip.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        The clip.
    sample_rate : int
        In Hz.
    change : Change
        What to do.
    noises : sequence of Noise
        Background sounds at `sample_rate`, one of which is drawn; pink noise where empty.
    rng : Generator
        Draws the clip's noise.
    microphone_seed : int
        Which telephone; clips that share it are heard through the same one.

    Returns
    -------
    ndarray, shape (m,), float32
        ``m = n`` but for a change of pitch, which changes the length too.
    """
    if change.kind == "gain":
        return gain(samples, change.amount)
    if change.kind == "tilt":
        return filtered(samples, sample_rate, *tilt(sample_rate, change.amount))
    if change.kind == "phone":
        return filtered(samples, sample_rate, *phone(sample_rate, microphone_seed))
    if change.kind == "noise":
        noise = background(len(samples), noises, rng)
        return add_noise(samples, noise, change.amount)
    return pitched(samples, change.amount)


def gain(samples: Samples, gain_db: float) -> Samples:
    """Turn a clip, ``(n,)``, up or down."""
    return np.asarray(samples * np.float32(10 ** (gain_db / 20)), dtype=np.float32)


def tilt(sample_rate: int, tilt_db: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A response that rises evenly with the logarithm of frequency.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    tilt_db : float
        Response at half the sample rate over that at 20 Hz; half-way between there is none.

    Returns
    -------
    hz, response_db : ndarray
        The response as a line through these points.
    """
    return np.array([LOWEST_HZ, sample_rate / 2]), np.array([-tilt_db / 2, tilt_db / 2])


def phone(sample_rate: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The response of a telephone: a middle band alone, and that unevenly.

    Parameters
    ----------
    sample_rate : int
        In Hz; the band lies in proportion to it (`PHONE_BAND`).
    seed : int
        Which telephone: each has ripples of its own.

    Returns
    -------
    hz, response_db : ndarray, shape (30,)
        The response as a line through these points.
    """
    nyquist = sample_rate / 2
    low, high = (share * nyquist for share in PHONE_BAND)
    hz = np.geomspace(LOWEST_HZ, nyquist, _RIPPLE_POINTS)
    outside = np.maximum(0.0, np.maximum(np.log2(low / hz), np.log2(hz / high)))
    ripple = np.random.default_rng(seed).normal(0.0, _PHONE_RIPPLE_DB, len(hz))
    return hz, np.maximum(ripple - _PHONE_SLOPE_DB * outside, _PHONE_FLOOR_DB)


def filtered(
    samples: Samples,
    sample_rate: int,
    hz: NDArray[np.float64],
    response_db: NDArray[np.float64],
) -> Samples:
    """Send a clip through a response, without delay.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        The clip.
    sample_rate : int
        In Hz.
    hz, response_db : ndarray, shape (k,)
        The response in dB at rising frequencies; between them it is a line over the logarithm of
        frequency, and beyond them it is level.

    Returns
    -------
    ndarray, shape (n,), float32
    """
    size = fft.next_fast_len(len(samples), real=True)
    frequencies = np.maximum(fft.rfftfreq(size, 1 / sample_rate), LOWEST_HZ)
    decibels = np.interp(np.log(frequencies), np.log(hz), response_db)
    spectrum = fft.rfft(samples.astype(np.float64), size) * 10 ** (decibels / 20)
    return np.asarray(fft.irfft(spectrum, size)[: len(samples)], dtype=np.float32)


def pitched(samples: Samples, semitones: float) -> Samples:
    """Shift a clip in pitch and speed together, as a machine that runs faster or slower.

    A sound that is shifted down leaves the top of the band empty, which no microphone would: there
    the clip's own sound stays. Resampling filters leave a gap there too, so it is done by spectrum.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        The clip.
    semitones : float
        Positive is higher.

    Returns
    -------
    ndarray, shape (m,), float32
        ``m = ceil(n / 2 ** (semitones / 12))``.
    """
    n = len(samples)
    m = math.ceil(n / 2 ** (semitones / 12))
    spectrum = fft.rfft(np.resize(samples, m).astype(np.float64))
    moved = fft.rfft(samples.astype(np.float64))[: len(spectrum)] * (m / n)
    spectrum[: len(moved)] = moved
    return np.asarray(fft.irfft(spectrum, m), dtype=np.float32)


def add_noise(samples: Samples, noise: Samples, snr_db: float) -> Samples:
    """Add noise, ``(n,)``, `snr_db` below the clip, ``(n,)``, in root mean square.

    Where one of them is silent there is no ratio, and the clip stays as it is.
    """
    own, other = (float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) for x in (samples, noise))
    if own == 0 or other == 0:
        return samples
    return np.asarray(samples + noise * (own / other * 10 ** (-snr_db / 20)), dtype=np.float32)


def background(n: int, noises: Sequence[Noise], rng: np.random.Generator) -> Samples:
    """A piece of `n` samples of one of the sounds, repeated where it is shorter; or pink noise."""
    if not noises:
        return pink(n, rng)
    sound = noises[int(rng.integers(len(noises)))].samples
    begin = int(rng.integers(len(sound)))
    return np.resize(np.roll(sound, -begin)[:n], n)


def pink(n: int, rng: np.random.Generator) -> Samples:
    """Noise of `n` samples whose power falls by 3 dB an octave, with a root mean square of 1."""
    spectrum = fft.rfft(rng.standard_normal(n))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0
    noise = fft.irfft(spectrum, n)
    return np.asarray(noise / max(float(noise.std()), 1e-12), dtype=np.float32)
