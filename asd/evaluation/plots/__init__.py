"""Figures, each a `matplotlib.figure.Figure` of its own that nobody has to close."""

from asd.evaluation.plots.curves import loss_curve, roc_curve, validation_scores
from asd.evaluation.plots.explanation import explanation
from asd.evaluation.plots.rates import confusion_matrix, false_alarm_by_condition
from asd.evaluation.plots.scores import score_bars, score_histogram

__all__ = [
    "confusion_matrix",
    "explanation",
    "false_alarm_by_condition",
    "loss_curve",
    "roc_curve",
    "score_bars",
    "score_histogram",
    "validation_scores",
]
