"""A model of long normal recordings, where those of the calibration are shorter."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from asd.decision.calibration import Calibration, Numbers

Values = NDArray[np.float64]

DRAWS = 100
"""Simulated recordings for each unit that is too short."""
MOST_WINDOWS = 2000
"""Windows of a simulated recording at most; a share of the highest hardly varies beyond."""
TAIL = 0.1
"""Share of the residuals on which the tail is fitted."""
LEAST_TAIL = 5
"""Residuals in the tail at least."""
DOUBT = 0.25
"""The spread between levels is taken so wide that one as narrow as that seen, or narrower, would
come about with this probability."""
PRIOR = 6.0
"""The spread of a unit's windows is mixed with that common to all as if it had been seen on so many
more windows."""


@dataclass(frozen=True, eq=False)
class Extension:
    r"""Recordings made longer: each has a level and a spread, about which its windows scatter.

    A window of unit :math:`g` scores :math:`c_g + r_g e`.

    - The level :math:`c_g` is the mean of the unit's windows, moved towards the mean of all levels
      until the levels spread as if each were known without error (random-effects model; the
      variance between units is its upper confidence bound by the chi-squared distribution).
    - The spread :math:`r_g` is the standard deviation of the unit's windows, mixed with that of all
      units, since a few windows tell little of it.
    - :math:`e` has one distribution for all units: the difference of a window from the others of
      its unit, in units of their spread. Beyond its highest tenth it goes on as an exponential
      distribution, the limit for tails such as those of the normal and gamma distributions
      (generalised Pareto with shape 0; Coles 2001, chapter 4), with allowance for a scale that is
      known from that tenth only. Windows scatter independently.

    The model is no promise. Leaving a window out of the level and spread that it is compared with
    makes it careful where recordings are short, and the more so the fewer windows they have. Its
    thresholds are too low where a long recording wanders between levels of which short ones have
    one each, and where the tail is much heavier than exponential.
    """

    levels: Values
    """Of the units that are too short, ``(n_short,)``."""
    spreads: Values
    """Of the windows of those units about their level, ``(n_short,)``."""
    residuals: Values
    """In units of the spread, sorted, ``(n,)``; empty where every unit is of one window."""
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
        if not several.any():
            return cls(levels[short], np.zeros(len(short)), np.empty(0), np.sort(layout.scores))
        deviations = layout.scores - levels[unit]
        squares = np.bincount(unit, deviations**2)
        within = float(squares.sum() / (counts - 1).sum())
        spreads = np.sqrt((squares + PRIOR * within) / (counts - 1 + PRIOR))
        inside, deviations = counts[unit[several]], deviations[several]
        # Each against the spread of the others: an outlier would hide in its own.
        others = squares[unit[several]] - deviations**2 * inside / (inside - 1) + PRIOR * within
        safe = np.sqrt(np.maximum(others / (inside - 2 + PRIOR), np.finfo(float).tiny))
        residuals = deviations * inside / (inside - 1) / safe
        levels = _shrunk(levels, within / counts)
        return cls(levels[short], spreads[short], np.sort(residuals), np.sort(layout.scores))

    def draws(self, m: int, statistic: Callable[[Values], Values]) -> Values:
        """`statistic` of simulated recordings of `m` windows, ``(n_short, DRAWS)``."""
        if len(self.residuals) == 0:
            return self.levels[:, None]
        # Always the same draws: one recording gets one p-value.
        uniform = np.random.default_rng(0).random((DRAWS, min(m, MOST_WINDOWS)))
        return self._scaled(statistic(quantiles(self.residuals, uniform)))

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
        return self._scaled(quantiles(self.residuals, uniform))

    def _scaled(self, residuals: Values) -> Values:
        return np.asarray(self.levels[:, None] + self.spreads[:, None] * residuals)


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
    # The mean excess is the scale of an exponential tail. It is known from k values only, and so
    # the next excess, in units of it, has the F(2, 2k) distribution: P(> x) = (1 + x / k)^-k.
    scale = float((ordered[n - k :] - start).mean())
    body = ordered[np.minimum((probabilities * n).astype(np.int64), n - 1)]
    inside = np.minimum(n * (1 - probabilities) / k, 1.0)
    tail = start + scale * k * (inside ** (-1 / k) - 1)
    return np.asarray(np.where(inside < 1.0, tail, np.minimum(body, start)))


def _shrunk(levels: Values, error: Values) -> Values:
    """Move levels towards their mean, until they spread as if they were known without error.

    Parameters
    ----------
    levels : ndarray, shape (g,)
        Means of the windows of each unit.
    error : ndarray, shape (g,)
        Variance of each about the true level.
    """
    free = len(levels) - 1
    if free == 0:
        return levels
    # Quantile of the chi-square distribution.
    upper = float(levels.var(ddof=1)) * free / float(2 * gammaincinv(free / 2, DOUBT))
    between = max(upper - float(error.mean()), 0.0)
    factors = np.sqrt(between / np.maximum(between + error, np.finfo(float).tiny))
    return np.asarray(levels.mean() + (levels - levels.mean()) * factors)
