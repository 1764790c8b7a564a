"""What detectors on statistics of whole clips have in common."""

import numpy as np
from numpy.typing import NDArray

from asd.arrays import Spectrogram
from asd.features._levels import quantiles

Vector = NDArray[np.float64]

_QUANTILES = (0.1, 0.5, 0.9)
N_STATISTICS = 3 + len(_QUANTILES)
"""Numbers a mel band."""


def clip_statistics(spectrogram: Spectrogram) -> Vector:
    """Describe a clip of any length by a few numbers a mel band.

    They are, each over time: mean, standard deviation, the 10, 50 and 90 % quantiles, and the
    mean absolute difference from frame to frame.

    Parameters
    ----------
    spectrogram : ndarray of shape (n_mels, n_frames)
        At least one frame.

    Returns
    -------
    ndarray of shape (6 * n_mels,), float64
        All means first, then all standard deviations, and so on.
    """
    values = spectrogram.astype(np.float64)
    if values.shape[1] > 1:
        change = np.abs(np.diff(values, axis=1)).mean(axis=1)
    else:
        change = np.zeros(len(values))
    ordered = quantiles(spectrogram, _QUANTILES)
    return np.concatenate([values.mean(axis=1), values.std(axis=1), *ordered, change])


def statistics_scale(table: Vector) -> Vector:
    """Units in which the statistics of normal clips spread by about 1, ``(6 * n_mels,)``.

    All bands share the scale of a statistic, the root mean square over bands of its standard
    deviation: that of a single band is too uncertain on a few dozen clips, and one that hardly
    varied in training would drown all others.
    """
    variance = table.var(axis=0).reshape(N_STATISTICS, -1)
    shared = np.sqrt(variance.mean(axis=1))
    # Clips that do not differ at all give no unit; 1 keeps distances finite.
    shared[shared == 0] = 1.0
    return np.repeat(shared, variance.shape[1])


def spread_over_time(
    contributions: Vector, spectrogram: Spectrogram, reference: Vector
) -> Spectrogram:
    """Map contributions of statistics to a score back to time and mel bands.

    The statistics of a band share one row, in which frames weigh by their distance from the mean
    that was expected.

    Parameters
    ----------
    contributions : ndarray of shape (6 * n_mels,)
        Not negative.
    spectrogram : ndarray of shape (n_mels, n_frames)
        The clip.
    reference : ndarray of shape (6 * n_mels,)
        The statistics that were expected.

    Returns
    -------
    ndarray of shape (n_mels, n_frames), float32
        Not negative; the mean of a row is the contribution of the band.
    """
    rows = contributions.reshape(N_STATISTICS, -1).sum(axis=0)
    values = spectrogram.astype(np.float64)
    away = np.abs(values - reference[: len(values), None])
    means = away.mean(axis=1, keepdims=True)
    weights = np.divide(away, means, out=np.ones_like(away), where=means > 0)
    return np.asarray(rows[:, None] * weights, dtype=np.float32)
