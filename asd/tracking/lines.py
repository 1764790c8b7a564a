"""Sentences that several steps say."""

from collections.abc import Sequence
from pathlib import Path

from asd.decision.thresholds import Threshold
from asd.language import tr
from asd.tracking.champions import address
from asd.tracking.commands import serve_command, step_command, ui_command
from asd.tracking.models import ModelRef


def model_line(model: ModelRef) -> str:
    """Where a model that was logged is found."""
    return tr("model {uri}, run {run}", uri=model.uri, run=model.run_id)


def moved_line(now: Threshold, before: Threshold) -> str:
    """What a threshold is, and what it was."""
    return tr("threshold {value:.6g}, before {before:.6g}", value=now.value, before=before.value)


def already_line(model: ModelRef, name: str) -> str:
    """That there is nothing to promote."""
    return tr("{model} is the champion of {name} already", model=model.name, name=name)


def promotion_line(model: ModelRef, name: str, version: str) -> str:
    """That a model became champion of a machine."""
    return tr(
        "promoted: {model}, version {version}, became champion of {name}",
        model=model.name,
        version=version,
        name=name,
    )


def refusal_line(model: ModelRef, name: str, version: str, reason: str) -> str:
    """That a model did not become champion of a machine, and why."""
    return tr(
        "not promoted: {model}, version {version}, became challenger of {name}; {reason}",
        model=model.name,
        version=version,
        name=name,
        reason=reason,
    )


def refused_by(gates: Sequence[str]) -> str:
    """The gates that do not let a model through."""
    return tr("refused by {gates}", gates=", ".join(gates))


def closing_lines(name: str, champion: ModelRef | None, example: Path) -> list[str]:
    """Who is champion of a machine, and what may be done with it; `example` is a clip to score."""
    score = step_command("score", source=example, name=name)
    holder = champion.name if champion else tr("none")
    return [
        tr("champion: {champion} ({address})", champion=holder, address=address(name)),
        tr("see the runs:  {command}", command=ui_command()),
        tr("serve it:      {command}", command=serve_command(name)),
        tr("score a file:  {command}", command=score),
    ]
