"""How well scores rank: scikit-learn's figures, loaded when the first is asked for.

Most commands draw or judge without them, and loading scikit-learn takes longer than training a
small detector.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asd.arrays import Scores, Vector

Truth = NDArray[Any]
"""Whether each clip is an anomaly, ``(n_clips,)``; there are clips of both classes."""


def roc_auc(
    truth: Truth, scores: Scores, weights: Vector | None = None, max_fpr: float | None = None
) -> float:
    """Area under the ROC curve, in [0, 1]; 0.5 is chance.

    Parameters
    ----------
    truth : ndarray
        See `Truth`.
    scores : ndarray of shape (n_clips,)
        The higher the more anomalous.
    weights : ndarray of shape (n_clips,), optional
        How often each clip counts.
    max_fpr : float, optional
        Largest false-positive rate that counts; the area is then standardised after McClish (1989).
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, scores, sample_weight=weights, max_fpr=max_fpr))


def average_precision(truth: Truth, scores: Scores, weights: Vector | None = None) -> float:
    """Mean of the precision at each recall, in [0, 1]; the parameters are those of `roc_auc`."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(truth, scores, sample_weight=weights))


def roc_points(truth: Truth, scores: Scores) -> tuple[Vector, Vector]:
    """False- and true-positive rate at each threshold, both rising, ``(n_thresholds,)``."""
    from sklearn.metrics import roc_curve

    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
    return np.asarray(fpr), np.asarray(tpr)


def precision_recall_points(truth: Truth, scores: Scores) -> tuple[Vector, Vector]:
    """Precision and recall at each threshold, recall falling, ``(n_thresholds,)``."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(truth, scores)
    return np.asarray(precision), np.asarray(recall)
