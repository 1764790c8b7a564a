"""Make a model the champion when it beats the present one on the same data."""

from asd.config.steps import PromoteConfig
from asd.data.manifest import Dataset
from asd.errors import ConfigError
from asd.steps.datasets import open_dataset
from asd.steps.evaluate import Evaluation, judge
from asd.tracking import registry
from asd.tracking.models import ModelRef, load, resolve
from asd.tracking.runs import TrackedRun, data_params, step_run


def run(config: PromoteConfig) -> bool:
    """Compare candidate and champion on the test clips of one data set; true when promoted.

    Raises
    ------
    AsdError
        There is no such model or data set, or the metric is undefined on it.
    """
    with step_run("promote", config.flat()) as tracked:
        candidate = resolve(config.model_uri)
        pipeline = load(candidate)
        dataset = open_dataset(config.data or pipeline.trained_on.path)
        tracked.rename(f"promote {pipeline.detector.name}")
        tracked.log_params({"model": candidate.uri, **data_params(dataset)})
        evaluation = judge(candidate, pipeline, dataset, tracked)
        promoted, line = _decide(config, evaluation, dataset, tracked)
        tracked.set_tags({"asd.promoted": str(promoted).lower()})
        tracked.report(line, after=SERVE)
    return promoted


SERVE = f"mlflow models serve -m {registry.CHAMPION_URI} --env-manager local -p 5001"


def _decide(
    config: PromoteConfig, candidate: Evaluation, dataset: Dataset, tracked: TrackedRun
) -> tuple[bool, str]:
    metric = config.metric
    value = _value(candidate, metric)
    present = registry.champion()
    if present is not None and present.model_id == candidate.model.model_id:
        return False, f"{candidate.model.name} is the champion already ({metric} {value:.4f})"
    if present is not None:
        rival = _champion_value(present, dataset, metric)
        tracked.log_metrics({f"champion_{metric}": rival})
        numbers = f"{metric} {value:.4f} against {rival:.4f} of {present.name} (the champion)"
        if value <= rival or value - rival < config.min_gain:
            rule = f"a gain above 0 and of at least {config.min_gain:g} is needed"
            return False, f"not promoted: {candidate.model.name} has {numbers}; {rule}"
    else:
        numbers = f"{metric} {value:.4f}; there was no champion"
    tags = {"data.digest": dataset.digest, f"metric.{metric}": f"{value:.6f}"}
    version = registry.promote(candidate.model, tags)
    return True, f"promoted: {candidate.model.name} is champion, version {version}: {numbers}"


def _champion_value(champion: ModelRef, dataset: Dataset, metric: str) -> float:
    """The champion's figure on the same clips, scored afresh so that both saw the same."""
    with step_run("evaluate", {"model": champion.uri}, "evaluate champion") as tracked:
        evaluation = judge(champion, load(champion), dataset, tracked)
    return _value(evaluation, metric)


def _value(evaluation: Evaluation, metric: str) -> float:
    if metric not in evaluation.metrics:
        raise ConfigError(
            f"metric={metric}: undefined on {evaluation.dataset.root}, whose test clips must hold "
            "both normal and anomalous ones; give a data set with both, or make one with augment"
        )
    return evaluation.metrics[metric]
