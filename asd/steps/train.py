"""Fit a recipe and its threshold, and log them as a model."""

import hashlib
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from asd.config.recipe import Recipe
from asd.config.recipes import recipe_of
from asd.config.steps import TrainConfig
from asd.data.manifest import Dataset
from asd.data.opening import open_dataset
from asd.data.sound import sound_of
from asd.detectors.base import FitContext
from asd.evaluation import plots
from asd.evaluation.report import threshold_lines
from asd.language import tr
from asd.pipeline.branches import resolved
from asd.pipeline.calibration import FitReport
from asd.pipeline.pipeline import Pipeline
from asd.pipeline.trained_on import TrainedOn
from asd.text import count
from asd.tracking.commands import step_command
from asd.tracking.evaluations import log_calibration
from asd.tracking.lines import model_line
from asd.tracking.models import ModelRef, log_pipeline
from asd.tracking.runs import step_run
from asd.tracking.store import feature_store
from asd.tracking.tracked import TrackedRun, data_params

CHECKPOINTS = Path(".cache/checkpoints")


def run(config: TrainConfig) -> ModelRef:
    """Fit a detector or a recipe on the normal training clips of `data`.

    Raises
    ------
    AsdError
        The model, a field or the data set cannot be used, or there are too few clips.
    """
    recipe = recipe_of(config)
    resolved(recipe, 16000)  # a wrong field is found before any work is done
    return fit(recipe, config.data)


def fit(recipe: Recipe, data: str | Dataset) -> ModelRef:
    """Do the step, as a run of its own.

    Parameters
    ----------
    recipe : Recipe
        What to fit.
    data : str or Dataset
        The data set, or its folder.
    """
    where = data if isinstance(data, str) else str(data.root)
    params = {"detector": recipe.model, "data": where}
    with step_run("train", params, f"train {recipe.label}") as tracked:
        dataset = open_dataset(data) if isinstance(data, str) else data
        full = resolved(recipe, sound_of(dataset).sample_rate)
        tracked.rename(f"train {recipe.label} on {dataset.name}")
        tracked.log_params({**full.flat(), **data_params(dataset)})
        tracked.log_text(full.to_yaml(), "recipe.yaml")
        pipeline, report = _fit(full, dataset, tracked)
        clips = count(report.n_trained_on, "clip")
        name, root = pipeline.name, dataset.root
        made = tr("trained {name} on {clips} of {data}", name=name, clips=clips, data=root)
        return log_model(pipeline, report, dataset, tracked, made)


def log_model(
    pipeline: Pipeline, report: FitReport, dataset: Dataset, tracked: TrackedRun, made: str
) -> ModelRef:
    """Log a pipeline as a model, and what its threshold rests on; `made` begins the report."""
    # The pipeline was shown two sides; a model is known by the whole data set.
    pipeline = replace(pipeline, trained_on=TrainedOn.of(dataset))
    logged = log_pipeline(pipeline, pipeline.recipe.flat())
    tracked.log_metrics({"threshold": pipeline.threshold.value}, model_id=logged.model_id)
    log_calibration(pipeline, report, tracked)
    after = step_command("evaluate", model_uri=logged.run_id)
    first = tr("{made} (digest {digest})", made=made, digest=dataset.digest)
    lines = [first, *threshold_lines(pipeline, report), model_line(logged)]
    tracked.report(*lines, after=after)
    return logged


def _fit(recipe: Recipe, dataset: Dataset, tracked: TrackedRun) -> tuple[Pipeline, FitReport]:
    train, valid = dataset.split("train"), dataset.split("valid")
    tracked.log_input(train, "training")
    tracked.log_input(valid, "validation")
    history: list[dict[str, float]] = []

    def on_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
        history.append({"epoch": epoch, **metrics})
        tracked.log_metrics(metrics, step=epoch)

    started = time.perf_counter()
    with _checkpoints(recipe, dataset) as folder:
        context = FitContext(on_epoch, folder)
        pipeline, report = Pipeline.fit(recipe, train, valid, feature_store(), context)
    seconds = time.perf_counter() - started - report.calibration_seconds
    tracked.log_metrics({"fit_seconds": seconds})
    if history:
        tracked.log_figures({"loss_curve": plots.loss_curve(history)})
    return pipeline, report


@contextmanager
def _checkpoints(recipe: Recipe, dataset: Dataset) -> Iterator[Path]:
    """Keep a training's state while it lasts: the same command goes on where it was killed."""
    settings = f"{recipe.to_yaml()} {dataset.digest}"
    folder = CHECKPOINTS / hashlib.sha256(settings.encode()).hexdigest()[:16]
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
