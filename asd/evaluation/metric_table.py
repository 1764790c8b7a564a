"""The table of metrics: one entry each, known to evaluation, promotion, sweeps and comparisons."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from asd.arrays import Scores, Vector
from asd.errors import ConfigError
from asd.evaluation.ranking import Truth, average_precision, roc_auc
from asd.language import tr

Rank = Callable[[Truth, Scores, Vector, float], float]
"""From truth, scores and weights of clips, each ``(n_clips,)``, and the largest false-positive
rate that counts, to a figure. There are clips of both classes."""


@dataclass(frozen=True)
class Counts:
    """Outcomes at the threshold."""

    tp: int
    fp: int
    tn: int
    fn: int


@dataclass(frozen=True)
class Metric:
    """One figure by which detectors are judged."""

    name: str
    """As it is logged."""
    title: str
    """As it stands in tables and on axes."""
    better: Literal["higher", "lower"]
    form: str
    """How it is written, a format specification."""
    rank: Rank | None = None
    """Where it needs scores alone; resampling gives its interval."""
    decide: Callable[[Counts], float | None] | None = None
    """Where it needs decisions; None where the counts leave it undefined."""
    compared: bool = False
    """Whether it has a column in comparisons."""

    @property
    def heading(self) -> str:
        """The title in the language of the moment."""
        return tr(self.title)

    def merit(self, value: float | None) -> float:
        """What is greater the better the figure is; least of all where it is undefined."""
        if value is None:
            return -math.inf
        return value if self.better == "higher" else -value

    def write(self, value: float | None) -> str:
        """The figure in its format; a dash where it is undefined."""
        return "-" if value is None else format(value, self.form)


def weighted_auc(truth: Truth, scores: Scores, weights: Vector) -> float:
    """Area under the ROC curve of weighted clips, as scikit-learn's, in a fraction of its time.

    It is the chance that an anomalous clip scores higher than a normal one, ties counted half
    (Hanley and McNeil 1982).

    Parameters
    ----------
    truth : ndarray of bool, shape (n_clips,)
        True for anomalous clips.
    scores : ndarray, shape (n_clips,)
        Higher = more anomalous.
    weights : ndarray, shape (n_clips,)
        How often each clip counts, >= 0; above 0 for a clip of either class.
    """
    _, place = np.unique(scores, return_inverse=True)
    normal = np.bincount(place, weights * ~truth)
    anomalous = np.bincount(place, weights * truth)
    below = np.cumsum(normal) - normal
    return float(anomalous @ (below + normal / 2) / (normal.sum() * anomalous.sum()))


def _pauc(truth: Truth, scores: Scores, weights: Vector, max_fpr: float) -> float:
    return roc_auc(truth, scores, weights, max_fpr)


def _precision(truth: Truth, scores: Scores, weights: Vector, max_fpr: float) -> float:
    del max_fpr
    return average_precision(truth, scores, weights)


def _share(part: int, other: int) -> float | None:
    return part / (part + other) if part + other else None


_ENTRIES = (
    # The first figure that is logged is the one on which MLflow's comparison of runs opens.
    Metric(
        "auc",
        "AUC",
        "higher",
        ".3f",
        rank=lambda truth, scores, weights, _: weighted_auc(truth, scores, weights),
        compared=True,
    ),
    Metric("pauc", "pAUC", "higher", ".3f", rank=_pauc, compared=True),
    Metric("average_precision", "average precision", "higher", ".3f", rank=_precision),
    Metric("recall", "found", "higher", ".1%", decide=lambda c: _share(c.tp, c.fn), compared=True),
    Metric(
        "f1",
        "F1",
        "higher",
        ".3f",
        decide=lambda c: 2 * c.tp / (2 * c.tp + c.fp + c.fn) if c.tp + c.fn else None,
    ),
    Metric(
        "precision",
        "precision",
        "higher",
        ".3f",
        decide=lambda c: _share(c.tp, c.fp) if c.tp + c.fn else None,
    ),
    Metric(
        "false_alarm_rate",
        "false alarms",
        "lower",
        ".1%",
        decide=lambda c: _share(c.fp, c.tn),
        compared=True,
    ),
)

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ENTRIES}
"""All metrics by name, in the order in which they are logged."""


def metric_named(name: str) -> Metric:
    """The metric of that name.

    Raises
    ------
    ConfigError
        There is none; the message lists those there are.
    """
    if name not in METRICS:
        raise ConfigError(
            tr(
                "metric={name!r}: unknown metric; known ones are {known}",
                name=name,
                known=", ".join(METRICS),
            )
        )
    return METRICS[name]
