"""Figures of a study's completed trials."""

import math
import warnings
from collections.abc import Callable

from matplotlib.figure import Figure
from optuna.importance import get_param_importances
from optuna.trial import FrozenTrial

from asd.evaluation import plots
from asd.evaluation.plots import Tried
from asd.search.plan import LOWER_IS_BETTER
from asd.search.study import Study

_MOST_BARS = 16
_MOST_KEYS = 8
"""Keys that a figure with a picture for each can show; the most important ones."""


def study_figures(study: Study) -> dict[str, Figure]:
    """What the trials have shown.

    Parameters
    ----------
    study : Study
        With at least one completed trial.

    Returns
    -------
    dict
        ``history``, and where the results of completed trials differ ``importances``,
        ``parallel_coordinates`` and ``slice``, for each metric; ``pareto_front`` where there are
        two metrics.
    """
    metrics, labels = study.plan.metrics, study.plan.labels
    figures: dict[str, Figure] = {}
    for index, name in enumerate(metrics):
        ending = f"_{name}" if len(metrics) > 1 else ""
        for kind, figure in _of_metric(study, index, name).items():
            figures[kind + ending] = figure
    if len(metrics) > 1:
        other = [trial.result for trial in _tried(study, 1)]
        front = [trial.number for trial in study.front()]
        names = (labels[0], labels[1])
        figures["pareto_front"] = plots.sweep_front(_tried(study, 0), other, names, front)
    return figures


def _of_metric(study: Study, index: int, name: str) -> dict[str, Figure]:
    trials = _tried(study, index)
    lower, label = name in LOWER_IS_BETTER, study.plan.labels[index]
    figures = {"history": plots.sweep_history(trials, label, lower)}
    if len({trial.result for trial in trials}) > 1:
        with warnings.catch_warnings():
            # That low targets are taken for good: so they are. And that trials are few.
            warnings.simplefilter("ignore", UserWarning)
            shares = get_param_importances(study.optuna_study, target=_wanted_low(index, lower))
        if keys := [key for key in shares if math.isfinite(shares[key])]:
            few = keys[:_MOST_KEYS]
            shown = {key: shares[key] for key in keys[:_MOST_BARS]}
            figures["importances"] = plots.sweep_importances(shown, label, len(trials))
            figures["parallel_coordinates"] = plots.sweep_parallel_coordinates(
                trials, few, label, lower
            )
            figures["slice"] = plots.sweep_slice(trials, few, label)
    return figures


def _tried(study: Study, index: int) -> list[Tried]:
    only = study.plan.detectors[0]
    return [
        Tried(
            trial.number,
            str(trial.values.get("detector", only)),
            trial.values,
            trial.results[index],
        )
        for trial in study.trials()
        if trial.results
    ]


def _wanted_low(index: int, lower: bool) -> Callable[[FrozenTrial], float]:
    """The result in the sense that the evaluator understands: what makes it low."""
    sign = 1.0 if lower else -1.0
    return lambda trial: sign * trial.values[index]
