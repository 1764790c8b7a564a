"""Give a model another threshold, without training it again."""

import tempfile
from dataclasses import astuple
from pathlib import Path

from asd.config.steps import MoveThresholdConfig
from asd.data.opening import open_dataset
from asd.evaluation.evaluation import evaluate
from asd.evaluation.report import threshold_warnings
from asd.evaluation.whatif import COLUMNS, markdown, what_if
from asd.files import write_csv
from asd.language import tr
from asd.pipeline.pipeline import Pipeline
from asd.tracking import champions
from asd.tracking.commands import step_command
from asd.tracking.lines import model_line, moved_line
from asd.tracking.models import ModelRef, load, log_pipeline, resolve
from asd.tracking.notes import write_answer
from asd.tracking.runs import step_run
from asd.tracking.store import feature_store
from asd.tracking.tracked import data_params


def run(config: MoveThresholdConfig) -> ModelRef | None:
    """Log the model anew with the threshold asked for, and say what others would come to.

    The detectors stay as they are. Where neither a rate nor a value is given, there is only the
    table, and None is returned.

    Raises
    ------
    AsdError
        There is no such model or data set, or the data set has no test clips.
    """
    with step_run("threshold", config.flat()) as tracked:
        model = resolve(champions.chosen(config.model_uri, config.name))
        pipeline = load(model)
        tracked.rename(f"threshold {model.name}")
        dataset = open_dataset(config.data or pipeline.trained_on.path)
        tracked.log_params({"model": model.uri, **data_params(dataset)})
        tracked.log_input(dataset.split("test"), "testing")
        table = evaluate(model.name, pipeline, dataset, feature_store()).table
        calibration = pipeline.decision.calibration
        rate, value = config.false_alarm_rate, config.value
        rows = what_if(calibration, table, pipeline.clip_seconds, rate, value)
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "what_if.csv"
            write_csv(path, COLUMNS, map(astuple, rows))
            tracked.log_files(path)
        lines = [
            tr("what other thresholds of {model} would come to:", model=model.name),
            *markdown(rows),
        ]
        if rate is None and value is None:
            write_answer(tracked, lines)
            same = step_command("threshold", model_uri=model.uri, false_alarm_rate=0.01)
            tracked.report(*lines, after=same)
            return None
        moved = _moved(pipeline, rate, value)
        logged = log_pipeline(moved, moved.recipe.flat(), made_for=model.data)
        tracked.log_metrics({"threshold": moved.threshold.value}, model_id=logged.model_id)
        said = moved_line(moved.threshold, pipeline.threshold)
        lines += [said, *threshold_warnings(moved), model_line(logged)]
        write_answer(tracked, lines, logged)
        data = str(dataset.root)
        tracked.report(*lines, after=step_command("promote", model_uri=logged.uri, data=data))
    return logged


def _moved(pipeline: Pipeline, rate: float | None, value: float | None) -> Pipeline:
    if value is not None:
        return pipeline.with_threshold(method="fixed", value=value)
    return pipeline.with_threshold(method="conformal", false_alarm_rate=rate)
