"""One MLflow run a step: params, metrics, data set inputs, and the reason when it fails."""

import logging
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import mlflow
from mlflow.entities import RunStatus
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

import asd
from asd.errors import AsdError, OutputError, TrackingError
from asd.files import is_storage_error, unwritable
from asd.language import tr
from asd.text import printable
from asd.tracking.alive import leave_behind, note_run, runs_of_the_dead
from asd.tracking.experiment import claim_default
from asd.tracking.store import check_artifacts, client, first_line, recent_runs
from asd.tracking.tracked import NAME_TAG, TrackedRun

ERROR_TAG = "asd.error"
STEP_TAG = "asd.step"
SECONDS_PARAM = "data.seconds"
"""Length of the data set that a step worked on."""
VERSION_TAG = "asd.version"
KILLED_TAG = "asd.killed"
"""On a run that had come to its end when its process was killed: its command was told of no end."""
PARENT_TAG = "mlflow.parentRunId"
_BEGUN = "asd-begun-"
"""Begins the name of a run before it gets its own."""
_MAX_TAG = 5000
_OPEN = ("RUNNING", "SCHEDULED")

logger = logging.getLogger(__name__)


@contextmanager
def step_run(
    step: str, params: Mapping[str, Any], name: str = "", parent: str = ""
) -> Iterator[TrackedRun]:
    """A run for one step: MLflow's own under ``mlflow run``, nested below an active one.

    Parameters
    ----------
    step : str
        Name of the step, kept as the tag ``asd.step``.
    params : mapping
        The flat config.
    name : str
        Name of the run in the UI; the step's where not given.
    parent : str
        Id of the run to stand below, which may belong to another process.

    Raises
    ------
    AsdError
        What the step raised, or what kept its results from being written; the run is then FAILED,
        with the reason in the tag ``asd.error``.
    KeyboardInterrupt
        The process was told to end; the run is then KILLED.
    """
    client()
    claim_default()
    nested = bool(parent) or mlflow.active_run() is not None
    if not nested:
        _end_runs_of_the_dead()
    run = begin_run(nested, parent)
    note_run(run.info.run_id, mlflow.get_tracking_uri())
    try:
        with _plain_errors():
            check_artifacts(run.info.artifact_uri)
            tags = {STEP_TAG: step, VERSION_TAG: asd.__version__, NAME_TAG: name or step}
            tracked = TrackedRun(run.info.run_id, nested)
            tracked.set_tags(tags)
            tracked.log_params(params)
            yield tracked
        mlflow.end_run()
    except BaseException as error:
        _end_failed(run.info.run_id, error)
        raise


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn what a disk or a database says into the one line that a user gets."""
    try:
        yield
    except OSError as error:
        if not is_storage_error(error):
            raise
        raise unwritable(str(error.filename or "the disk"), error) from error
    except (SQLAlchemyError, MlflowException) as error:
        if "OperationalError" not in f"{type(error)} {error}":
            raise
        raise TrackingError(
            tr(
                "MLflow store {uri}: cannot be written ({reason}); make "
                "room, or allow writing there",
                uri=mlflow.get_tracking_uri(),
                reason=first_line(error),
            )
        ) from error


def _end_failed(run_id: str, error: BaseException) -> None:
    """End a run as what happened calls for; the next command does where the store is gone."""
    interrupted = isinstance(error, KeyboardInterrupt)
    if isinstance(error, AsdError) or interrupted:
        tag_failure(str(error) or "interrupted")
    status = RunStatus.KILLED if interrupted else RunStatus.FAILED
    active = mlflow.active_run()
    try:
        if active and active.info.run_id == run_id:
            mlflow.end_run(RunStatus.to_string(status))
        else:  # MLflow was stopped while it ended the run, which it takes from its list first
            client().set_terminated(run_id, RunStatus.to_string(status))
    except (MlflowException, SQLAlchemyError, OSError) as second:
        logger.debug("the run could not be ended (%s)", second)
        leave_behind()


def _end_runs_of_the_dead() -> None:
    """End what processes that were killed have left RUNNING."""
    noted = runs_of_the_dead(mlflow.get_tracking_uri())
    for run_id in [run_id for name in noted for run_id in _ids(name)]:
        try:
            status = client().get_run(run_id).info.status
            if status in _OPEN:
                client().set_tag(run_id, ERROR_TAG, "its process was killed")
                client().set_terminated(run_id, RunStatus.to_string(RunStatus.KILLED))
            elif status == "FINISHED":
                client().set_tag(run_id, KILLED_TAG, "after its work was done")
        except MlflowException as error:
            logger.debug("run %s: could not be ended (%s)", run_id, error)


def _ids(noted: str) -> list[str]:
    """The run that was noted, by its id or by the name that it had when it was begun."""
    if not noted.startswith(_BEGUN):
        return [noted]
    return [run.info.run_id for run in recent_runs(f"attributes.run_name = '{noted}'", 1)]


def tag_failure(reason: str) -> None:
    """Say in the active run, or in the one that ``mlflow run`` made, why it failed."""
    run = mlflow.active_run()
    run_id = run.info.run_id if run else os.environ.get("MLFLOW_RUN_ID")
    if not run_id:
        return
    try:
        client().set_tag(run_id, ERROR_TAG, printable(reason)[:_MAX_TAG])
    except (MlflowException, SQLAlchemyError, TrackingError, OutputError) as error:
        # The store may be what failed; the user is told the reason itself all the same.
        logger.debug("run %s: its reason could not be kept (%s)", run_id, error)


def begin_run(nested: bool, parent: str) -> mlflow.ActiveRun:
    """Begin a run that is ended whatever ends this process, from the moment it is in the store.

    Parameters
    ----------
    nested : bool
        Whether another run is active.
    parent : str
        Id of the run to stand below, which may belong to another process; none where empty.

    Raises
    ------
    TrackingError
        The store takes no run.
    """
    # The store gives the id: until it is known, this name tells whose run it is.
    wish: dict[str, Any] = {"nested": nested, "run_name": f"{_BEGUN}{uuid.uuid4().hex}"}
    active = mlflow.active_run()
    elsewhere = bool(parent) and active is not None and active.info.run_id != parent
    if parent:
        wish["experiment_id"] = client().get_run(parent).info.experiment_id
    if parent and not elsewhere:
        wish["parent_run_id"] = parent
    note_run(wish["run_name"], mlflow.get_tracking_uri())
    try:
        run = _start(wish)
        if elsewhere:  # MLflow begins runs below the active one only
            mlflow.set_tag(PARENT_TAG, parent)
        return run
    except KeyboardInterrupt as error:
        for run_id in _ids(wish["run_name"]):
            _end_failed(run_id, error)
        raise
    except MlflowException as error:
        raise TrackingError(
            tr(
                "MLflow store {uri}: no run can be started there ({reason}); {remedy}",
                uri=mlflow.get_tracking_uri(),
                reason=first_line(error),
                remedy=_remedy(str(error)),
            )
        ) from error


def _start(wish: Mapping[str, Any]) -> mlflow.ActiveRun:
    try:
        return mlflow.start_run(**wish)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        # Another process has made the experiment in the same moment: now it is there.
        return mlflow.start_run(**wish)


def _remedy(reason: str) -> str:
    if "OperationalError" in reason:
        return "make room, or allow writing there"
    if "'active' state" in reason:
        return (
            "that experiment was deleted: bring it back with `mlflow experiments restore "
            "--experiment-id <number>`, or give another with --experiment-name"
        )
    return (
        "check MLFLOW_TRACKING_URI: a relative address counts from the project's folder, so "
        "give an absolute one, as in sqlite:////folder/mlflow.db"
    )
