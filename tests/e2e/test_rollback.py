"""Rolling back while a server goes on serving."""

import base64
import json
import re
import shlex
import threading
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asd.config.steps import PreprocessConfig, TrainConfig
from asd.steps import preprocess, train
from asd.tracking import champions, registry
from asd.tracking.models import resolve
from tests.e2e.conftest import PROJECT
from tests.shortcuts import scores_here

if TYPE_CHECKING:
    from tests.e2e.conftest import Project

pytestmark = pytest.mark.e2e

SERVE = ["mlflow", "models", "serve", "-m", champions.address("pump"), "--env-manager", "local"]


@pytest.fixture
def promoted_twice(
    tmp_path: Path, make_project: "Callable[[Path], Project]", monkeypatch: pytest.MonkeyPatch
) -> "Project":
    """A project whose second model is champion and whose first is the previous one."""
    project = make_project(tmp_path / "asd")
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project.root}/mlflow.db")
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    cut = {"source": "録音 1", "output": "data/hum", "clip_seconds": 1, "sample_rate": 8000}
    preprocess.run(PreprocessConfig.parse(cut))
    seen = None
    for k in (1, 3):
        wish = {"model": "knn", "data": "data/hum", "detector": {"k": k}}
        version = registry.register("pump", train.run(TrainConfig.parse(wish)), {})
        assert registry.promote("pump", version, seen)
        seen = version
    return project


def test_a_server_goes_on_while_the_champion_is_rolled_back(
    promoted_twice: "Project", web_server: Callable[..., AbstractContextManager[str]]
) -> None:
    recording = next((promoted_twice.root / "録音 1" / "abnormal").iterdir())
    first, second = (registry.model_of("pump", version) for version in ("1", "2"))
    answers: list[float] = []
    over = threading.Event()

    def ask_on(address: str) -> None:
        while not over.is_set():
            answers.append(ask(address, recording))

    with web_server(SERVE, "/ping", promoted_twice.root) as address:
        served = ask(address, recording)
        asking = threading.Thread(target=ask_on, args=(address,))
        asking.start()
        try:
            ran = promoted_twice.give(shlex.split(documented()))
        finally:
            over.set()
            asking.join()
        afterwards = ask(address, recording)
    assert ran.code == 0, ran.stdout + ran.stderr
    assert "rolled back: knn on hum, version 1 of pump, is champion again" in ran.stdout
    assert ran.run.info.status == "FINISHED"
    assert registry.holders("pump") == registry.Holders("1", "2", None)
    assert len(answers) > 1
    assert set(answers) == {served} == {afterwards}, "the server keeps the model it has loaded"
    [before] = scores_here(second, [recording])
    assert served == pytest.approx(before, abs=1e-6)
    assert resolve(champions.address("pump")) == first
    [next_start] = scores_here(first, [recording])
    assert next_start != pytest.approx(served, abs=1e-3)


def documented() -> str:
    """The line by which the guide rolls a machine back."""
    guide = (PROJECT / "docs/guide.md").read_text(encoding="utf-8")
    [line] = re.findall(r"^mlflow run .*-e rollback .*$", guide, flags=re.MULTILINE)
    return str(line)


def ask(address: str, recording: Path) -> float:
    audio = base64.b64encode(recording.read_bytes()).decode()
    body = json.dumps({"dataframe_records": [{"audio": audio}]}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/invocations", body, headers)
    with urllib.request.urlopen(request, timeout=1800) as answer:
        [row] = json.load(answer)["predictions"]
    assert row["error"] is None
    return float(row["anomaly_score"])
