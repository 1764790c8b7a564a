"""The MLflow store: made once, under a lock, and checked before it is used."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import mlflow
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from asd.errors import TrackingError

_PROXIED = "mlflow-artifacts:"


def client() -> MlflowClient:
    """A client for the store that MLflow itself would use, checked once a process and store.

    The first use of a new store migrates a database, in which several processes at once would
    race: they queue at a lock beside it.

    Raises
    ------
    TrackingError
        The store cannot be reached, or would lose artifacts (see `check_artifacts`).
    """
    # The address of a local store may be relative to the folder.
    return _connected(mlflow.get_tracking_uri(), mlflow.get_registry_uri(), Path.cwd())


@cache
def _connected(uri: str, registry_uri: str, folder: Path) -> MlflowClient:
    del folder
    local = uri.startswith("sqlite:")
    lock = FileLock(_lock_path()) if local else None
    try:
        if lock:
            lock.acquire()
        connected = MlflowClient(uri, registry_uri)
        connected.search_experiments(max_results=1)
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        raise TrackingError(
            f"MLflow store {uri}: cannot be used ({reason}); check MLFLOW_TRACKING_URI"
        ) from error
    finally:
        if lock:
            lock.release()
    return connected


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
            f"artifact root {artifact_uri} belongs to an `mlflow ui` that was started before the "
            "first run and cannot be written directly; add --experiment-name asd to `mlflow run` "
            "(or set MLFLOW_EXPERIMENT_NAME=asd), and run `make setup` before `mlflow ui` next time"
        )


@contextmanager
def registry_lock() -> Iterator[None]:
    """Let one process at a time change the registry, where its database is a local file.

    Elsewhere there is no lock: who changes the registry looks again just before.
    """
    uri = mlflow.get_registry_uri()
    if not uri.startswith("sqlite:"):
        yield
        return
    folder = Path(uri.partition(":///")[2]).parent / ".cache"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "registry.lock"):
        yield


def cache_root() -> Path:
    """Where computed features are kept: ``ASD_CACHE_DIR``, or ``.cache/features`` here."""
    return Path(os.environ.get("ASD_CACHE_DIR", ".cache/features"))


def _lock_path() -> Path:
    folder = Path(".cache")
    folder.mkdir(exist_ok=True)
    return folder / "mlflow-store.lock"
