"""Give a model a threshold for another unit of the machine."""

from asd.config.steps import RecalibrateConfig
from asd.data.opening import open_dataset
from asd.errors import NotEnoughClipsError
from asd.pipeline.pipeline import Pipeline
from asd.text import count
from asd.tracking import registry
from asd.tracking.commands import step_command
from asd.tracking.models import ModelRef, load, log_pipeline, resolve
from asd.tracking.runs import data_params, step_run
from asd.tracking.store import feature_store


def run(config: RecalibrateConfig) -> ModelRef:
    """Log the model anew, with a threshold fitted on normal clips of the new unit.

    Raises
    ------
    AsdError
        There is no such model or data set, or it has no normal clips outside its test side.
    """
    with step_run("recalibrate", config.flat()) as tracked:
        model = resolve(registry.chosen(config.model_uri, config.name))
        pipeline = _with_rate(load(model), config.false_alarm_rate)
        dataset = open_dataset(config.data)
        tracked.rename(f"recalibrate {pipeline.recipe.label} for {dataset.name}")
        normal = dataset.select(lambda clip: clip.split != "test" and clip.label == "normal")
        if not normal.clips:
            raise NotEnoughClipsError(
                f"{dataset.root}: has no normal clips outside its test side; give preprocess "
                "recordings of the unit running well"
            )
        tracked.log_input(normal, "calibration")
        tracked.log_params({**pipeline.recipe.flat(), **data_params(dataset), "model": model.uri})
        moved = pipeline.recalibrated(normal, feature_store())
        logged = log_pipeline(moved, moved.recipe.flat(), made_for=dataset.name)
        threshold = moved.threshold
        tracked.log_metrics({"threshold": threshold.value}, model_id=logged.model_id)
        recordings = count(len(normal.recordings()), "recording")
        tracked.report(
            f"recalibrated {model.name} on {recordings} of {dataset.root}",
            f"threshold {threshold.value:.6g}, before {pipeline.threshold.value:.6g}",
            *([moved.decision.note] if moved.decision.note else []),
            f"model {logged.uri}, run {logged.run_id}",
            after=step_command("evaluate", model_uri=logged.run_id, data=config.data),
        )
    return logged


def _with_rate(pipeline: Pipeline, rate: float | None) -> Pipeline:
    return pipeline if rate is None else pipeline.with_rate(rate)
