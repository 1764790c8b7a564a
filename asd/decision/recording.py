"""The statistic by which a recording of any length is judged."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from asd.decision.calibration import Calibration
from asd.decision.extension import Extension
from asd.decision.pvalues import NormalSample

Values = NDArray[np.float64]
Statistic = Callable[[Values], Values]
"""Scores ``(..., m)`` of m windows to one value each ``(...)``."""

TOP = 0.2
"""Share of the windows that decide."""


def top_mean(scores: Values) -> Values:
    """Mean of the highest fifth of the windows: ``(..., m)`` to ``(...)``.

    One window is its own; up to five, the highest one decides.

    Examples
    --------
    >>> float(top_mean(np.array([1.0, 9.0, 2.0, 7.0, 3.0, 4.0])))
    8.0
    """
    m = scores.shape[-1]
    k = math.ceil(TOP * m)
    return np.asarray(np.partition(scores, m - k, axis=-1)[..., m - k :].mean(axis=-1))


def mean(scores: Values) -> Values:
    """Mean of the windows: ``(..., m)`` to ``(...)``."""
    return np.asarray(scores.mean(axis=-1))


def recording_statistic(calibration: Calibration, m: int) -> Statistic:
    """The statistic by which recordings of `m` windows are judged.

    The mean of the highest fifth. Where each unit of the calibration is a single window, and the
    recording is not, nothing tells how far the windows of one recording scatter: then it is the
    mean of all, which scatters less than one window whatever the answer is.
    """
    layout = calibration.layout
    single = calibration.n_units == len(calibration) and m > layout.lengths.max()
    return mean if single else top_mean


def recording_sample(
    calibration: Calibration, m: int, statistic: Statistic | None = None
) -> NormalSample:
    """What the statistic is like on normal recordings of `m` windows."""
    judged = recording_statistic(calibration, m) if statistic is None else statistic
    return sample_of(calibration, m, judged, lambda extension: extension.draws(m, judged))


def sample_of(
    calibration: Calibration,
    m: int,
    statistic: Statistic,
    extend: Callable[[Extension], Values],
) -> NormalSample:
    """Values of a statistic on blocks of `m` windows, one unit's weight a unit.

    Parameters
    ----------
    calibration : Calibration
        Normal windows.
    m : int
        Windows in the recording that is to be judged.
    statistic : callable
        Of blocks ``(..., m)``.
    extend : callable
        Gives values ``(n_short, k)`` for the units that have no recording of `m` windows.
    """
    layout = calibration.layout
    shares = layout.recording_shares(layout.lengths >= m)
    values, weights = [], []
    for which, blocks in layout.blocks(m):
        values.append(statistic(blocks).ravel())
        weights.append(np.repeat(shares[which] / blocks.shape[1], blocks.shape[1]))
    short = np.setdiff1d(np.arange(layout.n_units), layout.units[layout.lengths >= m])
    if len(short):
        extended = extend(Extension.fit(calibration, short))
        values.append(extended.ravel())
        weights.append(np.full(extended.size, 1.0 / extended.shape[1]))
    return NormalSample.of(np.concatenate(values), np.concatenate(weights), layout.n_units)
