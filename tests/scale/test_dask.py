"""A real Dask scheduler and two workers on loopback; one is killed at work in each step."""

import csv
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import soundfile
from mlflow import MlflowClient
from mlflow.entities import Run
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from asd.cluster import connected
from asd.config.steps import CutConfig
from asd.data import manifest
from asd.data.preprocess import preprocess
from asd.errors import WorkerError
from asd.files import file_digest

distributed = pytest.importorskip(
    "distributed", reason="Dask is not installed: asd-platform[scale]"
)

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE_S = 900.0
RATE = 8000
RECORDINGS = 48
MACHINES = 3
TRAIN = ("--model", "knn", "--features.n_fft", "512", "--features.hop_length", "512")


@dataclass
class Cluster:
    """A scheduler with two workers, and a look at what they do."""

    address: str
    client: Any
    start_worker: Callable[[], None]

    def at_work(self, work: str) -> Callable[[], int | None]:
        """Give the function that finds the process of a worker that has a task of that name."""
        process = self.client.run(os.getpid)

        def find() -> int | None:
            for worker, tasks in self.client.processing().items():
                if any(str(task).startswith(work) for task in tasks):
                    return int(process[worker])
            return None

        return find


def kill(find: Callable[[], int | None]) -> None:
    """Wait until a process is found, and kill it."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if process := find():
            os.kill(process, signal.SIGKILL)
            return
        time.sleep(0.005)
    raise AssertionError("no worker was ever seen at work")


@pytest.fixture
def cluster(
    free_port: Callable[[], int], program: Callable[..., Any], tmp_path: Path
) -> Iterator[Cluster]:
    address = f"tcp://127.0.0.1:{(port := free_port())}"
    dask, where = [sys.executable, "-m", "dask"], ["--host", "127.0.0.1"]
    environment = {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    with ExitStack() as stack:

        def start(name: str, *command: str) -> None:
            folder = tmp_path / f"{name}-{time.monotonic_ns()}"
            folder.mkdir()
            stack.enter_context(program([*dask, name, *command], folder, environment))

        start("scheduler", *where, "--port", str(port), "--no-dashboard")

        def worker() -> None:
            start("worker", address, *where, "--nthreads", "1", "--no-nanny", "--no-dashboard")

        client = stack.enter_context(distributed.Client(address, timeout=PATIENCE_S))
        worker()
        yield Cluster(address, client, worker)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Recordings of a humming machine, some of them with a knock."""
    rng = np.random.default_rng(0)
    t = np.arange(6 * RATE) / RATE
    folder = tmp_path / "recordings"
    for index in range(RECORDINGS):
        label = "abnormal" if index % 8 == 0 else "normal"
        samples = 0.2 * np.sin(2 * np.pi * 200 * t) + 0.05 * rng.standard_normal(len(t))
        if label == "abnormal":
            samples += 0.5 * np.sin(2 * np.pi * 1500 * t) * (np.sin(2 * np.pi * 4 * t) > 0.9)
        (folder / label).mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / label / f"{index:02}.wav", samples, RATE)
    return folder


