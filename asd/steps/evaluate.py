"""Score the test clips of a data set with a trained model."""

import logging
from pathlib import Path
from typing import NamedTuple

from asd.config.steps import EvaluateConfig
from asd.data.manifest import Dataset
from asd.data.opening import open_dataset
from asd.evaluation.answer import advice, answer_of
from asd.evaluation.evaluation import Evaluation, evaluate
from asd.evaluation.plots import RobustnessRow
from asd.evaluation.report import summary
from asd.evaluation.robustness import markdown
from asd.files import check_writable
from asd.language import chosen, tr
from asd.tracking import evaluations
from asd.tracking.commands import step_command
from asd.tracking.models import ModelRef, load, resolve
from asd.tracking.notes import mistakes, page_of, write_answer
from asd.tracking.runs import step_run
from asd.tracking.store import feature_store
from asd.tracking.tracked import TrackedRun, data_params

logger = logging.getLogger(__name__)


class Evaluated(NamedTuple):
    """A logged model and how it did."""

    model: ModelRef
    evaluation: Evaluation
    page: str
    """Address of its report below that of MLflow's pages."""


def run(config: EvaluateConfig, dataset: Dataset | None = None) -> Evaluated:
    """Score the test clips and log every metric, plot and score.

    Parameters
    ----------
    config : EvaluateConfig
        What to evaluate, and how.
    dataset : Dataset, optional
        The data set, where it is open already.

    Raises
    ------
    AsdError
        There is no such model or data set, or it has no test clips.
    """
    with step_run("evaluate", config.flat()) as tracked:
        if config.anomalies:
            check_writable(Path(config.anomalies), "anomalies")
        model = resolve(config.model_uri)
        evaluated = judge(model, config.data, config.max_fpr, config.seed, tracked, dataset)
        evaluation = evaluated.evaluation
        tracked.rename(f"evaluate {model.name}")
        tracked.log_params({"model": model.uri, "train_run": model.run_id})
        tracked.log_params(evaluation.pipeline.recipe.flat())
        language = config.language or chosen()
        drawn = evaluations.log_details(evaluation, language, tracked)
        if config.anomalies:
            evaluations.copy_anomalies(evaluation, Path(config.anomalies))
            logger.info(tr("clips judged anomalous copied to {folder}", folder=config.anomalies))
        lines = summary(evaluation)
        if config.official:
            lines += evaluations.log_official(config.official, evaluation.table, tracked)
        changes: list[RobustnessRow] = []
        if config.robustness:
            changes = evaluations.log_robustness(evaluation, config.noise, tracked)
            lines += markdown(changes)
        evaluations.log_report(evaluation, drawn, model, language, changes, tracked)
        step, _ = advice(evaluation)
        answer = answer_of(evaluation)
        write_answer(tracked, [*answer, *mistakes(evaluated.page)], model)
        data = str(evaluation.dataset.root)
        # Which sounds to lay over clips is not ours to say.
        after = "" if step == "augment" else step_command(step, model_uri=model.uri, data=data)
        tracked.report(*lines, *answer, after=after)
    return evaluated


def judge(
    model: ModelRef,
    data: str,
    max_fpr: float,
    seed: int,
    tracked: TrackedRun,
    dataset: Dataset | None = None,
) -> Evaluated:
    """Load a model, evaluate it, and log the metrics to the run and to the model.

    Parameters
    ----------
    model : ModelRef
        What to evaluate.
    data : str
        Folder of the data set; empty for the one the model was trained on.
    max_fpr : float
        The false-positive rate up to which `pauc` counts.
    seed : int
        Of the bootstrap intervals.
    tracked : TrackedRun
        Where to log.
    dataset : Dataset, optional
        The data set, where it is open already.

    Raises
    ------
    AsdError
        The model's files or the data set cannot be used, or it has no test clips.
    """
    pipeline = load(model)
    if dataset is None:
        dataset = open_dataset(data or pipeline.trained_on.path)
    tracked.log_params(data_params(dataset))
    evaluation = evaluate(model.name, pipeline, dataset, feature_store(), max_fpr, seed)
    evaluations.log_metrics(evaluation, model, tracked)
    return Evaluated(model, evaluation, page_of(tracked, evaluations.REPORT))
