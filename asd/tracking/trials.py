"""The MLflow runs of a sweep: one below the parent for each trial, none left RUNNING."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import mlflow
from mlflow.entities import Run, RunStatus

import asd
from asd.errors import AsdError
from asd.tracking.runs import ERROR_TAG, PARENT_TAG, STEP_TAG, begin_run
from asd.tracking.store import client, find_runs
from asd.tracking.tracked import TrackedRun

TRIAL_TAG = "asd.trial"
STATE_TAG = "asd.state"
STUDY_TAG = "asd.study"
STUDY_ID_TAG = "asd.study_id"
WORKER_TAG = "asd.worker"
_MAX_TAG = 5000


class PrunedError(Exception):
    """A trial is given up because others were better at the same epoch."""


@contextmanager
def trial_run(parent: str, tags: dict[str, str], run_id: str | None) -> Iterator[TrackedRun]:
    """The run of a trial below `parent`: a new one, or that of an attempt that was cut short.

    Parameters
    ----------
    parent : str
        Id of the sweep's run, which may belong to another process.
    tags : dict
        What identifies the trial.
    run_id : str, optional
        The run to go on with.
    """
    run = mlflow.start_run(run_id, nested=True) if run_id else begin_run(True, parent)
    step_tags = {STEP_TAG: "trial", "asd.version": asd.__version__, STATE_TAG: "running"}
    state, status = "interrupted", RunStatus.KILLED
    try:
        mlflow.set_tags({**step_tags, PARENT_TAG: parent, **tags})
        yield TrackedRun(run.info.run_id, nested=True)
        state, status = "complete", RunStatus.FINISHED
    except PrunedError:
        state, status = "pruned", RunStatus.FINISHED
        raise
    except AsdError as error:
        state, status = "failed", RunStatus.FAILED
        mlflow.set_tag(ERROR_TAG, str(error)[:_MAX_TAG])
        raise
    finally:
        mlflow.set_tag(STATE_TAG, state)
        mlflow.end_run(RunStatus.to_string(status))


def adopt(study_id: str, parent: str) -> None:
    """Put the runs of all trials of a study below another parent."""
    store = client()
    for run in _runs(study_id, parent):
        if TRIAL_TAG in run.data.tags and run.data.tags.get(PARENT_TAG) != parent:
            store.set_tag(run.info.run_id, PARENT_TAG, parent)


def end_lost_runs(study_id: str, parent: str, killed: Callable[[str], bool]) -> None:
    """End the runs that processes which were killed have left RUNNING.

    Parameters
    ----------
    study_id : str
        Tag of the runs.
    parent : str
        Any run of the same experiment.
    killed : callable
        Whether the process of that name has ended without leaving the study.
    """
    store = client()
    for run in _runs(study_id, parent):
        if not killed(run.data.tags.get(WORKER_TAG, "")):
            continue
        below = f"tags.`{PARENT_TAG}` = '{run.info.run_id}'"
        steps = [] if TRIAL_TAG in run.data.tags else find_runs(run.info.experiment_id, below)
        # Below a killed sweep stand trials, which have workers of their own, and its last steps.
        for left in (run, *(step for step in steps if WORKER_TAG not in step.data.tags)):
            if left.info.status == RunStatus.to_string(RunStatus.RUNNING):
                store.set_tag(left.info.run_id, STATE_TAG, "interrupted")
                store.set_terminated(left.info.run_id, RunStatus.to_string(RunStatus.KILLED))


def _runs(study_id: str, parent: str) -> list[Run]:
    experiment = client().get_run(parent).info.experiment_id
    return find_runs(experiment, f"tags.`{STUDY_ID_TAG}` = '{study_id}'")
