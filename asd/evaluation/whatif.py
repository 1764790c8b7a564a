"""What another threshold would find, and how often it would alarm falsely."""

from dataclasses import dataclass

from asd.config.threshold import ThresholdConfig
from asd.decision.calibration import Calibration
from asd.decision.thresholds import alarms_per_day, fit_calibrated
from asd.evaluation.table import ScoreTable
from asd.language import tr
from asd.text import markdown_table

RATES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
COLUMNS = (
    "promised",
    "threshold",
    "false_alarms_a_day",
    "test_false_alarm_rate",
    "test_recall",
)


@dataclass(frozen=True)
class WhatIf:
    """One threshold and what it comes to."""

    promised: float | None
    """False-alarm rate that it promises; None for a threshold given as a number."""
    threshold: float
    false_alarms_a_day: float | None
    """Promised, for one decision a clip without pause."""
    test_false_alarm_rate: float | None
    """Share of the normal test clips above it; None without such clips."""
    test_recall: float | None
    """Share of the anomalous test clips above it; None without such clips."""


def what_if(
    calibration: Calibration,
    table: ScoreTable,
    clip_seconds: float,
    rate: float | None = None,
    value: float | None = None,
) -> list[WhatIf]:
    """Thresholds for the usual false-alarm rates, and for the one that is asked for.

    Rates below what the calibration can promise are left out, but for the lowest it can.

    Parameters
    ----------
    calibration : Calibration
        Scores of normal clips that the detector had not seen.
    table : ScoreTable
        Scored test clips.
    clip_seconds : float
        Seconds from one decision to the next.
    rate : float, optional
        The rate asked for, in (0, 1).
    value : float, optional
        A threshold to look at besides.
    """
    rows = []
    lowest = 1 / (calibration.n_units + 1) if len(calibration) else 1.0
    wanted = {max(one, lowest) for one in (*RATES, *([rate] if rate else []))}
    for one in sorted(wanted) if len(calibration) else []:
        config = ThresholdConfig(method="conformal", false_alarm_rate=min(one, 0.999))
        fitted = fit_calibrated(config, calibration)
        promised = fitted.promised_rate
        a_day = None if promised is None else alarms_per_day(promised, clip_seconds)
        rows.append(_row(promised, fitted.value, a_day, table))
    if value is not None:
        rows.append(_row(None, value, None, table))
    return rows


def markdown(rows: list[WhatIf]) -> list[str]:
    """The table for people."""
    columns = [
        tr("promised"),
        tr("threshold"),
        tr("promised a day"),
        tr("on the test side"),
        tr("found"),
    ]
    cells = [
        [
            tr("none") if row.promised is None else f"{row.promised:.2%}",
            f"{row.threshold:.5g}",
            "-" if row.false_alarms_a_day is None else f"{row.false_alarms_a_day:,.0f}",
            _share(row.test_false_alarm_rate),
            _share(row.test_recall),
        ]
        for row in rows
    ]
    return markdown_table(columns, cells, "r" * len(columns))


def _row(promised: float | None, value: float, a_day: float | None, table: ScoreTable) -> WhatIf:
    above = table.scores > value
    wrong = float(above[table.normal].mean()) if table.normal.any() else None
    found = float(above[table.anomalous].mean()) if table.anomalous.any() else None
    return WhatIf(promised, value, a_day, wrong, found)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
