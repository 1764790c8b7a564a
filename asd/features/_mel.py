"""The mel scale and its filter bank, after Slaney's Auditory Toolbox (1998).

Equal to librosa's to the last bit, as a test holds. Importing librosa's filters takes a second,
which every command and every server would wait for.
"""

import numpy as np
from numpy.typing import NDArray

_HZ_PER_MEL = 200 / 3
"""Below 1 kHz, where the scale is linear."""
_LOG_HZ = 1000.0
_LOG_MEL = _LOG_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27
"""Above 1 kHz, 27 mels are a factor of 6.4 in frequency."""


def mel_frequencies(n_bands: int, f_min: float, f_max: float) -> NDArray[np.float64]:
    """Frequencies that lie evenly on the mel scale.

    Parameters
    ----------
    n_bands : int
        How many, both ends counted; at least 2.
    f_min, f_max : float
        The first and the last one, in Hz.

    Returns
    -------
    ndarray of shape (n_bands,)
        Hz, rising.
    """
    mels = np.linspace(_mel(f_min), _mel(f_max), n_bands)
    above = mels >= _LOG_MEL
    frequencies = _HZ_PER_MEL * mels
    frequencies[above] = _LOG_HZ * np.exp(_LOG_STEP * (mels[above] - _LOG_MEL))
    return frequencies


def mel_filters(
    sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float
) -> NDArray[np.float32]:
    """Triangular filters over the bins of a power spectrum, each of area 1 in Hz.

    Parameters
    ----------
    sample_rate : int
        Hz.
    n_fft : int
        Length of the transform in samples.
    n_mels : int
        Number of filters.
    f_min, f_max : float
        Lower edge of the first filter and upper edge of the last one, in Hz.

    Returns
    -------
    ndarray of shape (n_mels, n_fft // 2 + 1)
        Weights; a filter narrower than the distance of two bins may be all zero.
    """
    edges = mel_frequencies(n_mels + 2, f_min, f_max)
    widths = np.diff(edges)
    ramps = np.subtract.outer(edges, np.fft.rfftfreq(n_fft, 1 / sample_rate))
    rising, falling = -ramps[:-2] / widths[:-1, None], ramps[2:] / widths[1:, None]
    weights: NDArray[np.float32] = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    weights *= (2 / (edges[2:] - edges[:-2]))[:, None]
    return weights


def _mel(frequency: float) -> float:
    if frequency < _LOG_HZ:
        return frequency / _HZ_PER_MEL
    return float(_LOG_MEL + np.log(frequency / _LOG_HZ) / _LOG_STEP)
