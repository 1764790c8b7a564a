"""Make a model the champion when it beats the present one on the same data."""

import tempfile
from pathlib import Path

from asd.config.steps import PromoteConfig
from asd.data.manifest import Dataset
from asd.errors import TrackingError
from asd.evaluation import gates
from asd.evaluation.answer import findings
from asd.evaluation.evaluation import Evaluation
from asd.evaluation.gates import Gate
from asd.evaluation.metric_table import metric_named
from asd.steps.evaluate import Evaluated, judge
from asd.tracking import champions, registry
from asd.tracking.commands import serve_command, step_command
from asd.tracking.evaluations import evidence
from asd.tracking.fresh import environment_gate, reload_gate
from asd.tracking.lines import already_line, promotion_line, refusal_line, refused_by
from asd.tracking.models import resolve
from asd.tracking.notes import describe_machine, describe_version
from asd.tracking.runs import step_run
from asd.tracking.tracked import TrackedRun


def run(config: PromoteConfig, dataset: Dataset | None = None) -> bool:
    """Compare candidate and champion by `asd.evaluation.gates`; true when promoted.

    Parameters
    ----------
    config : PromoteConfig
        What to promote, and on what conditions.
    dataset : Dataset, optional
        `data`, where it is open already.

    Raises
    ------
    AsdError
        There is no such model or data set, it has been changed, or the metric is undefined.
    """
    metric_named(config.metric)  # a wrong word is found before any work is done
    with step_run("promote", config.flat()) as tracked:
        model = resolve(config.model_uri)
        name = config.name or champions.default_name(model.data)
        seen = registry.holders(name).champion
        tracked.log_params({"model": model.uri})
        candidate = judge(model, config.data, config.max_fpr, config.seed, tracked, dataset)
        tracked.rename(f"promote {model.name}")
        if seen is not None and registry.version_of(name, model) == seen:
            promoted, lines = False, [already_line(model, name)]
            describe_machine(name, seen)  # may have been killed before it came to it
        else:
            config = config.model_copy(update={"name": name})
            outcome = _pass_gates(config, candidate, seen, tracked)
            promoted, lines = _settle(name, candidate, outcome, seen, tracked)
        tracked.set_tags({"asd.promoted": str(promoted).lower(), "asd.registered": name})
        tracked.report(*lines, after=serve_command(name) if promoted else "")
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
            outcome.append(reload_gate(candidate.model, probe))
            if config.environment:
                outcome.append(environment_gate(candidate.model))
    for gate in outcome:
        tracked.log_metrics(gate.figures)
        tracked.set_tags({f"asd.gate.{gate.name}": str(gate)})
    return outcome


def _judge_champion(version: str, dataset: Dataset, config: PromoteConfig) -> Evaluation:
    """Score the champion afresh on the candidate's clips."""
    name = config.name
    champions.check_made_for(name, version, dataset, config.across_data)
    try:
        model = registry.model_of(name, version)
        with step_run("evaluate", {"model": model.uri}, "evaluate champion") as tracked:
            return judge(model, "", config.max_fpr, config.seed, tracked, dataset).evaluation
    except TrackingError as error:
        raise TrackingError(
            registry.incomparable(name, version, error, step_command("rollback", name=name))
        ) from error


def _settle(
    name: str, candidate: Evaluated, outcome: list[Gate], seen: str | None, tracked: TrackedRun
) -> tuple[bool, list[str]]:
    """Move the aliases as the gates say; what happened, not what is, stays with the version."""
    model = candidate.model
    version = registry.register(name, model, evidence(candidate.evaluation))
    refusals = [gate.name for gate in outcome if gate.refuses]

    def told(line: str) -> list[str]:
        lines = [line, *map(str, outcome)]
        tags = {"promotion": "\n".join(lines), "promotion.run_id": tracked.run_id}
        registry.register(name, model, tags)
        describe_version(name, version, [*findings(candidate.evaluation), "", *lines])
        return lines

    if not refusals:  # told first: whatever ends this, a champion says why it is one
        lines = told(promotion_line(model, name, version))
        if registry.promote(name, version, seen):
            describe_machine(name, version)
            return True, lines
    registry.challenge(name, version)
    reason = refused_by(refusals) if refusals else registry.overtaken(name, seen)
    return False, told(refusal_line(model, name, version, reason))
