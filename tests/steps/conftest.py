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
from asd.config.steps import CutConfig, TrainConfig
from asd.data import opening
from asd.data.preprocess import preprocess
from asd.pipeline.pipeline import Pipeline
from asd.steps import train
from asd.tracking import registry
from asd.tracking.models import load
from asd.tracking.store import client
from tests import shortcuts
from tests.steps.promotion import DATA, NAME, Trained, make_clips

RATE = 8000
HUM = "data/hum"


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database: migrating one takes seconds, copying it does not."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        client()
    return folder / "mlflow.db"


@pytest.fixture(scope="session", autouse=True)
def _stores_are_quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, shortcuts.no_wait_for_the_disk():
        shortcuts.look_once(patch)
        yield


def _no_demo() -> None:
    raise AssertionError("making the demo takes a minute: give the step some data")


@pytest.fixture
def workspace(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with an MLflow store of its own."""
    shutil.copyfile(empty_store, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    shortcuts.take(monkeypatch)
    shortcuts.draw_less(monkeypatch)
    monkeypatch.setattr(opening, "demo_source", _no_demo)
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


@pytest.fixture(scope="session")
def cut_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings, six normal and two abnormal ones of 6 s, and clips of them."""
    folder = tmp_path_factory.mktemp("cut")
    rng = np.random.default_rng(0)
    for label, count in (("normal", 6), ("abnormal", 2)):
        (folder / "recordings" / label).mkdir(parents=True)
        for index in range(count):
            samples = hum(rng, 6, knock=label == "abnormal")
            soundfile.write(folder / "recordings" / label / f"{label}-{index}.wav", samples, RATE)
    wish = CutConfig(clip_seconds=1, sample_rate=RATE)
    preprocess(folder / "recordings", folder / HUM, wish)
    return folder


@pytest.fixture
def recordings(workspace: Path, cut_once: Path) -> Path:
    """``recordings/normal`` and ``recordings/abnormal``."""
    return shutil.copytree(cut_once / "recordings", workspace / "recordings")


@pytest.fixture
def data(recordings: Path, cut_once: Path) -> str:
    """A data set of clips of 1 s of these recordings, below the current folder."""
    shutil.copytree(cut_once / HUM, HUM)
    return HUM


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


def _work_in(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(folder)
    patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    patch.setenv("MLFLOW_EXPERIMENT_NAME", "promote")
    patch.delenv("MLFLOW_RUN_ID", raising=False)


@pytest.fixture(scope="session")
def two_models(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> tuple[Path, Trained]:
    """A folder and a store of their own, and what was trained there once for all tests."""
    folder = tmp_path_factory.mktemp("promote")
    shutil.copyfile(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        _work_in(folder, patch)
        shortcuts.take(patch)
        mlflow.create_experiment("promote", artifact_location=(folder / "mlruns").as_uri())
        make_clips(folder / DATA)
        deaf = {"features": {"f_max": 150.0, "n_mels": 2}, "data": DATA}
        worse = train.run(TrainConfig.parse(deaf))
        return folder, Trained(train.run(TrainConfig(model="knn", data=DATA)), worse)


@pytest.fixture
def models(two_models: tuple[Path, Trained], monkeypatch: pytest.MonkeyPatch) -> Trained:
    """The models, in the folder and with the store that they are in."""
    folder, trained = two_models
    _work_in(folder, monkeypatch)
    return trained


@pytest.fixture
def trained(models: Trained, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trained]:
    """The models with an empty registry; fewer draws, and no new process for every promotion."""
    shortcuts.take(monkeypatch)
    shortcuts.draw_less(monkeypatch)
    yield models
    if registry.aliases_of(NAME) is not None:
        mlflow.MlflowClient().delete_registered_model(NAME)


@pytest.fixture
def pipeline(models: Trained) -> Pipeline:
    """The better of the models."""
    return load(models.good)


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
