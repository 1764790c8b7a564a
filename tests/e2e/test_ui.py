"""MLflow's web interface, started before any run and looked at with a real browser."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from asd.config.steps import CutConfig, EvaluateConfig, SweepConfig, TrainConfig
from asd.data.preprocess import preprocess
from asd.steps import evaluate, sweep, train
from asd.tracking import registry
from tests import shortcuts

if TYPE_CHECKING:
    from tests.e2e.conftest import Project, Ran

pytestmark = pytest.mark.e2e

DATA = "data/hum"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Large enough for all rows and columns, since the tables draw those in view only; and coarse.
    "--window-size=3000,3000",
    "--force-device-scale-factor=0.25",
    "--virtual-time-budget=20000",
)


@dataclass(frozen=True)
class Page:
    """What a browser shows of an address."""

    source: str

    @property
    def words(self) -> list[str]:
        """The texts, in order."""
        text = re.sub(r"<(script|style)\b.*?</\1>", "", self.source, flags=re.DOTALL)
        parts = (html.unescape(part).strip() for part in re.split(r"<[^>]+>", text))
        return [part for part in parts if part]


@pytest.fixture(scope="module")
def ui(
    tmp_path_factory: pytest.TempPathFactory,
    make_project: "Callable[[Path], Project]",
    web_server: Callable[..., AbstractContextManager[str]],
    environment: dict[str, str],
) -> "Iterator[tuple[str, Project]]":
    """`mlflow ui` in a project that has no store yet, and its address."""
    project = make_project(tmp_path_factory.mktemp("ui") / "asd")
    cutting = CutConfig(clip_seconds=1.0, sample_rate=8000)
    preprocess(project.root / "録音 1", project.root / DATA, cutting)
    # One worker and no job runner: a server of this kind starts in half the time.
    small = environment | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = ["mlflow", "ui", "--workers", "1"]
    with web_server(command, "/health", project.root, small) as address:
        yield address, project


@pytest.fixture(scope="module")
def tried(ui: "tuple[str, Project]") -> "tuple[Ran, Ran]":
    """The first training below that server: as usual, and with the remedy."""
    _, project = ui
    words = (f"data={DATA}", "model=knn")
    return project.run("train", *words), project.run("train", *words, "--experiment-name=asd")


@pytest.fixture(scope="module")
def six(ui: "tuple[str, Project]", tried: "tuple[Ran, Ran]") -> list[Run]:
    """Four detectors trained, two of them evaluated, and one of these made champion."""
    _, project = ui
    store = f"sqlite:///{project.root}/mlflow.db"
    deaf = {"f_max": 400.0, "n_mels": 8}
    wishes = {"knn": {}, "gmm": {}, "mahalanobis": {}, "ocsvm": deaf}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.root)
        patch.setenv("MLFLOW_TRACKING_URI", store)
        patch.setenv("MLFLOW_EXPERIMENT_NAME", "asd")
        shortcuts.make_little(patch)
        trained = [
            train.run(TrainConfig.parse({"model": model, "data": DATA, "features": features}))
            for model, features in wishes.items()
        ]
        for model in (trained[0], trained[-1]):
            evaluate.run(EvaluateConfig(model_uri=model.uri))
        registry.promote("hum", registry.register("hum", trained[0], {}), None)
    client = MlflowClient(store)
    experiment = tried[1].run.info.experiment_id
    evaluated = client.search_runs([experiment], "params.train_run != ''")
    return [client.get_run(model.run_id) for model in trained] + evaluated


@pytest.fixture(scope="module")
def searched(ui: "tuple[str, Project]", six: list[Run]) -> Run:
    """The run of a small sweep, once the six are done."""
    _, project = ui
    store = f"sqlite:///{project.root}/mlflow.db"
    wish = {"model": "knn", "data": DATA, "trials": 6, "study": "揺れ"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.root)
        patch.setenv("MLFLOW_TRACKING_URI", store)
        patch.setenv("MLFLOW_EXPERIMENT_NAME", "asd")
        shortcuts.make_little(patch)
        sweep.run(SweepConfig.parse(wish))
    client = MlflowClient(store)
    experiment = six[0].info.experiment_id
    [found] = client.search_runs([experiment], "tags.`asd.step` = 'sweep'")
    return found


@pytest.fixture(scope="module")
def pages(
    ui: "tuple[str, Project]",
    six: list[Run],
    searched: Run,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Page]:
    """The pages that a user looks at, as a browser shows them."""
    if not BROWSER:
        pytest.skip("no Chromium found; `apt-get install chromium` lets this test run")
    address, _ = ui
    experiment = six[0].info.experiment_id
    ids = quote(json.dumps([run.info.run_id for run in six]))
    below = f"{address}/#/experiments/{experiment}/runs"
    addresses = {
        "runs": below,
        "comparison": f"{address}/#/compare-runs?runs={ids}"
        f"&experiments={quote(json.dumps([experiment]))}",
        "plots": f"{below}/{six[-1].info.run_id}/artifacts/plots/roc_curve.png",
        "sweep": f"{below}/{searched.info.run_id}",
        "sweep plots": f"{below}/{searched.info.run_id}/artifacts/plots/history.png",
        "model": f"{address}/#/models/hum",
    }
    profiles = tmp_path_factory.mktemp("profiles")
    with ThreadPoolExecutor(2) as browsers:
        shown = browsers.map(lambda item: look(item[1], profiles / item[0]), addresses.items())
        return dict(zip(addresses, shown, strict=True))


def look(address: str, profile: Path) -> Page:
    command = [str(BROWSER), *FLAGS, f"--user-data-dir={profile}", "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=True)
    return Page(done.stdout)


def test_a_run_below_a_server_that_was_first_says_what_to_do(tried: "tuple[Ran, Ran]") -> None:
    usual, _ = tried
    assert usual.code != 0
    [line] = usual.errors
    assert "add --experiment-name asd" in line
    assert usual.run.info.status == "FAILED"
    assert usual.run.data.tags["asd.error"] == line.removeprefix("error: ")


def test_what_it_says_to_do_helps(tried: "tuple[Ran, Ran]") -> None:
    _, remedied = tried
    assert remedied.code == 0, remedied.stdout + remedied.stderr
    assert remedied.run.info.status == "FINISHED"
    assert (remedied.artifacts / "report.txt").is_file()


def test_the_runs_stand_in_the_table(pages: dict[str, Page], six: list[Run]) -> None:
    words = pages["runs"].words
    assert {run.info.run_name for run in six} <= set(words)
    assert any(word.startswith("hum (") for word in words), "the data set and its digest"


def test_six_runs_stand_side_by_side(pages: dict[str, Page], six: list[Run]) -> None:
    words = pages["comparison"].words
    assert "Comparing 6 Runs from 1 Experiment" in words
    assert {run.info.run_name for run in six} <= set(words)
    assert words.count(six[0].data.params["data.digest"]) == 6
    assert {"auc", "detector", "features.n_mels"} <= set(words)
    measured = [run.data.metrics["auc"] for run in six if "auc" in run.data.metrics]
    assert len(measured) == 2
    assert min(measured) < 1
    assert {f"{auc:.3f}".rstrip("0").rstrip(".") for auc in measured} <= set(words)


def test_an_evaluation_shows_its_plots(pages: dict[str, Page]) -> None:
    page = pages["plots"]
    assert {"roc_curve.png", "score_bars.png", "scores.csv", "report.txt"} <= set(page.words)
    assert re.search(r'<img alt="plots/roc_curve\.png" src="blob:', page.source)


def test_a_sweep_shows_its_figures(pages: dict[str, Page], searched: Run) -> None:
    words = pages["sweep"].words
    assert searched.info.run_name == "sweep 揺れ on hum"
    assert {searched.info.run_name, "best_proxy_auc", "trials_complete", "auc"} <= set(words)
    best = searched.data.metrics["best_proxy_auc"]
    assert any(word.startswith(f"{best:.3f}".rstrip("0").rstrip(".")) for word in words)


def test_a_sweep_shows_its_plots(pages: dict[str, Page]) -> None:
    page = pages["sweep plots"]
    plots = {"history.png", "importances.png", "parallel_coordinates.png", "slice.png"}
    assert plots | {"best.yaml", "runoff.md"} <= set(page.words)
    assert re.search(r'<img alt="plots/history\.png" src="blob:', page.source)


def test_the_model_page_shows_the_champion(pages: dict[str, Page]) -> None:
    words = pages["model"].words
    assert "hum" in words
    assert "Version 1" in words
    assert any("champion" in word for word in words)
