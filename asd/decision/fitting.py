"""The methods by which thresholds are fitted; `asd.decision.thresholds` describes them."""

import math
from functools import partial

import numpy as np

from asd.decision.calibration import Calibration, UnitName, Values, counted
from asd.decision.pvalues import window_sample
from asd.errors import ConfigError, DetectorError
from asd.language import Remark, tr


def conformal(calibration: Calibration, rate: float) -> tuple[float, float, Remark]:
    """Threshold, the rate that it promises, and a remark where that is not the rate asked for."""
    n, units = len(calibration), calibration.n_units
    # The tolerance undoes rounding: 0.07 * 100 is 7.000000000000001, 0.29 * 100 is below 29.
    allowed = (units + 1) * rate + 1e-9
    if units == n:
        allowed = math.floor(allowed)
    promised, remark = min(rate, allowed / (units + 1)), Remark()
    if allowed < 1:
        promised = 1 / (units + 1)
        remark = Remark.of(partial(_too_few, units, rate, calibration.unit_name))
    sample = window_sample(calibration)
    levels = np.unique(calibration.scores)
    value = float(levels[np.flatnonzero(sample.p_above(levels) <= promised)[0]])
    return value, promised, remark


def _too_few(units: int, rate: float, unit_name: UnitName) -> str:
    return tr(
        "{units} of the calibration cannot promise the false-alarm rate of {rate:.3g} that "
        "was asked for; the lowest they can promise is {promised:.3g}, which is used instead; "
        "{needed} are needed",
        units=counted(units, unit_name),
        rate=rate,
        promised=1 / (units + 1),
        needed=counted(math.ceil(1 / rate - 1e-9) - 1, unit_name),
    )


def gamma_quantile(scores: Values, quantile: float) -> float:
    """Quantile of the gamma distribution that fits best."""
    # Only this method needs it, and loading it takes longer than all others.
    from scipy import stats

    if np.ptp(scores) == 0:
        return float(scores[0])
    with np.errstate(all="ignore"):
        try:
            shape, location, scale = stats.gamma.fit(scores)
            value = float(stats.gamma.ppf(quantile, shape, loc=location, scale=scale))
        except stats.FitError:
            value = math.nan
    if not math.isfinite(value):
        raise DetectorError(
            tr(
                "threshold.method=gamma: no gamma distribution fits the {n} calibration "
                "scores; use threshold.method=conformal",
                n=len(scores),
            )
        )
    return value


def best_f1(normal: Values, anomaly: Values) -> float:
    """The highest of the thresholds with the best F1."""
    if len(anomaly) == 0:
        raise ConfigError(
            tr(
                "threshold.method=best_f1 needs labelled anomalies among the validation "
                "clips and there are none; use threshold.method=conformal"
            )
        )
    levels = np.unique(np.concatenate([normal, anomaly]))
    # Between two levels every threshold decides alike; the middle is as far from both as can be.
    # Below the lowest, all clips are alarms: that too is a candidate.
    candidates = np.concatenate(
        [[np.nextafter(levels[0], -np.inf)], (levels[1:] + levels[:-1]) / 2]
    )
    tp = len(anomaly) - np.searchsorted(np.sort(anomaly), candidates, side="right")
    fp = len(normal) - np.searchsorted(np.sort(normal), candidates, side="right")
    f1 = 2 * tp / (tp + fp + len(anomaly))
    return float(candidates[np.flatnonzero(f1 == f1.max())[-1]])
