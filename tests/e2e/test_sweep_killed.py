"""A sweep that is killed goes on where it stopped, through MLflow's own command line."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asd.config.steps import CutConfig
from asd.data.preprocess import preprocess

if TYPE_CHECKING:
    from tests.e2e.conftest import Project

pytestmark = pytest.mark.e2e

TRIALS = 12
WORDS = (
    "model=knn",
    "data=data/hum",
    f"trials={TRIALS}",
    "study=killed",
    "features.n_fft=512",
    "features.hop_length=512",
    "features.n_mels=32",
)


def test_killed_at_trial_4_of_12(tmp_path: Path, make_project: "Callable[[Path], Project]") -> None:
    project = make_project(tmp_path / "asd")
    cutting = CutConfig(clip_seconds=1.0, sample_rate=8000)
    preprocess(project.root / "録音 1", project.root / "data/hum", cutting)
    kill_after(project, "trial 3:")

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


def kill_after(project: "Project", line: str) -> None:
    """Start the sweep and kill all of it once it has said `line`."""
    begun = project.begin(project.command("sweep", *WORDS))
    said = begun.command.stdout
    while not (said.exists() and f"\n{line}" in said.read_text(encoding="utf-8")):
        assert begun.process.is_alive(), begun.ran()
        time.sleep(0.05)
    os.killpg(begun.process.pid or 0, signal.SIGKILL)
    begun.process.join()
