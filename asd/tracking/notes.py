"""The written answer of a step: on its run, its parent's page, the model, the experiment."""

from collections.abc import Sequence

from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from asd.language import tr
from asd.tracking.models import ModelRef
from asd.tracking.runs import TrackedRun
from asd.tracking.store import client

_OURS = "asd.note"
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
    text = "\n".join(lines)
    tracked.log_text(text + "\n", "report.md")
    tracked.set_tags({MLFLOW_RUN_NOTE: text[:_MAX_NOTE]})
    if model is not None:
        client().set_logged_model_tags(model.model_id, {MLFLOW_RUN_NOTE: text[:_MAX_NOTE]})


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
    text = "\n".join(lines)[:_MAX_NOTE]
    store.set_experiment_tag(experiment.experiment_id, MLFLOW_RUN_NOTE, text)


def describe_version(name: str, version: str, lines: Sequence[str], champion: bool) -> None:
    """Put an answer on the page of a registered version; the champion's on the machine's too."""
    text = "\n".join(lines)[:_MAX_NOTE]
    client().update_model_version(name, version, description=text)
    if champion:
        client().update_registered_model(name, description=text)
