"""A machine and its faults in whole numbers alone: the same bits on every processor."""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

RATE = 8000
_TURN = 1 << 16
"""Steps of the phase in one period."""


def machine(seed: int, seconds: float, fault: bool = False) -> Integers:
    """A hum with overtones, a slow beat and noise; a fault adds a gated whistle.

    Parameters
    ----------
    seed : int
        Changes pitch, beat and noise.
    seconds : float
        Length.
    fault : bool
        Whether the whistle is there.

    Returns
    -------
    ndarray of shape (n_samples,)
        Within the range of 16 bits, at 8 kHz.
    """
    time = np.arange(round(seconds * RATE), dtype=np.int64)
    pitch = 180 + 5 * (seed % 7)
    beat = 16384 + _sine(time, 1 + seed % 3, seed * 9000) // 4
    hum = sum(_sine(time, pitch * n, seed * n * 777) // (3 * n) for n in (1, 2, 3, 5))
    samples = (hum * beat >> 14) + _noise(time, seed) // 6
    if fault:
        gate = _sine(time, 3, seed * 5000) > 8000
        samples += gate * _sine(time, 1500 + 20 * (seed % 5), 0) // (24 + 12 * (seed % 3))
    return samples // 2


def write(path: Path, samples: Integers) -> None:
    """Write 16-bit mono WAV at 8 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())


def _sine(time: Integers, hertz: int, phase: int) -> Integers:
    """Two parabolas that pass for a sine of amplitude 16384."""
    angle = (time * hertz * _TURN // RATE + phase) % _TURN - _TURN // 2
    wave_form: Integers = angle * (_TURN // 2 - np.abs(angle)) >> 14
    return wave_form


def _noise(time: Integers, seed: int) -> Integers:
    """Nearly Gaussian noise, standard deviation about 9500, from the hash splitmix64."""
    x = time.astype(np.uint64) + np.uint64(seed << 32)
    x = x * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    parts = [(x >> np.uint64(shift)) & np.uint64(0x3FFF) for shift in (0, 16, 32, 48)]
    total: Integers = np.sum(parts, axis=0).astype(np.int64) - 2 * 0x3FFF
    return total
