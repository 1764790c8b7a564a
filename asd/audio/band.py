"""Find the frequency above which a recording is empty: a telephone's, or that of a lower rate."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

_N_FFT = 2048
_BANDS = 64
_FRAMES = 4
"""Frames looked at in each second: the edge of a band does not move."""
_DROP_DB = 25.0
"""So far must all bands above the edge lie below the two bands beneath it."""
_FLOOR_DB = -110.0
"""Levels are told apart down to here; the steps of 16 bits make noise of -101 dB."""
_FIRST = 6
"""Band from which edges are looked for: the low end of most sounds is steep by itself."""


class Spectrum:
    """The mean power spectrum of a stream, and where it ends.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._window = np.hanning(_N_FFT + 1)[:-1].astype(np.float32)
        self._power = np.zeros(_N_FFT // 2 + 1)
        self._frames = 0

    def feed(self, samples: NDArray[np.float32]) -> None:
        """Go on with the next samples, ``(n,)``, a second or less of them."""
        if samples.size < _N_FFT:
            if self._frames:
                return
            samples = np.pad(samples * np.hanning(samples.size), (0, _N_FFT - samples.size))
            frames = samples[None]
        else:
            frames = samples[_places(samples.size)] * self._window
        spectrum = rfft(frames)
        self._power += (spectrum.real**2 + spectrum.imag**2).sum(axis=0)
        self._frames += len(frames)

    def band_hz(self) -> float:
        """Frequency of the highest edge above which the spectrum is empty.

        The spectrum is taken in 64 bands of equal width; the median in each passes over single
        lines. An edge is where it falls by 25 dB or more within one band and does not rise again.
        Natural sound falls less steeply. Half the sample rate where there is no edge.
        """
        nyquist = self._rate / 2
        scale = max(1, self._frames) * float(np.square(self._window).sum())
        bands = np.median(self._power[1:].reshape(_BANDS, -1), axis=1) / scale
        levels = np.maximum(10 * np.log10(np.maximum(bands, 1e-30)), _FLOOR_DB)
        for edge in range(_BANDS - 3, _FIRST - 1, -1):
            if levels[edge - 2 : edge].min() - levels[edge + 1 :].max() >= _DROP_DB:
                return edge * nyquist / _BANDS
        return nyquist


@lru_cache(4)
def _places(n_samples: int) -> NDArray[np.intp]:
    """Where the samples of the frames are that are looked at, ``(_FRAMES, _N_FFT)``."""
    starts = np.linspace(0, n_samples - _N_FFT, _FRAMES).astype(np.intp)
    return starts[:, None] + np.arange(_N_FFT)
