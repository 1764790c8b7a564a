"""Thresholds fitted on held-out scores of normal clips, and what they promise.

A clip raises an alarm when its score is greater than the threshold. Nothing here may see scores
of clips that the detector was trained on (they are too low) or of test clips (that is a leak).
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

from asd.config import ThresholdConfig
from asd.decision.calibration import Calibration, Values, finite
from asd.decision.fitting import best_f1, conformal, gamma_quantile
from asd.decision.pvalues import window_sample
from asd.errors import NotEnoughClipsError
from asd.language import Remark, tr

SECONDS_PER_DAY = 86400.0


@dataclass(frozen=True)
class Threshold:
    """A fitted threshold and where it comes from."""

    value: float
    """An alarm is raised by scores greater than this."""
    method: str
    """How it was fitted: a ``threshold.method``."""
    promised_rate: float | None
    """The false-alarm rate in [0, 1] that it promises; None where it promises none."""
    asked_rate: float | None
    """The false-alarm rate that was asked for; None where the method has no such notion."""
    n_calibration: int
    """Normal clips it was fitted on."""
    remark: Remark = field(default_factory=Remark)
    """What the user should know about it, one sentence."""

    @property
    def note(self) -> str:
        """The remark in the language of the moment; empty for nothing."""
        return str(self.remark)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, fit for JSON."""
        values = asdict(self)
        return values | {"note": values.pop("remark")["words"]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Take back what `to_dict` gave; a `ValueError` where the threshold is no number."""
        others = dict(values)
        threshold = cls(remark=Remark.kept(others.pop("note")), **others)
        if not math.isfinite(threshold.value):
            raise ValueError(f"its threshold is {threshold.value}")
        return threshold


def fit_threshold(
    config: ThresholdConfig,
    normal_scores: ArrayLike,
    anomaly_scores: ArrayLike | None = None,
    recordings: ArrayLike | None = None,
) -> Threshold:
    r"""Fit the threshold as `config` says.

    Parameters
    ----------
    config : ThresholdConfig
        The method and its parameters.
    normal_scores : array_like, shape (n,)
        Scores of normal clips that the detector was not trained on.
    anomaly_scores : array_like, shape (m,), optional
        Scores of labelled anomalies; used by ``best_f1`` alone.
    recordings : array_like, shape (n,), optional
        Which recording each normal clip is of; used by ``conformal`` alone. Where not given, each
        clip counts as a recording of its own.

    Returns
    -------
    Threshold
        Its value is in the unit of the scores.

    Raises
    ------
    ConfigError
        ``best_f1`` was asked for without labelled anomalies.
    NotEnoughClipsError
        There is no normal score to calibrate on.
    DetectorError
        A score is NaN or infinite, or no gamma distribution fits.

    Notes
    -----
    ``conformal`` is split-conformal (Vovk, Gammerman and Shafer 2005, chapter 4; for anomaly
    detection Laxhammar and Falkman 2011), with recordings as the units that are exchangeable:
    clips of one recording are alike, and ten of them say little more than one. Each of the
    :math:`G` recordings weighs the same, and its :math:`N_g` clips share its weight (hierarchical
    conformal prediction: Lee, Barber and Willett 2023; Dunn, Wasserman and Ramdas 2022). The
    threshold is the smallest score :math:`t` with

    .. math:: \frac{1}{G + 1} \Big(1 + \sum_g \frac{\#\{i : c_{gi} > t\}}{N_g}\Big) \le \alpha .

    When a new normal recording and those of the calibration are exchangeable, then for any
    detector and any distribution a clip drawn from the new one raises an alarm with probability
    :math:`\alpha` at most. With one clip a recording this is the
    :math:`\lceil (n + 1)(1 - \alpha) \rceil`-th smallest score, and ``promised_rate`` is
    :math:`\lfloor (n + 1) \alpha \rfloor / (n + 1)`; otherwise it is :math:`\alpha`. The
    probability is over calibration and new clip together. Below :math:`1 / (G + 1)` nothing can be
    promised: then the greatest score is the threshold, ``promised_rate`` is
    :math:`1 / (G + 1)`, and ``note`` says so.

    ``gamma`` is the rule of the DCASE Task 2 baselines: maximum likelihood fit of a gamma
    distribution with free location, and its quantile. ``mean_std`` uses the population standard
    deviation. ``best_f1`` takes the highest of the thresholds with the best F1.
    """
    calibration = Calibration.of(normal_scores, recordings)
    return fit_calibrated(config, calibration, anomaly_scores)


def fit_calibrated(
    config: ThresholdConfig, calibration: Calibration, anomaly_scores: ArrayLike | None = None
) -> Threshold:
    """Fit the threshold as `fit_threshold` does, with the sessions of a calibration as units.

    Parameters
    ----------
    config : ThresholdConfig
        The method and its parameters.
    calibration : Calibration
        Held-out normal windows.
    anomaly_scores : array_like, shape (m,), optional
        Scores of labelled anomalies; used by ``best_f1`` alone.

    Raises
    ------
    ConfigError, NotEnoughClipsError, DetectorError
        As `fit_threshold` does.
    """
    scores = calibration.scores
    if config.method == "fixed":
        assert config.value is not None  # nosec B101 # the config has checked it
        return Threshold(float(config.value), "fixed", None, None, len(scores))
    if len(scores) == 0:
        raise NotEnoughClipsError(
            tr(
                "threshold.method={method}: no held-out normal clip to calibrate on; "
                "give the valid side of the split more clips, or use "
                "threshold.method=fixed",
                method=config.method,
            )
        )
    if config.method == "conformal":
        rate = config.false_alarm_rate
        value, promised, remark = conformal(calibration, rate)
        return Threshold(value, "conformal", promised, rate, len(scores), remark)
    asked = None
    if config.method == "mean_std":
        value = float(scores.mean() + config.k * scores.std())
    elif config.method == "quantile":
        value, asked = float(np.quantile(scores, config.quantile)), 1 - config.quantile
    elif config.method == "gamma":
        value, asked = gamma_quantile(scores, config.quantile), 1 - config.quantile
    else:
        value = best_f1(scores, finite([] if anomaly_scores is None else anomaly_scores))
    return Threshold(value, config.method, None, asked, len(scores))


def p_values(
    calibration: ArrayLike, scores: ArrayLike, recordings: ArrayLike | None = None
) -> Values:
    r"""Conformal p-value of each score: how usual it is among normal clips.

    :math:`p = (1 + \sum_g \#\{i : c_{gi} \ge s\} / N_g) / (G + 1)`, in the words of
    `fit_threshold`. For a clip of a normal recording that is exchangeable with those of the
    calibration, :math:`P(p \le \alpha) \le \alpha` for every :math:`\alpha`. A score is above the
    conformal threshold exactly when its p-value is at most the rate promised.

    Parameters
    ----------
    calibration : array_like, shape (n,)
        Scores of normal clips that the detector was not trained on.
    scores : array_like, shape (m,)
        Scores to judge.
    recordings : array_like, shape (n,), optional
        Which recording each calibration clip is of; each one of its own where not given.

    Returns
    -------
    ndarray, shape (m,)
        In [1 / (G + 1), 1]; small is anomalous.

    Raises
    ------
    DetectorError
        A score is NaN or infinite.
    """
    known = Calibration.of(calibration, recordings)
    return window_sample(known).p_values(finite(scores))


def binomial_interval(k: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a rate of which `k` out of `n` were seen.

    Exact for independent trials that come out as 0 or 1. `k` may also be the sum of `n`
    independent shares: no shares in [0, 1] with a given mean spread more than those that are 0 or
    1, which are what the interval is made for.

    Parameters
    ----------
    k : float
        Events seen, or sum of shares, ``0 <= k <= n``.
    n : int
        Trials, above 0.
    confidence : float
        In (0, 1).

    Returns
    -------
    low, high : float
        In [0, 1].

    Examples
    --------
    >>> low, high = binomial_interval(0, 10)
    >>> round(low, 3), round(high, 3)
    (0.0, 0.308)
    """
    tail = (1 - confidence) / 2
    low = betaincinv(k, n - k + 1, tail) if k > 0 else 0.0
    high = betaincinv(k + 1, n - k, 1 - tail) if k < n else 1.0
    return float(low), float(high)


def alarms_per_day(rate: float, clip_seconds: float) -> float:
    """Alarms in 24 h of listening without pause, one decision a clip.

    Parameters
    ----------
    rate : float
        Share of clips that raise an alarm, in [0, 1].
    clip_seconds : float
        Length of a clip in seconds.

    Examples
    --------
    >>> alarms_per_day(0.05, 10)
    432.0
    """
    return rate * SECONDS_PER_DAY / clip_seconds
