"""Conformal p-values from weighted samples of normal values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]

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

    Parameters
    ----------
    values : array_like, shape (n,)
        The statistic.
    weights : array_like, shape (n,)
        Greater than 0.
    n_units : int
        :math:`G`.
    """

    values: Values
    weights: Values
    n_units: int

    def __post_init__(self) -> None:
        order = np.argsort(self.values, kind="stable")
        weights = np.asarray(self.weights, dtype=np.float64)[order]
        at_least = np.append(np.cumsum(weights[::-1])[::-1], 0.0)
        object.__setattr__(self, "values", np.asarray(self.values, dtype=np.float64)[order])
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "_at_least", np.round(at_least, _DECIMALS))

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

    def _p(self, new: ArrayLike, side: str) -> Values:
        at_least: Values = self._at_least  # type: ignore[attr-defined]
        places = np.searchsorted(self.values, np.asarray(new, dtype=np.float64), side=side)  # type: ignore[call-overload]
        return np.asarray((1 + at_least[places]) / (1 + self.n_units), dtype=np.float64)
