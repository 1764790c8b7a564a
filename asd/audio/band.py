"""Find the frequency above which a recording is empty: a telephone's, or that of a lower rate."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import rfft

_N_FFT = 2048
_BANDS = 64
_FRAMES_A_SECOND = 2
"""So many frames are looked at: the edge of a band does not move."""
_LEAST_FRAMES = 4
"""Frames that are looked at in less than two seconds."""
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
        """Go on with the next samples, ``(n,)``."""
        if samples.size < _N_FFT:
            if self._frames:
                return
            samples = np.pad(samples * np.hanning(samples.size), (0, _N_FFT - samples.size))
            frames = samples[None]
        else:
            n_frames = max(_LEAST_FRAMES, _FRAMES_A_SECOND * samples.size // self._rate)
            starts = np.linspace(0, samples.size - _N_FFT, n_frames).astype(np.intp)
            frames = sliding_window_view(samples, _N_FFT)[starts] * self._window
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
