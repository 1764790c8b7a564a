"""One MLflow run a step: params, metrics, data set inputs, and the reason when it fails."""

import io
import logging
import os
import tempfile
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import pandas as pd
from mlflow.data.pandas_dataset import PandasDataset, from_pandas
from mlflow.entities import Metric, RunStatus
from mlflow.exceptions import MlflowException
from PIL import Image
from sqlalchemy.exc import SQLAlchemyError

import asd
from asd.data.manifest import COLUMNS, Dataset
from asd.errors import AsdError, OutputError, TrackingError
from asd.files import is_storage_error, unwritable
from asd.language import tr
from asd.text import printable, printable_lines
from asd.tracking.alive import leave_behind, note_run, runs_of_the_dead
from asd.tracking.experiment import claim_default
from asd.tracking.store import check_artifacts, client, first_line, recent_runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ERROR_TAG = "asd.error"
STEP_TAG = "asd.step"
SECONDS_PARAM = "data.seconds"
"""Length of the data set that a step worked on."""
VERSION_TAG = "asd.version"
KILLED_TAG = "asd.killed"
"""On a run that had come to its end when its process was killed: its command was told of no end."""
_NAME_TAG = "mlflow.runName"
_BEGUN = "asd-begun-"
"""Begins the name of a run before it gets its own."""
_MAX_PARAM = 6000
_MAX_TAG = 5000
_MAX_BATCH = 1000
_OPEN = ("RUNNING", "SCHEDULED")

logger = logging.getLogger(__name__)


