"""How sure a metric is: bootstrap over recordings."""

import logging
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from asd.errors import ConfigError, DataError
from asd.evaluation.metric_table import METRICS, metric_named, weighted_auc
from asd.evaluation.metrics import MAX_FPR
from asd.evaluation.table import ScoreTable
from asd.language import tr

Values = NDArray[np.float64]

logger = logging.getLogger(__name__)


def auc_interval(
    table: ScoreTable, seed: int, n: int = 1000, confidence: float = 0.95
) -> tuple[float, float]:
    """Bootstrap interval of the AUC.

    Whole recordings are drawn with replacement, among the normal and the anomalous clips apart:
    clips of one recording are not independent. Where a class has one recording only, its clips
    are drawn instead, and the interval is then too narrow (a warning says so).

    Parameters
    ----------
    table : ScoreTable
        The scored clips.
    seed : int
        Of the draws.
    n : int
        How many draws.
    confidence : float
        In (0, 1).

    Returns
    -------
    low, high : float
        Percentile interval, in [0, 1].

    Raises
    ------
    DataError
        The table lacks normal or anomalous clips.
    """
    truth, scores = _labelled(table)
    draws = [weighted_auc(truth, scores, weights) for weights in _draws(table, seed, n)]
    return _percentiles(draws, confidence)


def paired_bootstrap(
    table_a: ScoreTable,
    table_b: ScoreTable,
    metric: str = "auc",
    seed: int = 0,
    n: int = 1000,
    confidence: float = 0.95,
    max_fpr: float = MAX_FPR,
) -> tuple[float, float, float]:
    """How much better `table_a` is than `table_b`, on the same draws of the same clips.

    Parameters
    ----------
    table_a, table_b : ScoreTable
        Two detectors' scores of the same clips.
    metric : {"auc", "pauc", "average_precision"}
        What to compare.
    seed, n, confidence
        As in `auc_interval`; so is the way of drawing.
    max_fpr : float
        The false-positive rate in (0, 1] up to which `pauc` counts.

    Returns
    -------
    difference, low, high : float
        The metric of `table_a` minus that of `table_b`, and its percentile interval. An interval
        that holds 0 means that the clips do not tell which is better.

    Raises
    ------
    ConfigError
        The metric is not known.
    DataError
        The tables are not of the same clips, or lack normal or anomalous ones.
    """
    measure = metric_named(metric).rank
    if measure is None:
        ranked = ", ".join(name for name, entry in METRICS.items() if entry.rank)
        raise ConfigError(
            tr(
                "metric={metric!r}: cannot be resampled; those that can are {ranked}",
                metric=metric,
                ranked=ranked,
            )
        )
    if [clip.sha256 for clip in table_a.clips] != [clip.sha256 for clip in table_b.clips]:
        raise DataError(
            tr("the two tables do not hold the same clips; score both on the same data")
        )
    truth, scores_a = _labelled(table_a)
    _, scores_b = _labelled(table_b)

    def difference(weights: Values) -> float:
        better = measure(truth, scores_a, weights, max_fpr)
        return better - measure(truth, scores_b, weights, max_fpr)

    draws = [difference(weights) for weights in _draws(table_a, seed, n)]
    return difference(np.ones(len(truth))), *_percentiles(draws, confidence)


def _labelled(table: ScoreTable) -> tuple[NDArray[np.bool_], Values]:
    known = table.normal | table.anomalous
    return table.anomalous[known], table.scores[known]


def _draws(table: ScoreTable, seed: int, n: int) -> Iterator[Values]:
    """Weights of the labelled clips: how often each was drawn."""
    rng = np.random.default_rng(seed)
    labelled = table.select(table.normal | table.anomalous)
    strata = []
    classes = ((tr("normal"), labelled.normal), (tr("anomalous"), labelled.anomalous))
    for label, members in classes:
        rows = np.flatnonzero(members)
        if len(rows) == 0:
            raise DataError(
                tr("no {label} clips in the test set; an interval needs both classes", label=label)
            )
        _, unit = np.unique([labelled.clips[row].recording for row in rows], return_inverse=True)
        if unit.max() == 0:
            logger.warning(
                tr(
                    "all {label} clips are of one recording: the interval is too narrow",
                    label=label,
                )
            )
            unit = np.arange(len(rows))
        strata.append((rows, unit))
    for _ in range(n):
        weights = np.zeros(len(labelled))
        for rows, unit in strata:
            size = int(unit.max()) + 1
            weights[rows] = np.bincount(rng.integers(size, size=size), minlength=size)[unit]
        yield weights


def _percentiles(draws: list[float], confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)
