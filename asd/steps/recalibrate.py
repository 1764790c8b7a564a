"""Fit a model to another unit of the machine, from some normal recordings of it."""

from asd.config.steps import RecalibrateConfig
from asd.data.manifest import Dataset
from asd.data.opening import open_dataset
from asd.errors import NotEnoughClipsError
from asd.evaluation.report import threshold_warnings
from asd.language import tr
from asd.pipeline.equaliser import enough_units
from asd.pipeline.pipeline import Pipeline
from asd.text import count
from asd.tracking import champions
from asd.tracking.commands import step_command
from asd.tracking.lines import model_line, moved_line
from asd.tracking.models import ModelRef, load, log_pipeline, resolve
from asd.tracking.runs import step_run
from asd.tracking.store import feature_store
from asd.tracking.tracked import data_params


def run(config: RecalibrateConfig) -> ModelRef:
    """Log the model anew, with a threshold fitted on normal clips of the new unit.

    Raises
    ------
    AsdError
        There is no such model or data set, or it has no normal clips outside its test side.
    """
    with step_run("recalibrate", config.flat()) as tracked:
        model = resolve(champions.chosen(config.model_uri, config.name))
        pipeline = _with_rate(load(model), config.false_alarm_rate)
        dataset = open_dataset(config.data)
        tracked.rename(f"recalibrate {pipeline.recipe.label} for {dataset.name}")
        normal = dataset.select(lambda clip: clip.split != "test" and clip.label == "normal")
        if not normal.clips:
            raise NotEnoughClipsError(
                tr(
                    "{data}: has no normal clips outside its test side; give preprocess "
                    "recordings of the unit running well",
                    data=dataset.root,
                )
            )
        tracked.log_input(normal, "calibration")
        tracked.log_params({**pipeline.recipe.flat(), **data_params(dataset), "model": model.uri})
        moved = pipeline.recalibrated(normal, feature_store())
        logged = log_pipeline(moved, moved.recipe.flat(), made_for=dataset.name)
        metrics = {"threshold": moved.threshold.value, "unit_shift_db": moved.scorer.shift_db}
        tracked.log_metrics(metrics, model_id=logged.model_id)
        recordings = count(len(normal.recordings()), "recording")
        tracked.report(
            tr(
                "recalibrated {model} on {recordings} of {data}",
                model=model.name,
                recordings=recordings,
                data=dataset.root,
            ),
            moved_line(moved.threshold, pipeline.threshold),
            _unit_line(moved, normal),
            *threshold_warnings(moved),
            model_line(logged),
            after=step_command("evaluate", model_uri=logged.run_id, data=config.data),
        )
    return logged


def _unit_line(moved: Pipeline, normal: Dataset) -> str:
    """How far the unit lies from the one learned from, or why that is not known."""
    if moved.scorer.shift_db:
        return tr(
            "this unit's spectrum is {shift:.1f} dB from the one learned from; that is taken off "
            "before it is judged",
            shift=moved.scorer.shift_db,
        )
    if not moved.scorer.equalisers:
        return tr("the model does not know the spectrum it learned from: only the threshold moved")
    if not enough_units(normal.clips):
        return tr("with 3 recordings or more, what this unit sounds otherwise would be taken off")
    return tr("this unit's spectrum is no further from the one learned from than chance makes it")


def _with_rate(pipeline: Pipeline, rate: float | None) -> Pipeline:
    return pipeline if rate is None else pipeline.with_rate(rate)