@pytest.fixture
def step(program: Callable[..., Any], cluster: Cluster) -> Callable[..., str]:
    """Run a step in a folder and give what it says: there, or on the cluster with a death."""

    def run(
        folder: Path, name: str, *words: str, dask: bool, at: str | Callable[[], int | None] = ""
    ) -> str:
        command = [sys.executable, "-m", f"entrypoints.{name}", *words]
        if dask:
            cluster.start_worker()
            cluster.client.wait_for_workers(2, timeout=PATIENCE_S)
            command += ["--backend", "dask", "--scheduler", cluster.address]
        folder.mkdir(exist_ok=True)
        environment = {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
        with program(command, folder, environment) as process:
            if dask:
                kill(at if callable(at) else cluster.at_work(at or name))
            code = process.wait(PATIENCE_S)
        said = (folder / "log").read_text()
        assert code == 0, said
        assert ("dashboard http" in said) is dask
        assert len(cluster.client.nthreads()) == 1
        return said

    return run


def test_what_comes_out_is_that_of_one_machine_though_workers_die(
    recordings: Path, step: Callable[..., str], tmp_path: Path
) -> None:
    digests, features, scores = {}, {}, {}
    for dask in (False, True):
        # The same relative paths in two folders.
        folder = tmp_path / ("dask" if dask else "here")
        step(folder, "extract", "--source", str(recordings), "--output", "audio", dask=dask)
        clips = ("--clip_seconds", "1", "--sample_rate", str(RATE))
        step(folder, "preprocess", "--source", "audio", "--output", "clips", *clips, dask=dask)
        step(folder, "augment", "--data", "clips", "--output", "more", "--pitch", "2", dask=dask)
        said = step(folder, "train", "--data", "more", *TRAIN, dask=dask, at="features")
        run_id = said.split(", run ")[1][:32]
        step(folder, "score", "--source", "audio", "--model_uri", run_id, dask=dask)
        digests[dask] = [manifest.load(folder / name).digest for name in ("clips", "more")]
        features[dask] = files_below(folder / ".cache" / "features")
        scores[dask] = rows_of(folder / "scores" / "windows.csv")
    assert digests[True] == digests[False]
    assert features[True] == features[False]
    assert scores[True] == scores[False]
    assert len(scores[True]) > RECORDINGS


def test_machines_are_trained_alike_though_a_worker_dies(
    recordings: Path, step: Callable[..., str], tmp_path: Path
) -> None:
    machines = {}
    for dask in (False, True):
        folder = tmp_path / ("dask" if dask else "here")
        many_machines(recordings, folder / "plant")
        words = ("--data", "plant", *TRAIN)
        step(folder, "train_machines", *words, dask=dask, at="machines")
        [table] = folder.rglob("machines.md")
        machines[dask] = [row.split("|")[1:-2] for row in table.read_text().splitlines()]
    assert machines[True] == machines[False]
    assert len(machines[True]) == 2 + MACHINES
    assert f"kept: {MACHINES} machines" in step(folder, "train_machines", *words, dask=False)


def test_contenders_are_fitted_alike_though_a_worker_dies(
    recordings: Path, step: Callable[..., str], tmp_path: Path
) -> None:
    preprocess(recordings, tmp_path / "pump", CutConfig(clip_seconds=1, sample_rate=RATE))
    words = ("--models", "knn,mahalanobis,gmm", "--data", str(tmp_path / "pump"), "--seeds", "2")
    figures = {}
    for dask in (False, True):
        folder = tmp_path / ("dask" if dask else "here")
        step(folder, "compare", *words, *TRAIN[2:], dask=dask, at="contenders")
        fits = [run for run in runs_in(folder, "compare one") if run.info.status == "FINISHED"]
        figures[dask] = sorted(
            (run.info.run_name, run.data.metrics["auc"], run.data.metrics["pauc"]) for run in fits
        )
        [parent] = runs_in(folder, "compare")
        assert {run.data.tags["mlflow.parentRunId"] for run in fits} == {parent.info.run_id}
    assert figures[True] == figures[False]
    assert len(figures[True]) == 6
    assert "kept: 6 fits" in step(folder, "compare", *words, *TRAIN[2:], dask=False)


def test_every_trial_counts_once_though_a_worker_dies_in_one(
    recordings: Path, step: Callable[..., str], tmp_path: Path
) -> None:
    folder, trials = tmp_path / "dask", 5
    preprocess(recordings, folder / "pump", CutConfig(clip_seconds=1, sample_rate=RATE))
    words = ["--data", "pump", "--model", "cnn", "--study", "pump", "--trials", str(trials)]
    # With two metrics the best trial wins without a run-off.
    words += ["--metric", "auc,score_seconds", "--threshold.calibration", "split"]
    words += ["--detector.epochs", "6", "--detector.channels", "8", *TRAIN[2:]]
    victim = partial(worker_in_a_trial, folder / ".cache" / "studies" / "pump.journal")
    said = step(folder, "sweep", *words, dask=True, at=victim)
    assert f"study pump: {trials} trials" in said
    every = study_at(folder / ".cache" / "studies" / "pump.journal")
    counted = [trial for trial in every if "dropped" not in trial.user_attrs]
    assert sorted(trial.user_attrs["number"] for trial in counted) == list(range(trials))
    assert all(trial.state.is_finished() for trial in every)
    [lost] = [trial for trial in every if trial.user_attrs.get("dropped") == "lost"]
    [again] = [t for t in counted if t.user_attrs["number"] == lost.user_attrs["number"]]
    assert lost.params.items() <= again.params.items()
    runs = runs_in(folder, "trial")
    assert sorted(int(run.data.tags["asd.trial"]) for run in runs) == list(range(trials))
    assert {run.info.status for run in runs} == {"FINISHED"}
    [parent] = runs_in(folder, "sweep")
    assert {run.data.tags["mlflow.parentRunId"] for run in runs} == {parent.info.run_id}
    assert "asd.winner" in parent.data.tags


def runs_in(folder: Path, step: str) -> list[Run]:
    """The runs of a step in the store of a folder."""
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(ids, f"tags.`asd.step` = '{step}'"))


def study_at(journal: Path) -> list[FrozenTrial]:
    """All trials of a study that is kept in a file; none where it is not there yet."""
    if not journal.exists():
        return []
    try:
        storage = JournalStorage(JournalFileBackend(str(journal)))
        return optuna.load_study(study_name=journal.stem, storage=storage).get_trials()
    except KeyError:
        return []


def worker_in_a_trial(journal: Path) -> int | None:
    """The process that runs a trial whose run has begun."""
    for trial in study_at(journal):
        if trial.state == TrialState.RUNNING and "run" in trial.user_attrs:
            return int(trial.user_attrs["worker"].split("/")[1])
    return None


def many_machines(recordings: Path, plant: Path) -> None:
    """Cut recordings, and deal them out to machines."""
    config = CutConfig(clip_seconds=1, sample_rate=RATE)
    dataset = preprocess(recordings, plant, config).dataset
    names = sorted(dataset.recordings())
    machine = {name: f"m{number % MACHINES}" for number, name in enumerate(names)}
    manifest.save(
        plant, [c.model_copy(update={"machine": machine[c.recording]}) for c in dataset.clips]
    )


def files_below(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): file_digest(path) for path in folder.rglob("*.npy")}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_scheduler_that_is_not_there_is_one_line(free_port: Callable[[], int]) -> None:
    with pytest.raises(WorkerError, match="no Dask scheduler answers there") as caught:
        connected(f"tcp://127.0.0.1:{free_port()}").__enter__()
    assert "\n" not in str(caught.value)
