"""A sweep that is killed goes on where it stopped, through MLflow's own command line."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Project

pytestmark = pytest.mark.e2e

TRIALS = 20
WORDS = (
    "model=knn",
    "data=data/hum",
    f"trials={TRIALS}",
    "study=killed",
    "features.n_fft=512",
    "features.hop_length=512",
    "features.n_mels=32",
)


def test_killed_at_trial_7_of_20(
    tmp_path: Path, make_project: "Callable[[Path], Project]", environment: dict[str, str]
) -> None:
    project = make_project(tmp_path / "asd")
    cut = ("source=録音 1", "output=data/hum", "clip_seconds=1", "sample_rate=8000")
    assert project.run("preprocess", *cut).code == 0
    kill_after(project.root, "trial 6:", environment)

    again = project.run("sweep", *WORDS)
    assert again.code == 0, again.stdout + again.stderr
    assert f"study killed: {TRIALS} trials, {TRIALS} complete" in again.stdout

    runs = again.client.search_runs(["0"], max_results=1000)
    trials = [run for run in runs if "asd.trial" in run.data.tags]
    numbers = sorted(int(run.data.tags["asd.trial"]) for run in trials)
    assert numbers == list(range(TRIALS))
    assert {run.info.status for run in trials} == {"FINISHED"}
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {again.run.info.run_id}
    assert "RUNNING" not in {run.info.status for run in runs}
    sweeps = [run for run in runs if run.data.tags.get("asd.step") == "sweep"]
    assert sorted(run.info.status for run in sweeps) == ["FINISHED", "KILLED"]


def kill_after(root: Path, line: str, environment: dict[str, str]) -> None:
    """Start the sweep and kill all of it once it has said `line`."""
    command = ["mlflow", "run", str(root), "--env-manager", "local", "-e", "sweep"]
    command += [part for word in WORDS for part in ("-P", word)]
    process = subprocess.Popen(
        command,
        cwd=root,
        env=environment | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as output:
        said = any(text.startswith(line) for text in output)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert said
