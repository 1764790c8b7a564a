"""The MLflow store: made once, under a lock, and checked before it is used."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import mlflow
from alembic.util import CommandError
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from asd.errors import TrackingError
from asd.features.store import FeatureStore
from asd.files import writing
from asd.language import tr
from asd.tracking.database import database_of, make_whole

_PROXIED = "mlflow-artifacts:"
_CACHE = ".cache"
_NO_PLACE = ("disk is full", "readonly database", "unable to open database")
"""What SQLite says where the fault is the disk's, and not the database's."""


def client() -> MlflowClient:
    """A client for the store that MLflow itself would use, checked once a process and store.

    A database file is made whole at its first use, one process after the other, and anew where
    it was left half made.

    Raises
    ------
    TrackingError
        The store cannot be reached, or would lose artifacts (see `check_artifacts`).
    OutputError
        The database cannot be written.
    """
    # The address of a local store may be relative to the folder.
    return _connected(mlflow.get_tracking_uri(), mlflow.get_registry_uri(), Path.cwd())


@cache
def _connected(uri: str, registry_uri: str, folder: Path) -> MlflowClient:
    del folder
    database = database_of(uri)
    try:
        with _first_use(database):
            connected = MlflowClient(uri, registry_uri)
            connected.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, CommandError) as error:
        remedy = "check MLFLOW_TRACKING_URI"
        if any(sign in str(error) for sign in _NO_PLACE):
            remedy = "make room, or allow writing there"
        elif database and not isinstance(error, MlflowException):
            remedy = f"move {database} away or restore it from a copy, then give `make setup`"
        raise TrackingError(
            tr(
                "MLflow store {uri}: cannot be used ({reason}); {remedy}",
                uri=uri,
                reason=first_line(error),
                remedy=remedy,
            )
        ) from error
    return connected


def experiment_ids() -> list[str]:
    """All experiments of the store that nobody has deleted."""
    return [experiment.experiment_id for experiment in client().search_experiments()]


def recent_runs(wanted: str, most: int) -> list[Run]:
    """The newest runs of all experiments that fit a filter of MLflow's, the newest first."""
    newest = ["attributes.start_time DESC"]
    return list(client().search_runs(experiment_ids(), wanted, max_results=most, order_by=newest))


def find_runs(experiment: str, wanted: str) -> list[Run]:
    """All runs of an experiment that fit a filter of MLflow's, the newest first."""
    store = client()
    runs: list[Run] = []
    token = None
    while True:
        page = store.search_runs([experiment], wanted, max_results=1000, page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def first_line(error: Exception) -> str:
    """What an error of a library says, without its SQL and its links."""
    lines = str(error).splitlines() or [type(error).__name__]
    # SQLAlchemy says first how it came to ask, then what the database answered.
    return next((line for line in lines if "Error) " in line), lines[0])


@contextmanager
def _first_use(database: Path | None) -> Iterator[None]:
    if database is None or not database.absolute().parent.is_dir():
        yield
        return
    with writing(database.parent / _CACHE):
        lock = FileLock(_cache_beside(database) / "mlflow-store.lock")
        lock.acquire()
    try:
        make_whole(database)
        yield
    finally:
        lock.release()


def check_artifacts(artifact_uri: str) -> None:
    """Refuse a run whose artifacts would go through a server that is not there.

    ``mlflow ui``, started in a folder without a store, makes the Default experiment with an
    artifact root that only that server understands, while runs write to the database directly.

    Raises
    ------
    TrackingError
        Says which command to give instead.
    """
    direct = not mlflow.get_tracking_uri().startswith(("http:", "https:"))
    if direct and artifact_uri.startswith(_PROXIED):
        raise TrackingError(
            tr(
                "artifact root {artifact_uri} belongs to an `mlflow ui` that was "
                "started before the first run and cannot be written directly; add "
                "--experiment-name asd to `mlflow run` (or set "
                "MLFLOW_EXPERIMENT_NAME=asd), and run `make setup` before `mlflow "
                "ui` next time",
                artifact_uri=artifact_uri,
            )
        )


@contextmanager
def registry_lock() -> Iterator[None]:
    """Let one process at a time change the registry, where its database is a local file.

    Elsewhere there is no lock: who changes the registry looks again just before.
    """
    database = database_of(mlflow.get_registry_uri())
    if database is None:
        yield
        return
    with FileLock(_cache_beside(database) / "registry.lock"):
        yield


def feature_store() -> FeatureStore:
    """The store of computed features: at ``ASD_CACHE_DIR``, or in ``.cache/features`` here."""
    return FeatureStore(os.environ.get("ASD_CACHE_DIR", ".cache/features"))


def cache_root() -> Path:
    """The folder of that store on this machine; for a URL, that of its copy."""
    return feature_store().root


def _cache_beside(database: Path) -> Path:
    folder = database.parent / _CACHE
    folder.mkdir(exist_ok=True)
    return folder
