"""The fits of a comparison, kept with their runs: what is done is not done again."""

from collections.abc import Mapping
from typing import Any

import mlflow
import numpy as np
from mlflow.exceptions import MlflowException

from asd.config.recipe import Recipe
from asd.data.manifest import Dataset
from asd.evaluation.comparison import Outcome, labelled
from asd.evaluation.table import ScoreTable
from asd.language import Remark
from asd.tracking.tasks import finished_runs, with_params
from asd.tracking.tracked import TrackedRun, data_params

STEP = "compare one"
_FILE = "outcome.json"
_COSTS = ("fit_seconds", "score_seconds", "megabytes")


def fit_params(recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """What the run of a fit is known by: all settings, and the data."""
    return {"model": recipe.label, **recipe.flat(), **data_params(dataset)}


def log_outcome(tracked: TrackedRun, outcome: Outcome, table: ScoreTable, max_fpr: float) -> None:
    """Keep what came of a fit: its figures, and all of it as ``outcome.json``.

    Parameters
    ----------
    tracked : TrackedRun
        The run of the fit.
    outcome : Outcome
        What came of it.
    table : ScoreTable
        The scored clips.
    max_fpr : float
        The false-positive rate up to which `pauc` counts.
    """
    tracked.log_metrics(outcome.figures())
    kept = {
        "max_fpr": max_fpr,
        "metrics": {name: float(value) for name, value in outcome.metrics.items()},
        **{name: float(getattr(outcome, name)) for name in _COSTS},
        "told": dict(outcome.told.words),
        "threshold": float(table.threshold),
        "scores": table.scores.tolist(),
        "p_values": None if table.p_values is None else table.p_values.tolist(),
        "is_anomaly": table.is_anomaly.tolist(),
    }
    tracked.log_json(kept, _FILE)


def outcome_before(recipe: Recipe, dataset: Dataset, max_fpr: float, beside: str) -> Outcome | None:
    """What came of a fit that this release has done before with the same settings and data.

    Parameters
    ----------
    recipe : Recipe
        With every field filled in.
    dataset : Dataset
        What it is fitted on and judged by.
    max_fpr : float
        The false-positive rate up to which `pauc` counts.
    beside : str
        Id of a run of the experiment that is searched.
    """
    for run in with_params(finished_runs(STEP, beside), fit_params(recipe, dataset)):
        try:
            kept = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/{_FILE}")
            if kept["max_fpr"] == max_fpr:
                return _outcome(recipe, dataset, kept)
        except (
            MlflowException,
            OSError,
            KeyError,
            TypeError,
            ValueError,
        ):  # deleted or damaged since
            continue
    return None


def _outcome(recipe: Recipe, dataset: Dataset, kept: Mapping[str, Any]) -> Outcome:
    p_values = kept["p_values"]
    table = ScoreTable(
        labelled(dataset).split("test").clips,
        np.array(kept["scores"], np.float64),
        None if p_values is None else np.array(p_values, np.float64),
        kept["threshold"],
        np.array(kept["is_anomaly"], bool),
    )
    costs = {name: kept[name] for name in _COSTS}
    figures = {
        "metrics": kept["metrics"],
        **costs,
        "table": table,
        "told": Remark.kept(kept["told"]),
    }
    return Outcome(recipe.label, dataset.name, recipe.seed, **figures, again=True)
