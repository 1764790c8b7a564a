"""Make a model the champion when it beats the present one on the same data."""

import hashlib
import json
from typing import Any

from asd.config.steps import PromoteConfig
from asd.data.manifest import Dataset
from asd.errors import TrackingError
from asd.steps import gates
from asd.steps.datasets import open_dataset
from asd.steps.evaluate import Evaluation, judge
from asd.steps.gates import Gate
from asd.tracking import registry
from asd.tracking.models import load, resolve, training_params
from asd.tracking.runs import TrackedRun, data_params, step_run

SERVE = f"mlflow models serve -m {registry.CHAMPION_URI} --env-manager local -p 5001"

_EVIDENCE = (
    "auc", "auc_low", "auc_high", "pauc", "average_precision", "f1",
    "false_alarm_rate", "false_alarm_rate_low", "false_alarm_rate_high",
)  # fmt: skip


def run(config: PromoteConfig, dataset: Dataset | None = None) -> bool:
    """Compare candidate and champion on the test clips of one data set; true when promoted.

    `dataset` is what stands in `data` where that is open already.

    All gates of `asd.steps.gates` must hold. The candidate gets a version in the registry either
    way: as ``champion``, or as ``challenger``.

    Raises
    ------
    AsdError
        There is no such model or data set, a model's files have been changed, or the metric is
        undefined on the data set.
    """
    with step_run("promote", config.flat()) as tracked:
        seen = registry.holders().champion
        candidate = resolve(config.model_uri)
        pipeline = load(candidate)
        dataset = open_dataset(dataset or config.data or pipeline.trained_on.path)
        tracked.rename(f"promote {pipeline.detector.name}")
        tracked.log_params({"model": candidate.uri, **data_params(dataset)})
        evaluation = judge(candidate, pipeline, dataset, tracked, config.max_fpr, config.seed)
        if seen is not None and registry.model_of(seen).model_id == candidate.model_id:
            promoted, lines = False, [f"{candidate.name} is the champion already"]
        else:
            outcome = _pass_gates(config, evaluation, seen, tracked)
            promoted, lines = _settle(evaluation, outcome, seen, tracked)
        tracked.set_tags({"asd.promoted": str(promoted).lower()})
        tracked.report(*lines, after=SERVE if promoted else "")
    return promoted


def _pass_gates(
    config: PromoteConfig, candidate: Evaluation, seen: str | None, tracked: TrackedRun
) -> list[Gate]:
    """Put the candidate through the gates; the costly one only if the others let it through."""
    champion = None if seen is None else _judge_champion(seen, candidate.dataset, config)
    probe = gates.probe(candidate.pipeline, candidate.dataset)
    outcome = [
        gates.gain(
            candidate, champion, config.metric, config.min_gain, config.seed, config.max_fpr
        ),
        gates.false_alarms(candidate, champion),
        gates.latency(probe, candidate.pipeline, config.max_latency_ms),
    ]
    if not any(gate.refuses for gate in outcome):
        outcome.append(gates.reload(candidate.model, probe))
    for gate in outcome:
        tracked.log_metrics(gate.figures)
        tracked.set_tags({f"asd.gate.{gate.name}": str(gate)})
    return outcome


def _judge_champion(version: str, dataset: Dataset, config: PromoteConfig) -> Evaluation:
    """Score the champion afresh on the candidate's clips."""
    try:
        model = registry.model_of(version)
        with step_run("evaluate", {"model": model.uri}, "evaluate champion") as tracked:
            return judge(model, load(model), dataset, tracked, config.max_fpr, config.seed)
    except TrackingError as error:
        raise TrackingError(
            f"the champion, version {version}, cannot be compared with: {error}; to do without "
            "it, give `mlflow run . -e rollback`"
        ) from error


def _settle(
    candidate: Evaluation, outcome: list[Gate], seen: str | None, tracked: TrackedRun
) -> tuple[bool, list[str]]:
    """Move the aliases as the gates say, and keep the evidence with the version."""
    name = candidate.model.name
    version = registry.register(candidate.model, _evidence(candidate))
    refusals = [gate.name for gate in outcome if gate.refuses]
    promoted = not refusals and registry.promote(version, seen)
    if promoted:
        line = f"promoted: {name} is champion, version {version}"
    else:
        registry.challenge(version)
        line = f"not promoted: {name} is challenger, version {version}; "
        line += f"refused by {', '.join(refusals)}" if refusals else _overtaken(seen)
    lines = [line, *map(str, outcome)]
    decision = {"promotion": "\n".join(lines), "promotion.run_id": tracked.run_id}
    registry.register(candidate.model, decision)
    return promoted, lines


def _overtaken(seen: str | None) -> str:
    now = registry.holders().champion
    compared = f"version {seen}" if seen else "no champion"
    return (
        f"another promotion made version {now} champion while this one was compared with "
        f"{compared}; give promote again"
    )


def _evidence(candidate: Evaluation) -> dict[str, str]:
    """What a version is and how it did, as tags."""
    text = json.dumps(_settings(candidate), sort_keys=True)
    promised = candidate.pipeline.threshold.promised_rate
    return {
        "detector": candidate.pipeline.detector.name,
        "config": text,
        "config.digest": hashlib.sha256(text.encode()).hexdigest()[:16],
        "data.name": candidate.dataset.name,
        "data.digest": candidate.dataset.digest,
        "data.trained_on": candidate.pipeline.trained_on.digest,
        "threshold.promised_rate": "none" if promised is None else f"{promised:.6g}",
        **{
            f"metric.{name}": f"{candidate.metrics[name]:.6g}"
            for name in _EVIDENCE
            if name in candidate.metrics
        },
    }


def _settings(candidate: Evaluation) -> dict[str, Any]:
    """Everything that was chosen for a model, under the names of the runs' params."""
    detector = candidate.pipeline.detector
    params = training_params(candidate.model)
    return {
        "detector": detector.name,
        **detector.config.flat("detector."),
        **candidate.pipeline.features.flat("features."),
        **{name: text for name, text in params.items() if name.startswith("threshold.")},
        "seed": detector.seed,
    }