class TrackedRun:
    """The active MLflow run of a step."""

    def __init__(self, run_id: str, nested: bool) -> None:
        self.run_id = run_id
        self._nested = nested

    def rename(self, name: str) -> None:
        """Give the run another name in the UI."""
        mlflow.set_tag(_NAME_TAG, printable(name))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Tag the run."""
        mlflow.set_tags({key: printable_lines(value) for key, value in tags.items()})

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log params, but for those that the run has already.

        MLflow logs what stood on its command line itself, quoted as for a shell, and fails a
        run that spells a param in two ways.
        """
        known = client().get_run(self.run_id).data.params
        mlflow.log_params({k: v for k, v in as_logged(params).items() if k not in known})

    def log_metrics(
        self,
        metrics: Mapping[str, float],
        step: int | None = None,
        model_id: str | None = None,
        dataset: Dataset | None = None,
    ) -> None:
        """Log metrics to the run and, where `model_id` is given, to that model."""
        logged = None if dataset is None else _as_mlflow(dataset)
        mlflow.log_metrics(dict(metrics), step=step, model_id=model_id, dataset=logged)

    def log_history(self, history: Mapping[int, Mapping[str, float]]) -> None:
        """Log the metrics of all steps at once, step by step."""
        now = int(1000 * time.time())
        entries = [
            Metric(key, value, now, step)
            for step, metrics in history.items()
            for key, value in metrics.items()
        ]
        for start in range(0, len(entries), _MAX_BATCH):
            client().log_batch(self.run_id, metrics=entries[start : start + _MAX_BATCH])

    def log_input(self, dataset: Dataset, context: str) -> None:
        """Log a data set, or a side of one, as an input; `context` says what it is for."""
        logged = _as_mlflow(dataset)
        try:
            mlflow.log_input(logged, context=context)
        except MlflowException as error:
            if "constraint" not in str(error).lower():
                raise
            # Another process has logged the same data set in the same moment: now it is there.
            mlflow.log_input(logged, context=context)

    def log_figures(self, figures: "Mapping[str, Figure]", grid: Collection[str] = ()) -> None:
        """Log figures as ``plots/<name>.png``.

        Parameters
        ----------
        figures : mapping of str to Figure
            By name; each is drawn once.
        grid : collection of str
            Names of those that MLflow shows in a grid across runs as well.
        """
        if not figures:
            return
        with tempfile.TemporaryDirectory() as folder:
            for name, figure in figures.items():
                drawn = io.BytesIO()
                figure.savefig(drawn, format="png")
                (Path(folder) / f"{name}.png").write_bytes(drawn.getvalue())
                if name in grid:
                    mlflow.log_image(Image.open(drawn), key=name, step=0, synchronous=True)
            self.log_files(Path(folder), "plots")

    def lineage(self) -> dict[str, str]:
        """Which run it is and what code it runs, by name."""
        tags = client().get_run(self.run_id).data.tags
        commit = tags.get("mlflow.source.git.commit", "")
        code = f"asd {asd.__version__}" + (f", {commit[:12]}" if commit else "")
        return {"Run": self.run_id, "Code": code}

    def log_json(self, values: Mapping[str, Any], path: str) -> None:
        """Log values as a JSON file."""
        mlflow.log_dict(dict(values), path)

    def log_text(self, text: str, path: str) -> None:
        """Log a text file."""
        mlflow.log_text(printable_lines(text), path)

    def log_files(self, path: Path, folder: str | None = None) -> None:
        """Log a file, or all files of a folder."""
        if path.is_dir():
            mlflow.log_artifacts(str(path), folder)
        else:
            mlflow.log_artifact(str(path), folder)

    def report(self, *lines: str, after: str = "") -> None:
        """Say to the user what was made, and keep it as ``report.txt``.

        `after` is what to do next; it is not said by a step that is part of another one.
        """
        plain = [printable(line) for line in lines]
        for line in plain:
            logger.log(_level(line), "%s", line)
        if after and not self._nested:
            logger.info(tr("next: {command}", command=printable(after)))
        mlflow.log_text("\n".join(plain) + "\n", "report.txt")


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
            tags = {STEP_TAG: step, VERSION_TAG: asd.__version__, _NAME_TAG: name or step}
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
    if parent:
        experiment = client().get_run(parent).info.experiment_id
        wish |= {"parent_run_id": parent, "experiment_id": experiment}
    note_run(wish["run_name"], mlflow.get_tracking_uri())
    try:
        return mlflow.start_run(**wish)
    except KeyboardInterrupt as error:
        for run_id in _ids(wish["run_name"]):
            _end_failed(run_id, error)
        raise
    except MlflowException as error:
        if error.error_code == "RESOURCE_ALREADY_EXISTS":
            # Another process has made the experiment in the same moment: now it is there.
            return mlflow.start_run(**wish)
        remedy = (
            "check MLFLOW_TRACKING_URI: a relative address counts from the project's folder, so "
            "give an absolute one, as in sqlite:////folder/mlflow.db"
        )
        if "OperationalError" in str(error):
            remedy = "make room, or allow writing there"
        elif "'active' state" in str(error):
            remedy = (
                "that experiment was deleted: bring it back with `mlflow experiments restore "
                "--experiment-id <number>`, or give another with --experiment-name"
            )
        raise TrackingError(
            tr(
                "MLflow store {uri}: no run can be started there ({reason}); {remedy}",
                uri=mlflow.get_tracking_uri(),
                reason=first_line(error),
                remedy=remedy,
            )
        ) from error


def data_params(dataset: Dataset) -> dict[str, Any]:
    """What identifies a data set, under the same names in all runs."""
    return {
        "data.name": dataset.name,
        "data.digest": dataset.digest,
        "data.clips": len(dataset.clips),
        SECONDS_PARAM: round(dataset.seconds(), 1),
    }


def _as_mlflow(dataset: Dataset) -> PandasDataset:
    frame = pd.DataFrame([clip.model_dump() for clip in dataset.clips], columns=list(COLUMNS))
    frame = frame.astype({"noise_gain_db": "float64"})
    source = printable(str(dataset.root.resolve()))
    return from_pandas(frame, source=source, name=dataset.name, digest=dataset.digest)


def as_logged(params: Mapping[str, Any]) -> dict[str, str]:
    """Params as a run keeps them."""
    return {key: _text(value) for key, value in params.items()}


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        value = ",".join(map(str, value))
    return printable(str(value))[:_MAX_PARAM]


def _level(line: str) -> int:
    """How loud a line of a report is: what limits a result is a warning."""
    mark = tr("warning: {warning}", warning="")
    return logging.WARNING if line.startswith(mark) else logging.INFO
