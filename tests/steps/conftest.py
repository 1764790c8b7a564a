"""A folder of its own for each test, with an MLflow store and small recordings."""

import pickle
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import soundfile

from asd import cluster
from asd.tracking.store import client
from tests import shortcuts

RATE = 8000


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database: migrating one takes seconds, copying it does not."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        client()
    return folder / "mlflow.db"


@pytest.fixture
def workspace(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with an MLflow store of its own."""
    shutil.copyfile(empty_store, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    shortcuts.take(monkeypatch)
    mlflow.create_experiment("test", artifact_location=(tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "test")
    return tmp_path


def hum(rng: np.random.Generator, seconds: float, knock: bool = False) -> np.ndarray:
    """A humming machine, and the same with something knocking in it."""
    t = np.arange(round(seconds * RATE)) / RATE
    signal = 0.2 * np.sin(2 * np.pi * 200 * t) + 0.05 * rng.standard_normal(len(t))
    if knock:
        signal += 0.5 * np.sin(2 * np.pi * 1500 * t) * (np.sin(2 * np.pi * 4 * t) > 0.9)
    return np.asarray(signal, np.float32)


@pytest.fixture
def recordings(workspace: Path) -> Path:
    """``recordings/normal`` and ``recordings/abnormal``, six and two files of 6 s."""
    rng = np.random.default_rng(0)
    for label, count in (("normal", 6), ("abnormal", 2)):
        folder = workspace / "recordings" / label
        folder.mkdir(parents=True)
        for index in range(count):
            samples = hum(rng, 6, knock=label == "abnormal")
            soundfile.write(folder / f"{label}-{index}.wav", samples, RATE)
    return workspace / "recordings"


def all_runs() -> list[mlflow.entities.Run]:
    """All runs of the store, newest first."""
    store = mlflow.MlflowClient()
    ids = [experiment.experiment_id for experiment in store.search_experiments()]
    return list(store.search_runs(ids, order_by=["attributes.start_time DESC"]))


@pytest.fixture
def runs(workspace: Path) -> Callable[[], list[mlflow.entities.Run]]:
    """Give all runs of the store, newest first."""
    return all_runs


@pytest.fixture
def last_run(workspace: Path) -> Callable[[], mlflow.entities.Run]:
    """Give the newest run of the store."""

    def newest() -> mlflow.entities.Run:
        return all_runs()[0]

    return newest


@pytest.fixture
def spread(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Do what a cluster would do, in this process; gives the names of the tasks as they are done.

    Workers get copies, and end in any order. One dies when it has done its task and before
    it could say so: another does it again.
    """
    done: list[str] = []

    def results(
        function: Callable[[Any], Any], items: Sequence[Any], desc: str, at_once: int
    ) -> Iterator[tuple[int, list[Any]]]:
        sent = pickle.dumps((function, list(items)))
        with monkeypatch.context() as worker:
            worker.setattr(cluster, "is_connected", lambda: False)
            for turn, start in enumerate([0, *reversed(range(0, len(items), at_once))]):
                call, copies = pickle.loads(sent)  # noqa: S301 - written above
                found = [call(item) for item in copies[start : start + at_once]]
                done.append(desc)
                if turn:
                    yield start, found

    monkeypatch.setattr(cluster, "is_connected", lambda: True)
    monkeypatch.setattr(cluster, "results", results)
    return done
