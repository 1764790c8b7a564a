"""Figures, each a `matplotlib.figure.Figure` of its own that nobody has to close."""

from asd.evaluation.plots.curves import loss_curve, precision_recall, roc_curve, validation_scores
from asd.evaluation.plots.explanation import Explanations, Scale, explanation
from asd.evaluation.plots.heatmap import heatmap
from asd.evaluation.plots.leaderboard import leaderboard
from asd.evaluation.plots.rates import confusion_matrix, false_alarm_by_condition, promise
from asd.evaluation.plots.robustness import RobustnessRow, robustness
from asd.evaluation.plots.scores import score_bars, score_histogram
from asd.evaluation.plots.sweep import (
    Tried,
    sweep_front,
    sweep_history,
    sweep_importances,
    sweep_parallel_coordinates,
    sweep_slice,
)

__all__ = [
    "Explanations",
    "RobustnessRow",
    "Scale",
    "Tried",
    "confusion_matrix",
    "explanation",
    "false_alarm_by_condition",
    "heatmap",
    "leaderboard",
    "loss_curve",
    "precision_recall",
    "promise",
    "robustness",
    "roc_curve",
    "score_bars",
    "score_histogram",
    "sweep_front",
    "sweep_history",
    "sweep_importances",
    "sweep_parallel_coordinates",
    "sweep_slice",
    "validation_scores",
]
