"""Three processes share a study over PostgreSQL and an MLflow server; the first is killed."""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import optuna
import pytest
import soundfile

from asd.config.steps import PreprocessConfig
from asd.data import preprocess as cutting
from asd.tracking.models import load, resolve

TRIALS = 18
PATIENCE_S = 420.0
RATE = 8000
WORDS = {
    "model": "cnn,knn",
    "trials": str(TRIALS),
    "study": "shared",
    "detector.cnn.epochs": "6",
    "detector.cnn.channels": "8",
    "features.n_fft": "512",
    "features.hop_length": "512",
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Clips of a humming machine, and of one in which something knocks."""
    rng = np.random.default_rng(0)
    t = np.arange(8 * RATE) / RATE
    for label, count in (("normal", 6), ("abnormal", 2)):
        folder = tmp_path / "recordings" / label
        folder.mkdir(parents=True)
        for index in range(count):
            samples = 0.2 * np.sin(2 * np.pi * 200 * t) + 0.05 * rng.standard_normal(len(t))
            if label == "abnormal":
                samples += 0.5 * np.sin(2 * np.pi * 1500 * t) * (np.sin(2 * np.pi * 4 * t) > 0.9)
            soundfile.write(folder / f"{label}-{index}.wav", samples, RATE)
    wish = {"source": "-", "clip_seconds": 1, "sample_rate": RATE}
    config = PreprocessConfig.parse(wish)
    source, output = tmp_path / "recordings", tmp_path / "clips"
    return cutting.preprocess(source, output, config).dataset.root


def command(data: Path, storage: str) -> list[str]:
    words = WORDS | {"data": str(data), "storage": storage}
    pairs = [part for key, value in words.items() for part in (f"--{key}", value)]
    return [sys.executable, "-m", "entrypoints.sweep", *pairs]


def wait_for(what: str, condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.2)
    return found


def study_of(storage: str) -> optuna.Study | None:
    try:
        return optuna.load_study(study_name="shared", storage=storage)
    except KeyError:
        return None


def running_trial_of(study: optuna.Study, process: int) -> optuna.trial.FrozenTrial | None:
    return next(
        (
            trial
            for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,))
            if f"/{process}/" in trial.user_attrs.get("worker", "") and "run" in trial.user_attrs
        ),
        None,
    )


def test_the_leader_is_killed_and_nothing_is_lost(
    data: Path,
    database: str,
    tracking_server: str,
    program: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = f"{database}/sweeps"
    environment = {
        "MLFLOW_TRACKING_URI": tracking_server,
        "MLFLOW_EXPERIMENT_NAME": "scale",
        "OMP_NUM_THREADS": "1",
    }
    hosts = [tmp_path / f"host-{index}" for index in range(3)]
    with ExitStack() as stack:
        processes = []
        for host in hosts:
            host.mkdir()
            processes.append(
                stack.enter_context(program(command(data, storage), host, environment))
            )
        study = wait_for("the study", lambda: study_of(storage))
        leader = wait_for("a leader", lambda: study.user_attrs.get("leader"))
        number = int(leader.split("/")[1])
        [victim] = [process for process in processes if process.pid == number]
        lost = wait_for("its trial", lambda: running_trial_of(study, number))
        os.killpg(victim.pid, signal.SIGKILL)
        survivors = [(h, p) for h, p in zip(hosts, processes, strict=True) if p is not victim]
        for host, process in survivors:
            code = process.wait(PATIENCE_S)
            assert code == 0, (host / "log").read_text()

    assert_every_trial_ran_once(study, lost)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_server)
    monkeypatch.chdir(tmp_path)
    assert_the_runs_are_in_order()
    logs = [(host / "log").read_text() for host, _ in survivors]
    finished = [f"study shared: {TRIALS} trials" in log for log in logs]
    assert sorted(finished) == [False, True], "one of the two has trained the winner"


def assert_every_trial_ran_once(study: optuna.Study, lost: optuna.trial.FrozenTrial) -> None:
    trials = study.get_trials()
    counted = [trial for trial in trials if "dropped" not in trial.user_attrs]
    assert len(counted) == TRIALS
    assert sorted(trial.user_attrs["number"] for trial in counted) == list(range(TRIALS))
    assert all(trial.state.is_finished() for trial in trials)
    reasons = {t.number: t.user_attrs["dropped"] for t in trials if "dropped" in t.user_attrs}
    assert reasons[lost.number] == "lost"
    assert set(reasons.values()) <= {"lost", "surplus"}
    [again] = [t for t in counted if t.user_attrs["number"] == lost.user_attrs["number"]]
    assert again.number != lost.number
    assert lost.params.items() <= again.params.items()
    workers = {trial.user_attrs["worker"] for trial in counted}
    assert len(workers) >= 2


def assert_the_runs_are_in_order() -> None:
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("scale")
    assert experiment is not None
    assert experiment.artifact_location.startswith("mlflow-artifacts:")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    assert "RUNNING" not in {run.info.status for run in runs}
    trials = [run for run in runs if "asd.trial" in run.data.tags]
    assert sorted(int(run.data.tags["asd.trial"]) for run in trials) == list(range(TRIALS))
    assert {run.info.status for run in trials} == {"FINISHED"}
    sweeps = [run for run in runs if run.data.tags["asd.step"] == "sweep"]
    assert sorted(run.info.status for run in sweeps) == ["FINISHED", "FINISHED", "KILLED"]
    [parent] = {run.data.tags["mlflow.parentRunId"] for run in trials}
    [winner] = [run for run in sweeps if "asd.model_uri" in run.data.tags]
    assert winner.info.run_id == parent
    assert "best.yaml" in {item.path for item in client.list_artifacts(parent)}
    assert load(resolve(winner.data.tags["asd.model_uri"])).name in {"cnn", "knn"}
