"""Metrics of a scored test set, overall and by group.

What is not defined, because a class is missing, is left out with a warning: there is no made-up
0 or 0.5.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from asd.decision.thresholds import alarms_per_day, binomial_interval
from asd.evaluation.metric_table import METRICS, Counts
from asd.evaluation.ranking import roc_auc
from asd.evaluation.table import GroupBy, ScoreTable
from asd.language import tr

Values = NDArray[np.float64]

MAX_FPR = 0.1
MAX_KEY_LENGTH = 250
"""MLflow refuses longer names."""

PROMISED = (0.01, 0.05, 0.10)
"""False-alarm rates at which it is told what would be found."""
LOGGED_PER_GROUP = ("auc", "recall", "false_alarm_rate")

logger = logging.getLogger(__name__)


def metrics(table: ScoreTable, max_fpr: float = MAX_FPR) -> dict[str, float]:
    """All metrics of a test set; clips labelled `unknown` take no part.

    Parameters
    ----------
    table : ScoreTable
        The scored clips.
    max_fpr : float
        The false-positive rate in (0, 1] up to which `pauc` counts.

    Returns
    -------
    dict
        Ranking: `auc`; `pauc`, standardised after McClish (1989) to 0.5 for chance and 1 for
        perfect; `average_precision`. Decision at the threshold: `tp`, `fp`, `tn`, `fn`,
        `precision`, `recall`, `f1`, `false_alarm_rate` and its 95 % interval over recordings
        `false_alarm_rate_low`, `_high` (see `alarm_interval`); `alarms_per_day`, the false
        alarms of a healthy machine listened to without pause, in clips of the median length. Also
        `threshold`, `n_normal`, `n_anomaly`. Those that are not defined are absent.
    """
    normal, anomalous = table.normal, table.anomalous
    n_normal, n_anomaly = int(normal.sum()), int(anomalous.sum())
    tp = int((table.is_anomaly & anomalous).sum())
    fp = int((table.is_anomaly & normal).sum())
    counts = Counts(tp, fp, n_normal - fp, n_anomaly - tp)
    both = bool(n_normal and n_anomaly)
    figures: dict[str, float] = {}
    for metric in METRICS.values():
        value = None
        if metric.decide is not None:
            value = metric.decide(counts)
        elif metric.rank is not None and both:
            known = normal | anomalous
            truth, scores = anomalous[known], table.scores[known]
            value = metric.rank(truth, scores, np.ones(len(scores)), max_fpr)
        if value is not None:
            figures[metric.name] = value
    figures |= {"threshold": table.threshold, "n_normal": n_normal, "n_anomaly": n_anomaly}
    figures |= asdict(counts)
    if n_normal:
        seconds = float(np.median([clip.duration_s for clip in table.clips]))
        figures |= _false_alarms(table, normal)
        figures["alarms_per_day"] = alarms_per_day(figures["false_alarm_rate"], seconds)
    return figures


def warn_of_absent(table: ScoreTable) -> None:
    """Say which metrics of a test set are not defined, and why."""
    if not table.normal.any():
        logger.warning(tr("no normal clips: auc, pauc and the false-alarm rate are not defined"))
    if not table.anomalous.any():
        logger.warning(tr("no labelled anomalies: auc, pauc, precision and recall are not defined"))
    elif not table.is_anomaly[table.normal | table.anomalous].any():
        logger.warning(tr("no clip is above the threshold: precision is not defined"))


def at_promise(
    table: ScoreTable, lowest_rate: float, promised: Sequence[float] = PROMISED
) -> dict[str, float]:
    """What is found, and what alarms falsely, if another false-alarm rate were promised.

    Parameters
    ----------
    table : ScoreTable
        The scored clips, with p-values.
    lowest_rate : float
        The lowest false-alarm rate that the calibration can promise; below it nothing is defined.
    promised : sequence of float
        The rates, in (0, 1).

    Returns
    -------
    dict
        ``recall_at_<percent>pct`` and ``false_alarm_rate_at_<percent>pct`` of each rate that can
        be promised.
    """
    figures: dict[str, float] = {}
    if table.p_values is None:
        return figures
    for rate in promised:
        if rate < lowest_rate - 1e-9:
            continue
        alarms = table.p_values <= rate + 1e-9
        for name, members in (("recall", table.anomalous), ("false_alarm_rate", table.normal)):
            if members.any():
                figures[f"{name}_at_{rate * 100:g}pct"] = float(alarms[members].mean())
    return figures


def auc(normal: Values, anomalous: Values, max_fpr: float | None = None) -> float:
    """Area under the ROC curve, up to `max_fpr` standardised after McClish (1989).

    Parameters
    ----------
    normal, anomalous : ndarray, shape (n,), (m,)
        Scores of either class; neither may be empty.
    max_fpr : float, optional
        In (0, 1]; the whole curve where not given.

    Returns
    -------
    float
        In [0, 1]; 0.5 is chance.
    """
    truth = np.concatenate([np.zeros(len(normal)), np.ones(len(anomalous))])
    return roc_auc(truth, np.concatenate([normal, anomalous]), max_fpr=max_fpr)


def alarm_interval(table: ScoreTable) -> tuple[float, float]:
    """The 95 % interval of the share of alarms in new recordings like those of the table.

    Recordings are the units, since clips of one recording are alike: the Clopper-Pearson interval
    of the sum of the recordings' own rates among their number. Clips of one recording only count
    one by one, and the interval is then too narrow.

    Parameters
    ----------
    table : ScoreTable
        At least one clip.

    Returns
    -------
    low, high : float
        In [0, 1].
    """
    names = [clip.recording for clip in table.clips]
    units = names if len(set(names)) > 1 else [clip.path for clip in table.clips]
    _, unit = np.unique(units, return_inverse=True)
    rates = np.bincount(unit, weights=table.is_anomaly) / np.bincount(unit)
    return binomial_interval(float(rates.sum()), len(rates))


def grouped(table: ScoreTable, by: GroupBy = "condition") -> dict[str, dict[str, float]]:
    """Metrics of each condition, domain, machine or pitch.

    Parameters
    ----------
    table : ScoreTable
        The scored clips.
    by : {"condition", "domain", "machine", "pitch"}
        What the clips of a group share.

    Returns
    -------
    dict of dict
        Group name to metrics; empty when there is one group only. Groups with normal clips have
        `false_alarm_rate` and its interval (`_low`, `_high`), groups with anomalies `recall`. The
        `auc` is that of the group's anomalies against, by condition, all normal clips; by machine,
        the machine's own; by pitch, those of the same pitch, or all where it has none. By domain
        it is that of the domain's normal clips against all anomalies (as DCASE defines it).
    """
    groups = table.groups(by)
    if len(groups) < 2:
        return {}
    result = {}
    for name, members in groups.items():
        normal, anomalous = table.normal & members, table.anomalous & members
        figures: dict[str, float] = {}
        negatives, positives = _contrast(table, by, normal, anomalous)
        if negatives.any() and positives.any():
            figures["auc"] = auc(table.scores[negatives], table.scores[positives])
        if anomalous.any():
            figures["recall"] = float(table.is_anomaly[anomalous].mean())
        if normal.any():
            figures |= _false_alarms(table, normal)
        if figures:
            result[name] = figures
    return result


def flat_groups(groups: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Metrics by group under the names they are logged by, as ``auc.<condition>``.

    Names that MLflow would take for one (because of characters it does not allow) get a number.
    """
    flat: dict[str, float] = {}
    taken: set[str] = set()
    for name, figures in groups.items():
        key, number = metric_key(name), 2
        while key in taken:
            key, number = f"{metric_key(name)}_{number}", number + 1
        taken.add(key)
        flat |= {f"{m}.{key}": figures[m] for m in LOGGED_PER_GROUP if m in figures}
    return flat


def metric_key(name: str) -> str:
    """`name` as MLflow accepts it in a metric's name on every platform.

    Letters and digits of any script, ``_``, ``-``, ``.`` and spaces stay, a plus sign goes, and
    all else becomes ``_``.

    Examples
    --------
    >>> metric_key("炎の音 (+3 dB): 強")
    '炎の音 _3 dB__ 強'
    """
    # Room is left for the metric's own name in front and for a number behind.
    return re.sub(r"[^\w.\- ]", "_", name.replace("+", ""))[: MAX_KEY_LENGTH - 50]


def _contrast(
    table: ScoreTable, by: GroupBy, normal: NDArray[np.bool_], anomalous: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The normal and the anomalous clips that a group's AUC compares."""
    if by == "domain":
        return normal, table.anomalous
    if by == "condition" or (by == "pitch" and not normal.any()):
        return table.normal, anomalous
    return normal, anomalous


def _false_alarms(table: ScoreTable, normal: NDArray[np.bool_]) -> dict[str, float]:
    low, high = alarm_interval(table.select(normal))
    return {
        "false_alarm_rate": float(table.is_anomaly[normal].mean()),
        "false_alarm_rate_low": low,
        "false_alarm_rate_high": high,
    }
