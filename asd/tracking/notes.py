"""The written answer of a step: on its run, its parent's page, the model, the experiment."""

from collections.abc import Sequence

from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from asd.language import tr
from asd.tracking.champions import address
from asd.tracking.models import ModelRef
from asd.tracking.store import client
from asd.tracking.tracked import TrackedRun

_OURS = "asd.note"
_NO_BREAK = "\u00a0"
_MAX_NOTE = 4900
"""MLflow cuts longer tags."""


def write_answer(tracked: TrackedRun, lines: Sequence[str], model: ModelRef | None = None) -> None:
    """Keep an answer as ``report.md`` and as the description of the run and of a model.

    Parameters
    ----------
    tracked : TrackedRun
        The run of the step.
    lines : sequence of str
        Markdown.
    model : ModelRef, optional
        What the answer is about.
    """
    tracked.log_text("\n".join(lines) + "\n", "report.md")
    note = {MLFLOW_RUN_NOTE: _page(lines)}
    tracked.set_tags(note)
    if model is not None:
        client().set_logged_model_tags(model.model_id, note)


def page_of(tracked: TrackedRun, artifact: str) -> str:
    """Where MLflow's pages show an artifact of a run, below their own address."""
    experiment = client().get_run(tracked.run_id).info.experiment_id
    return f"#/experiments/{experiment}/runs/{tracked.run_id}/artifacts/{artifact}"


def mistakes(page: str) -> list[str]:
    """Lines of an answer that lead to the clips of an evaluation, by the address of its page."""
    return [
        "",
        tr("Which clips it gets wrong, and why, to see and hear: [report]({page})", page=page),
    ]


def describe_experiment(tracked: TrackedRun, lines: Sequence[str]) -> None:
    """Put an answer above the list of runs, unless somebody else has written there."""
    store = client()
    experiment = store.get_experiment(store.get_run(tracked.run_id).info.experiment_id)
    if MLFLOW_RUN_NOTE in experiment.tags and _OURS not in experiment.tags:
        return
    store.set_experiment_tag(experiment.experiment_id, _OURS, tracked.run_id)
    store.set_experiment_tag(experiment.experiment_id, MLFLOW_RUN_NOTE, _page(lines))


def describe_version(name: str, version: str, lines: Sequence[str]) -> None:
    """Put an answer on the page of a registered version."""
    client().update_model_version(name, version, description=_page(lines))


def describe_machine(name: str, version: str) -> None:
    """Put on a machine's page who its champion is, what that can do, and how it is served."""
    known = client().get_model_version(name, version).description or ""
    command = f"mlflow models serve -m {address(name)} --env-manager local -p 5001"
    who = tr("Champion: version {version}. Serve it: `{command}`", version=version, command=command)
    client().update_registered_model(name, description=_page([who, "", known]))


def _page(lines: Sequence[str]) -> str:
    """Markdown as MLflow's pages show it: no longer than they keep, and columns apart.

    They give the cells of a table no space of their own.
    """
    return "\n".join(lines).replace(" |", f"{_NO_BREAK * 3}|")[:_MAX_NOTE]
