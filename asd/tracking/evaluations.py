"""Evaluations in MLflow: metrics on run and model, plots, tables, and the clips that alarm."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from asd.evaluation import official, plots
from asd.evaluation.evaluation import Evaluation
from asd.evaluation.metrics import metric_key
from asd.evaluation.plots import RobustnessRow
from asd.evaluation.report import LEADERBOARD, figures, subject
from asd.evaluation.robustness import COLUMNS, markdown, robustness
from asd.evaluation.style import named
from asd.evaluation.table import ScoreTable
from asd.files import write_csv
from asd.language import Language, speaking, tr
from asd.pipeline.calibration import FitReport
from asd.pipeline.pipeline import Pipeline
from asd.tracking.models import ModelRef
from asd.tracking.store import feature_store
from asd.tracking.tracked import TrackedRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_EVIDENCE = (
    "auc", "auc_low", "auc_high", "pauc", "average_precision", "f1",
    "false_alarm_rate", "false_alarm_rate_low", "false_alarm_rate_high",
)  # fmt: skip
REPORT = "report.html"
"""The artifact that people read."""
_OFFICIAL = {"dcase2020": official.dcase2020, "dcase2023": official.dcase2023}


def log_metrics(evaluation: Evaluation, model: ModelRef, tracked: TrackedRun) -> None:
    """Log the metrics to the run and to the model, with the clips they are of."""
    test = evaluation.dataset.split("test")
    tracked.log_input(test, "testing")
    tracked.log_metrics(evaluation.metrics, model_id=model.model_id, dataset=test)


def log_leaderboard(
    measured: Mapping[str, Mapping[str, float]], data: str, tracked: TrackedRun
) -> None:
    """Log the columns of `asd.evaluation.report.leaderboard`, as ``<metric>.<label>``, and a plot.

    Those of the first of `measured` stand without a label as well, so that parents can be sorted.
    """
    tracked.log_figures({"leaderboard": plots.leaderboard(measured, data)}, ["leaderboard"])
    for metrics in list(measured.values())[:1]:
        tracked.log_metrics({key: metrics[key] for key in LEADERBOARD if key in metrics})
    for label, metrics in measured.items():
        shown = [column for column in LEADERBOARD if column in metrics]
        tracked.log_metrics({f"{column}.{label}": metrics[column] for column in shown})


def log_details(
    evaluation: Evaluation, language: Language, tracked: TrackedRun
) -> "dict[str, Figure]":
    """Log plots, ``scores.csv`` and the clips judged anomalous; gives the plots."""
    table = evaluation.table
    with speaking(language):
        drawn = figures(evaluation)
    tracked.log_figures(drawn, ["roc_curve", "score_bars"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table.write_csv(folder / "scores.csv")
        tracked.log_files(folder / "scores.csv")
        if table.is_anomaly.any():
            copy_anomalies(evaluation, folder / "anomalies")
            tracked.log_files(folder / "anomalies", "anomalies")
    return drawn


def log_report(
    evaluation: Evaluation,
    drawn: "Mapping[str, Figure]",
    model: ModelRef,
    language: Language,
    changes: Sequence[RobustnessRow],
    tracked: TrackedRun,
) -> None:
    """Log ``report.html``, the page that people read.

    Parameters
    ----------
    evaluation : Evaluation
        What is told.
    drawn : mapping of str to Figure
        What `log_details` gave; the page changes their size.
    model : ModelRef
        What was evaluated.
    language : {'en', 'ja'}
        Of the page.
    changes : sequence of RobustnessRow
        How the model did on changed clips, where that was measured.
    tracked : TrackedRun
        Where to log.
    """
    # Loads a library for fonts, which no other step needs.
    from asd.evaluation.page import evaluation_page

    lineage = tracked.lineage() | {"Model": model.uri, "Trained in run": model.run_id}
    page = evaluation_page(evaluation, drawn, feature_store(), language, lineage, changes)
    tracked.log_text(page, REPORT)


def copy_anomalies(evaluation: Evaluation, folder: Path) -> None:
    """Copy each clip judged anomalous into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in np.flatnonzero(evaluation.table.is_anomaly):
        clip = evaluation.table.clips[index]
        shutil.copyfile(evaluation.dataset.file(clip), folder / Path(clip.path).name)


