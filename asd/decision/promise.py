"""What recordings at hand can promise, and how many more would promise what is wanted."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from asd.decision.calibration import UnitName, counted
from asd.errors import ConfigError
from asd.language import tr

DAY_S = 86400.0
WEEK_S = 7 * DAY_S


@dataclass(frozen=True)
class Promise:
    """False alarms that calibration recordings can promise, at best and at the rate used."""

    n_units: int
    """Calibration recordings, or sessions."""
    lowest_rate: float
    """Lowest false-alarm rate they can promise, ``1 / (n_units + 1)``."""
    alarms_per_day: float
    """False alarms in 24 h of listening without pause, at the lowest rate."""
    alarms_per_week: float
    """The same in seven days."""
    more_for_one_a_day: int
    """How many more recordings would promise one false alarm a day."""
    more_for_one_a_week: int
    """How many more recordings would promise one false alarm a week."""
    line: str
    """All this as a sentence."""

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, fit for JSON."""
        return asdict(self)


def promise(
    n_units: int,
    decision_s: float,
    unit_name: UnitName = "recordings",
    unit_s: float | None = None,
) -> Promise:
    """What `n_units` recordings promise to who decides once every `decision_s` seconds.

    A rate below ``1 / (n + 1)`` cannot be promised by n recordings, whatever the detector: the next
    normal recording is the loudest of n + 1 with that probability.

    Parameters
    ----------
    n_units : int
        Calibration recordings, or sessions where those are known; at least 0.
    decision_s : float
        Length of what gets one verdict: a window, or a recording, in seconds.
    unit_name : {"sessions", "recordings", "clips"}
        What the units are called.
    unit_s : float, optional
        Typical length of a unit in seconds: tells how many hours more to record.

    Raises
    ------
    ConfigError
        `n_units` is negative, or `decision_s` is not greater than 0.

    Examples
    --------
    >>> told = promise(12, 600, unit_s=20)
    >>> round(told.lowest_rate, 3), round(told.alarms_per_day, 1), told.more_for_one_a_day
    (0.077, 11.1, 131)
    >>> told.line  # doctest: +NORMALIZE_WHITESPACE
    '12 recordings of 20 s can promise 1 false alarm in 13 decisions at best: 11.1 a day with one
    decision every 600 s; 131 more (0.73 h) would promise one a day, 995 more (5.5 h) one a week'
    """
    if n_units < 0 or decision_s <= 0:
        raise ConfigError(
            tr(
                "n_units={n_units}, decision_s={decision_s}: recordings cannot be "
                "negative and a decision takes time; count the calibration "
                "recordings and give seconds above 0",
                n_units=n_units,
                decision_s=decision_s,
            )
        )
    lowest = 1 / (n_units + 1)
    day = lowest * DAY_S / decision_s
    more_day, more_week = (_more(n_units, decision_s, period) for period in (DAY_S, WEEK_S))
    line = tr(
        "{units}{length} can promise 1 false alarm in {decisions} decisions at best: {a_day} a "
        "day with one decision every {every:.3g} s",
        units=counted(n_units, unit_name),
        length="" if unit_s is None else tr(" of {seconds:.3g} s", seconds=unit_s),
        decisions=n_units + 1,
        a_day=_short(day),
        every=decision_s,
    )
    if more_week == 0:
        line += tr(", at most one a week")
    else:
        line += tr(
            "; {for_day} would promise one a day, {for_week} one a week",
            for_day=_told(more_day, unit_s),
            for_week=_told(more_week, unit_s),
        )
    return Promise(n_units, lowest, day, 7 * day, more_day, more_week, line)


def _more(n_units: int, decision_s: float, period_s: float) -> int:
    """Units that lack for one alarm in `period_s`."""
    return max(0, math.ceil(period_s / decision_s - 1e-9) - 1 - n_units)


def _told(more: int, unit_s: float | None) -> str:
    hours = "" if unit_s is None else tr(" ({hours} h)", hours=_short(more * unit_s / 3600))
    return tr("{more:,} more{hours}", more=more, hours=hours)


def _short(value: float) -> str:
    """Two or three digits below 100, whole numbers above."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}" if value < 10 else f"{value:.3g}"
