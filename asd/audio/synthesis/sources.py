"""Building blocks of synthetic sounds: sines, noise, random curves, filters and resonances."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from asd.arrays import Samples, Vector

SAMPLE_RATE = 24000
"""Sampling rate of the synthesis in Hz."""
_AT_ONCE = 16_384


def sine(turns: Vector) -> Samples:
    """The sine of an angle in turns; only the fraction of a turn fits float32 precisely."""
    values = np.empty(len(turns), np.float32)
    # Piece by piece, as what is computed in between then stays in the cache.
    for start in range(0, len(turns), _AT_ONCE):
        piece = turns[start : start + _AT_ONCE]
        values[start : start + _AT_ONCE] = np.sin(
            np.float32(2 * np.pi) * (piece - np.floor(piece)).astype(np.float32)
        )
    return values


def noise(n: int, rng: np.random.Generator) -> Samples:
    """White noise of unit variance."""
    return rng.standard_normal(n, dtype=np.float32)


def slow(n: int, cutoff_hz: float, rng: np.random.Generator) -> Vector:
    """A random curve of about unit variance that changes `cutoff_hz` times a second or slower."""
    knots = int(n / SAMPLE_RATE * cutoff_hz * 2) + 5
    time = np.arange(knots) / (2 * cutoff_hz)
    # Where it starts between two knots is random, or all curves would bend at the same time.
    at = np.arange(n) / SAMPLE_RATE + rng.uniform(0, 0.5 / cutoff_hz)
    return np.interp(at, time, rng.standard_normal(knots))


def band(sound: Samples, corners: Sequence[tuple[float, float]], taps: int = 1025) -> Samples:
    """Filter by a curve of (frequency in Hz, gain in dB), straight between its corners."""
    grid = np.linspace(0, SAMPLE_RATE / 2, 513)
    gain_db = np.interp(grid, [f for f, _ in corners], [g for _, g in corners])
    impulse = signal.firwin2(taps, grid, 10 ** (gain_db / 20), fs=SAMPLE_RATE)
    return np.asarray(signal.oaconvolve(sound, impulse.astype(np.float32), mode="same"), np.float32)


def impulses(n: int, at: NDArray[np.integer[Any]], sizes: NDArray[np.floating[Any]]) -> Samples:
    """A silent signal with impulses of the given sizes."""
    train = np.zeros(n, np.float32)
    np.add.at(train, at, sizes.astype(np.float32))
    return train


def ring(pulses: Samples, modes: tuple[tuple[float, float, float], ...], seconds: float) -> Samples:
    """Let pulses excite resonances.

    Parameters
    ----------
    pulses : ndarray, shape (n,)
        What excites them.
    modes : tuple of (frequency_hz, decay_s, size)
        Resonances; the decay is the time to fall to 1/e.
    seconds : float
        Length of the response.
    """
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    response = sum(
        size * np.exp(-time / decay) * np.sin(2 * np.pi * f * time) for f, decay, size in modes
    )
    rung = signal.oaconvolve(pulses, np.asarray(response, np.float32))[: len(pulses)]
    return np.asarray(rung, np.float32)
