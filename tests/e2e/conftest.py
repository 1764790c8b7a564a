"""The real command line: MLflow's own program, in a copy of the project's files."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mlflow import MlflowClient
from mlflow.entities import Run

PROJECT = Path(__file__).resolve().parents[2]
RATE = 8000
PATIENCE_S = 1800.0
"""For a program that has to import MLflow on a busy machine."""

_RUN_ID = re.compile(r"in run with ID '([0-9a-f]{32})'")


@dataclass(frozen=True)
class Ran:
    """A finished ``mlflow run``."""

    code: int
    stdout: str
    stderr: str
    store: str

    @property
    def errors(self) -> list[str]:
        """The lines in which the project speaks of errors."""
        lines = (self.stdout + self.stderr).splitlines()
        return [line for line in lines if line.startswith("error: ")]

    @property
    def run(self) -> Run:
        """The MLflow run that it made."""
        found = _RUN_ID.search(self.stderr)
        assert found, self.stderr
        return self.client.get_run(found[1])

    @property
    def client(self) -> MlflowClient:
        """A client of the store that the run is in."""
        return MlflowClient(self.store)

    @property
    def artifacts(self) -> Path:
        """The folder of the run's artifacts."""
        return Path(self.run.info.artifact_uri.removeprefix("file://"))


@dataclass(frozen=True)
class Project:
    """A copy of the files that ``mlflow run`` needs; the package itself is that installed."""

    root: Path

    def run(self, entry: str, *words: str, cwd: Path | None = None, uri: str = "") -> Ran:
        """Give ``mlflow run`` a word each: ``key=value``, or an option of its own."""
        command = ["mlflow", "run", str(self.root), "--env-manager", "local", "-e", entry]
        for word in words:
            command += [word] if word.startswith("--") else ["-P", word]
        return self.give(command, cwd, uri)

    def give(self, command: list[str], cwd: Path | None = None, uri: str = "") -> Ran:
        """Give a command as it stands."""
        here = cwd or self.root
        environment = clean_environment() | ({"MLFLOW_TRACKING_URI": uri} if uri else {})
        done = subprocess.run(
            command,
            cwd=here,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        store = uri or f"sqlite:///{here}/mlflow.db"
        return Ran(done.returncode, done.stdout, done.stderr, store)


def clean_environment() -> dict[str, str]:
    """The environment of a fresh shell in which the project's ``.venv`` is active."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("MLFLOW_", "ASD_", "PYTHONPATH"))
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | {"PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve(
    command: list[str], health: str, cwd: Path, environment: dict[str, str] | None = None
) -> Iterator[str]:
    """Run a web server until the block ends; gives its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    log = cwd / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=cwd,
            env=environment or clean_environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            # A group of its own, since MLflow's servers have children that outlive them.
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not _answers(address + health):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield address
    finally:
        _end(process)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def hum(rng: np.random.Generator, seconds: float, knock: bool) -> np.ndarray:
    """A humming machine, with or without something knocking in it."""
    t = np.arange(round(seconds * RATE)) / RATE
    signal_ = 0.2 * np.sin(2 * np.pi * 200 * t) + 0.05 * rng.standard_normal(len(t))
    if knock:
        signal_ += 0.5 * np.sin(2 * np.pi * 1500 * t) * (np.sin(2 * np.pi * 4 * t) > 0.9)
    return np.asarray(signal_, np.float32)


def write_recordings(folder: Path) -> Path:
    """``normal`` and ``abnormal``, five and two recordings of 6 s."""
    rng = np.random.default_rng(0)
    for label, count in (("normal", 5), ("abnormal", 2)):
        (folder / label).mkdir(parents=True)
        for index in range(count):
            samples = hum(rng, 6, knock=label == "abnormal")
            soundfile.write(folder / label / f"{label} {index}.wav", samples, RATE)
    return folder


@pytest.fixture(scope="session")
def make_project() -> Callable[[Path], Project]:
    """Give the function that makes a copy of the project's files with some recordings."""

    def make(root: Path) -> Project:
        root.mkdir(parents=True)
        for name in ("MLproject", "python_env.yaml"):
            shutil.copy(PROJECT / name, root)
        shutil.copytree(
            PROJECT / "entrypoints", root / "entrypoints", ignore=shutil.ignore_patterns("__pyc*")
        )
        write_recordings(root / "録音 1")
        return Project(root)

    return make


@pytest.fixture(scope="session")
def web_server() -> Callable[..., object]:
    """Give the context manager that runs a web server."""
    return serve


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Give the environment of a fresh shell."""
    return clean_environment()


@pytest.fixture(scope="session")
def project(
    tmp_path_factory: pytest.TempPathFactory, make_project: Callable[[Path], Project]
) -> Project:
    """A project in a folder with a space and Japanese letters in its name."""
    return make_project(tmp_path_factory.mktemp("e2e") / "ガス 設備")


@pytest.fixture(scope="session")
def journey(project: Project) -> dict[str, Ran]:
    """A user's way from recordings to a champion, one ``mlflow run`` after the other."""
    # The recordings are mono, and the left channel is what the served model hears of others too.
    cut = ("source=録音 1", "output=data/hum", "clip_seconds=1", "sample_rate=8000", "channel=left")
    fit = ("model=knn", "data=data/hum", "features.n_mels=64", "detector.k=2")
    ways = {
        "preprocess": cut,
        "train": fit,
        "evaluate": ("anomalies=alarms",),
        "promote": (),
        "score": ("source=録音 1/abnormal", "output=verdicts"),
    }
    done: dict[str, Ran] = {}
    for entry, words in ways.items():
        done[entry] = project.run(entry, *words)
        assert done[entry].code == 0, done[entry].stdout + done[entry].stderr
    return done
