"""A model of long normal recordings, where those of the calibration are shorter."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from asd.decision.calibration import Calibration, Numbers

Values = NDArray[np.float64]

DRAWS = 100
"""Simulated recordings for each unit that is too short."""
TAIL = 0.1
"""Share of the residuals on which the tail is fitted."""
LEAST_TAIL = 5
"""Residuals in the tail at least."""


@dataclass(frozen=True, eq=False)
class Extension:
    r"""Recordings made longer: a level of their own, and windows that scatter about it.

    A window of unit :math:`g` scores :math:`c_g + e`. The level :math:`c_g` is the mean of the
    unit's windows; :math:`e` has one distribution for all units, that of the windows less the mean
    of the others in their unit, and windows scatter independently. Beyond its highest tenth the
    distribution goes on as an exponential one, the limit for all tails that fall off as those of
    the normal, gamma and exponential distributions do (generalised Pareto with shape 0; Coles
    2001, chapter 4).

    The model is not a promise. It holds too high a threshold where windows in a row are alike, and
    too low a one where a long recording wanders between levels that short ones have one each, or
    where the tail is heavier than exponential.
    """

    levels: Values
    """Of the units that are too short, ``(n_short,)``."""
    residuals: Values
    """Sorted, ``(n,)``; empty where every unit is of one window."""
    pooled: Values
    """All windows, sorted: what stands in where there are no residuals."""

    @classmethod
    def fit(cls, calibration: Calibration, short: Numbers) -> Self:
        """Take levels of the units `short` and residuals of all."""
        layout = calibration.layout
        unit = np.repeat(layout.units, layout.lengths)
        counts = np.bincount(unit)
        levels = np.bincount(unit, layout.scores) / counts
        several = counts[unit] > 1
        inside = counts[unit[several]]
        residuals = (layout.scores[several] - levels[unit[several]]) * inside / (inside - 1)
        return cls(levels[short], np.sort(residuals), np.sort(layout.scores))

    def draws(self, m: int, statistic: Callable[[Values], Values]) -> Values:
        """`statistic` of simulated recordings of `m` windows, ``(n_short, DRAWS)``."""
        if len(self.residuals) == 0:
            return self.levels[:, None]
        # Always the same draws: one recording gets one p-value.
        uniform = np.random.default_rng(0).random((DRAWS, m))
        return np.asarray(self.levels[:, None] + statistic(quantiles(self.residuals, uniform)))

    def maxima(self, m: int) -> Values:
        """Highest score of simulated recordings of `m` windows, ``(n_short, DRAWS)``.

        Without residuals, all windows count as independent: the highest of windows that share a
        level is lower (Slepian 1962).
        """
        # If U is uniform, U**(1/m) is distributed as the highest of m uniform values.
        uniform = ((np.arange(DRAWS) + 0.5) / DRAWS) ** (1 / m)
        if len(self.residuals) == 0:
            highest = quantiles(self.pooled, uniform)
            return np.broadcast_to(highest, (len(self.levels), DRAWS))
        return np.asarray(self.levels[:, None] + quantiles(self.residuals, uniform))


def quantiles(ordered: Values, probabilities: Values) -> Values:
    """Quantiles of a sample with an exponential upper tail.

    Parameters
    ----------
    ordered : ndarray, shape (n,)
        The sample, sorted.
    probabilities : ndarray, any shape
        In [0, 1).
    """
    n = len(ordered)
    k = min(max(LEAST_TAIL, round(TAIL * n)), n - 1)
    if k == 0:
        return np.full_like(probabilities, ordered[0])
    start = ordered[n - k - 1]
    # Mean excess: the maximum-likelihood scale of an exponential tail.
    scale = float((ordered[n - k :] - start).mean())
    body = ordered[np.minimum((probabilities * n).astype(np.int64), n - 1)]
    inside = np.minimum(n * (1 - probabilities) / k, 1.0)
    tail = start - scale * np.log(inside)
    return np.asarray(np.where(inside < 1.0, tail, np.minimum(body, start)))
