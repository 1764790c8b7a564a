"""Conformal p-values from weighted samples of normal values."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from asd.decision.calibration import Calibration, Values

_DECIMALS = 9
"""Sums of shares are rounded so: thirds add up to 1, and equal p-values compare equal."""


@dataclass(frozen=True, eq=False)
class NormalSample:
    r"""What a statistic is like on normal sound: values whose weights add up to 1 a unit.

    The p-value of a new value :math:`t` is

    .. math:: p(t) = \frac{1}{G + 1} \Big(1 + \sum_i w_i [v_i \ge t]\Big)

    with :math:`G` units. Where the new unit and those of the calibration are exchangeable and a
    unit's values are drawn as the new one's is, :math:`P(p \le \alpha) \le \alpha` for every
    :math:`\alpha` (hierarchical conformal prediction: Lee, Barber and Willett 2023; Dunn,
    Wasserman and Ramdas 2022).

    Make one with `of`, which sorts it.
    """

    values: Values
    """The statistic, sorted, ``(n,)``."""
    weights: Values
    """Of each value, ``(n,)``."""
    n_units: int
    """:math:`G`."""

    @classmethod
    def of(cls, values: Values, weights: Values, n_units: int) -> Self:
        """A sample from values in any order, with weights greater than 0, ``(n,)`` each."""
        order = np.argsort(values, kind="stable")
        return cls(values[order], weights[order], n_units)

    @cached_property
    def at_least(self) -> Values:
        """Sum of the weights from each place on to the end, ``(n + 1,)``."""
        sums = np.append(np.cumsum(self.weights[::-1])[::-1], 0.0)
        return np.asarray(np.round(sums, _DECIMALS))

    def p_values(self, new: ArrayLike) -> Values:
        """P-value of each of `new`, ``(m,)`` in [1 / (G + 1), 1]."""
        return self._p(new, "left")

    def p_above(self, new: ArrayLike) -> Values:
        """P-value of what is just above each of `new`, ``(m,)``."""
        return self._p(new, "right")

    def p_at_or_below(self, new: float) -> float:
        """P-value of the greatest value that is not above `new`; 1 where there is none."""
        place = int(np.searchsorted(self.values, new, side="right"))
        return float(self.p_values([self.values[place - 1]])[0]) if place else 1.0

    def _p(self, new: ArrayLike, side: Literal["left", "right"]) -> Values:
        places = np.searchsorted(self.values, np.asarray(new, dtype=np.float64), side=side)
        return np.asarray((1 + self.at_least[places]) / (1 + self.n_units), dtype=np.float64)


def window_sample(calibration: Calibration) -> NormalSample:
    """What the score of a single window is like."""
    return NormalSample.of(calibration.scores, calibration.shares, calibration.n_units)
