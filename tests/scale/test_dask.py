"""A real Dask scheduler and two workers on loopback; one is killed at work in each step."""

import csv
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

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

    def kill_one_at(self, work: str) -> None:
        """Wait until a worker has a task of that name, and kill its process."""
        process = self.client.run(os.getpid)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for worker, tasks in self.client.processing().items():
                if any(str(task).startswith(work) for task in tasks):
                    os.kill(process[worker], signal.SIGKILL)
                    return
            time.sleep(0.005)
        raise AssertionError(f"no worker has ever had a task of {work}")


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

    def run(folder: Path, name: str, *words: str, dask: bool, at: str = "") -> str:
        command = [sys.executable, "-m", f"entrypoints.{name}", *words]
        if dask:
            cluster.start_worker()
            cluster.client.wait_for_workers(2, timeout=PATIENCE_S)
            command += ["--backend", "dask", "--scheduler", cluster.address]
        folder.mkdir(exist_ok=True)
        environment = {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
        with program(command, folder, environment) as process:
            if dask:
                cluster.kill_one_at(at or name)
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