def log_official(
    rules: Literal["dcase2020", "dcase2023"], table: ScoreTable, tracked: TrackedRun
) -> list[str]:
    """Log the official scores of a DCASE Task 2, and the files of a submission."""
    files = official.by_file(table)
    with tempfile.TemporaryDirectory() as name:
        written = official.write_files(files, Path(name))
        tracked.log_files(Path(name), "official")
    lines = [
        tr(
            "{rules}: {n} files of a submission are in the artifacts, in official/",
            rules=rules,
            n=len(written),
        )
    ]
    if not (files.normal.any() and files.anomalous.any()):
        return [*lines, tr("no official score: the test files have no labels")]
    scores = _OFFICIAL[rules](files)
    tracked.log_metrics({metric_key(key): value for key, value in scores.items()})
    overall = {key: value for key, value in scores.items() if key.count(".") == 1}
    return [*lines, ", ".join(f"{key} {value:.4f}" for key, value in overall.items())]


def log_robustness(evaluation: Evaluation, noise: str, tracked: TrackedRun) -> list[RobustnessRow]:
    """Log what changes of the recording do to the model: metrics, tables and a plot."""
    pipeline, seed = evaluation.pipeline, evaluation.seed
    dataset, table, max_fpr = evaluation.dataset, evaluation.table, evaluation.max_fpr
    rows = robustness(pipeline, dataset, table, noise, seed, max_fpr)
    tracked.log_metrics(_robustness_metrics(rows))
    with tempfile.TemporaryDirectory() as name:
        cells = ([row.name, *(getattr(row, column) for column in COLUMNS)] for row in rows)
        write_csv(Path(name) / "robustness.csv", ["change", *COLUMNS], cells)
        tracked.log_files(Path(name) / "robustness.csv")
    tracked.log_text("\n".join(markdown(rows)) + "\n", "robustness.md")
    promised = pipeline.threshold.promised_rate
    tracked.log_figures({"robustness": plots.robustness(rows, promised)})
    return rows


def _robustness_metrics(rows: Sequence[RobustnessRow]) -> dict[str, float]:
    return {
        f"robustness.{column}.{row.name}": value
        for row in rows
        for column in ("auc", "false_alarm_rate")
        if (value := getattr(row, column)) is not None
    }


def log_calibration(pipeline: Pipeline, report: FitReport, tracked: TrackedRun) -> None:
    """Log what a threshold rests on: scores of normal clips, their number, and the promise."""
    drawn = {"validation_scores": plots.validation_scores(report.scores, pipeline.threshold)}
    if told := pipeline.promise(report.unit_seconds):
        drawn["promise"] = plots.promise(told, pipeline.clip_seconds)
    of = subject(pipeline.recipe.label, pipeline.trained_on.name)
    tracked.log_figures({name: named(figure, of) for name, figure in drawn.items()})
    by_clip = zip(report.clips, report.scores, strict=True)
    tracked.log_json({clip.path: float(score) for clip, score in by_clip}, "validation_scores.json")
    metrics: dict[str, float] = {
        "calibration_clips": len(report.clips),
        "calibration_recordings": report.n_recordings,
        "calibration_folds": max(1, report.n_folds),
        "calibration_seconds": report.calibration_seconds,
    }
    if pipeline.threshold.promised_rate is not None:
        metrics["promised_rate"] = pipeline.threshold.promised_rate
    tracked.log_metrics(metrics)


def evidence(evaluation: Evaluation) -> dict[str, str]:
    """What a registered version is and how it did, as tags."""
    pipeline, metrics = evaluation.pipeline, evaluation.metrics
    text = json.dumps(pipeline.recipe.flat(), sort_keys=True)
    promised = pipeline.threshold.promised_rate
    return {
        "detector": pipeline.name,
        "config": text,
        "config.digest": hashlib.sha256(text.encode()).hexdigest()[:16],
        "data.name": evaluation.dataset.name,
        "data.digest": evaluation.dataset.digest,
        "data.trained_on": pipeline.trained_on.digest,
        "threshold.promised_rate": "none" if promised is None else f"{promised:.6g}",
        **{f"metric.{name}": f"{metrics[name]:.6g}" for name in _EVIDENCE if name in metrics},
    }
