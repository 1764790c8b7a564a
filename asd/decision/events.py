"""Short faults in long recordings."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asd.decision.calibration import Calibration
from asd.decision.pvalues import NormalSample
from asd.decision.recording import sample_of

Values = NDArray[np.float64]

GAP = 1
"""Windows below the threshold inside of an event, at most, in a row."""


@dataclass(frozen=True)
class Event:
    """A part of a recording that sounds anomalous, told from the whole time listened to."""

    start_s: float
    end_s: float
    peak_s: float
    """Start of the window with the highest score, in seconds."""
    peak_score: float
    p_value: float | None
    """Probability that a normal recording of this length has a window that reaches the peak
    score; None where there is no calibration."""
    expected_by_chance: float | None
    """Expected number of events with such a peak in a normal recording of this length."""

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, fit for JSON."""
        return asdict(self)


def peak_sample(calibration: Calibration, m: int) -> NormalSample:
    """What the highest score of normal recordings of `m` windows is like."""
    return sample_of(calibration, m, _highest, lambda extension: extension.maxima(m))


def expected_by_chance(p_value: float) -> float:
    r"""Expected number of events, if they come at random, where one at least has `p_value`.

    The Poisson distribution has :math:`1 - e^{-\lambda} = p`; no more than 1e3 is told.
    """
    return float(min(-np.log1p(-min(p_value, 1 - 1e-12)), 1e3))


def runs(above: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """First and last place of each run of True, with runs merged that lie `GAP` places apart.

    Examples
    --------
    >>> list(runs(np.array([True, False, True, False, False, True])))
    [(0, 2), (5, 5)]
    """
    places = np.flatnonzero(above)
    if len(places) == 0:
        return
    breaks = np.flatnonzero(np.diff(places) > GAP + 1)
    firsts, lasts = np.append(0, breaks + 1), np.append(breaks, len(places) - 1)
    yield from zip(places[firsts].tolist(), places[lasts].tolist(), strict=True)


def _highest(blocks: Values) -> Values:
    return np.asarray(blocks.max(axis=-1))
