"""Make a model the champion when it beats the present one on the same data."""

import tempfile
from pathlib import Path

from asd.config.steps import PromoteConfig
from asd.data.manifest import Dataset
from asd.errors import TrackingError
from asd.evaluation import gates
from asd.evaluation.evaluation import Evaluation
from asd.evaluation.gates import Gate, Probe
from asd.evaluation.metric_table import metric_named
from asd.steps.evaluate import Evaluated, judge
from asd.tracking import registry
from asd.tracking.evaluations import evidence
from asd.tracking.fresh import fresh_scores
from asd.tracking.models import ModelRef, resolve
from asd.tracking.runs import TrackedRun, step_run

SERVE = f"mlflow models serve -m {registry.CHAMPION_URI} --env-manager local -p 5001"


def run(config: PromoteConfig, dataset: Dataset | None = None) -> bool:
    """Compare candidate and champion on the test clips of one data set; true when promoted.

    All gates of `asd.evaluation.gates` must hold. The candidate gets a version in the registry
    either way: as ``champion``, or as ``challenger``.

    Parameters
    ----------
    config : PromoteConfig
        What to promote, and on what conditions.
    dataset : Dataset, optional
        The data set, where it is open already.

    Raises
    ------
    AsdError
        There is no such model or data set, a model's files have been changed, or the metric is
        undefined on the data set.
    """
    metric_named(config.metric)  # a wrong word is found before any work is done
    with step_run("promote", config.flat()) as tracked:
        seen = registry.holders().champion
        model = resolve(config.model_uri)
        tracked.log_params({"model": model.uri})
        candidate = judge(model, config.data, config.max_fpr, config.seed, tracked, dataset)
        tracked.rename(f"promote {candidate.evaluation.pipeline.recipe.label}")
        if seen is not None and registry.model_of(seen).model_id == model.model_id:
            promoted, lines = False, [f"{model.name} is the champion already"]
        else:
            outcome = _pass_gates(config, candidate, seen, tracked)
            promoted, lines = _settle(candidate, outcome, seen, tracked)
        tracked.set_tags({"asd.promoted": str(promoted).lower()})
        tracked.report(*lines, after=SERVE if promoted else "")
    return promoted


def _pass_gates(
    config: PromoteConfig, candidate: Evaluated, seen: str | None, tracked: TrackedRun
) -> list[Gate]:
    """Put the candidate through the gates; the costly one only if the others let it through."""
    evaluation = candidate.evaluation
    champion = None if seen is None else _judge_champion(seen, evaluation.dataset, config)
    with tempfile.TemporaryDirectory() as folder:
        probe = gates.probe(evaluation.pipeline, evaluation.dataset, Path(folder))
        outcome = [
            gates.gain(evaluation, champion, config.metric, config.min_gain),
            gates.false_alarms(evaluation, champion),
            gates.latency(probe, evaluation.pipeline, config.max_latency_ms),
        ]
        if not any(gate.refuses for gate in outcome):
            outcome.append(_reload(candidate.model, probe))
    for gate in outcome:
        tracked.log_metrics(gate.figures)
        tracked.set_tags({f"asd.gate.{gate.name}": str(gate)})
    return outcome


def _reload(model: ModelRef, probe: Probe) -> Gate:
    try:
        return gates.reload(probe, fresh_scores(model, probe.files))
    except TrackingError as error:
        return Gate("reload", False, str(error))


def _judge_champion(version: str, dataset: Dataset, config: PromoteConfig) -> Evaluation:
    """Score the champion afresh on the candidate's clips."""
    try:
        model = registry.model_of(version)
        with step_run("evaluate", {"model": model.uri}, "evaluate champion") as tracked:
            return judge(model, "", config.max_fpr, config.seed, tracked, dataset).evaluation
    except TrackingError as error:
        raise TrackingError(
            f"the champion, version {version}, cannot be compared with: {error}; to do without "
            "it, give `mlflow run . -e rollback`"
        ) from error


def _settle(
    candidate: Evaluated, outcome: list[Gate], seen: str | None, tracked: TrackedRun
) -> tuple[bool, list[str]]:
    """Move the aliases as the gates say, and keep the evidence with the version."""
    name = candidate.model.name
    version = registry.register(candidate.model, evidence(candidate.evaluation))
    refusals = [gate.name for gate in outcome if gate.refuses]
    promoted = not refusals and registry.promote(version, seen)
    if promoted:
        line = f"promoted: {name} is champion, version {version}"
    else:
        registry.challenge(version)
        line = f"not promoted: {name} is challenger, version {version}; "
        line += f"refused by {', '.join(refusals)}" if refusals else registry.overtaken(seen)
    lines = [line, *map(str, outcome)]
    decision = {"promotion": "\n".join(lines), "promotion.run_id": tracked.run_id}
    registry.register(candidate.model, decision)
    return promoted, lines
