"""What users type: ``mlflow run``, in a folder of their own, with good words and with bad ones."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.e2e.conftest import Project, Ran

pytestmark = pytest.mark.e2e

BAD = {
    "unknown key": (
        "train",
        ("features.n_mel=64",),
        "features.n_mel: unknown key; valid keys are features.sample_rate",
    ),
    "unknown model": ("train", ("model=magic",), "model='magic': unknown model; known models are"),
    "text named .wav": ("preprocess", ("source=notes.wav", "output=data/notes"), "notes.wav: "),
}


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not the project's, from which it is called."""
    return tmp_path_factory.mktemp("outside")


@pytest.fixture(scope="module")
def other(
    tmp_path_factory: pytest.TempPathFactory, make_project: "Callable[[Path], Project]"
) -> "Project":
    """A project of its own, with something that is no recording."""
    project = make_project(tmp_path_factory.mktemp("other") / "asd")
    (project.root / "notes.wav").write_text("this is no sound\n" * 50, encoding="utf-8")
    return project


@pytest.fixture(scope="module")
def led(other: "Project", outside: Path) -> "Ran":
    """The whole way in one command, as a shell does it."""
    words = ("source=録音 1", "clip_seconds=1", "sample_rate=8000", "models=gmm")
    return other.run_anew("main", *words, cwd=outside)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("step", ["preprocess", "train", "evaluate", "promote", "score"])
def test_each_step_uses_the_run_that_mlflow_has_made(journey: "dict[str, Ran]", step: str) -> None:
    run = journey[step].run
    assert run.info.status == "FINISHED"
    assert run.data.tags["asd.step"] == step
    assert run.data.tags["mlflow.project.entryPoint"] == step
    assert (journey[step].artifacts / "report.txt").is_file()
    assert not journey[step].errors


def test_what_was_typed_and_what_was_used_are_both_params(journey: "dict[str, Ran]") -> None:
    ran = journey["train"]
    params = ran.run.data.params
    assert (params["features.n_mels"], params["detector.k"]) == ("64", "2")
    assert (params["model"], params["detector"]) == ("knn", "knn")
    assert (params["features.n_fft"], params["features.sample_rate"]) == ("512", "8000")
    assert len(params["data.digest"]) == 16
    recipe = yaml.safe_load((ran.artifacts / "recipe.yaml").read_text(encoding="utf-8"))
    assert recipe["branches"][0]["features"]["n_mels"] == 64


def test_evaluate_takes_the_newest_model_and_measures_it(
    journey: "dict[str, Ran]", project: "Project"
) -> None:
    ran = journey["evaluate"]
    assert ran.run.data.params["train_run"] == journey["train"].run.info.run_id
    metrics = ran.run.data.metrics
    assert metrics["auc"] > 0.95
    assert {"pauc", "false_alarm_rate", "score_seconds"} <= set(metrics)
    plots = {path.name for path in (ran.artifacts / "plots").iterdir()}
    assert {"roc_curve.png", "score_histogram.png", "score_bars.png"} <= plots
    scores = rows(ran.artifacts / "scores.csv")
    judged = sum(row["is_anomaly"] == "1" for row in scores)
    assert len(list((project.root / "alarms").glob("*.wav"))) == judged > 0


def test_promote_makes_the_champion_that_score_uses(
    journey: "dict[str, Ran]", project: "Project"
) -> None:
    ran = journey["promote"]
    version = ran.client.get_model_version_by_alias("hum", "champion")
    assert version.source == ran.run.data.params["model"]
    assert version.source == journey["evaluate"].run.data.params["model"]
    assert version.source == journey["score"].run.data.params["model"]
    files = rows(project.root / "verdicts" / "files.csv")
    assert [row["file"] for row in files] == [f"録音 1/abnormal/abnormal {n}.wav" for n in (0, 1)]
    assert [(row["windows"], row["is_anomaly"]) for row in files] == [("6", "1")] * 2


def test_main_leads_a_folder_to_a_champion(led: "Ran") -> None:
    ran = led
    assert ran.code == 0, ran.stdout + ran.stderr
    assert ran.run.info.status == "FINISHED"
    assert "mlflow ui" in ran.stdout
    assert "mlflow models serve" in ran.stdout
    assert "mlflow run . -e score" in ran.stdout
    client = ran.client
    assert client.get_model_version_by_alias("録音-1", "champion")
    below = client.search_runs(
        [ran.run.info.experiment_id],
        f"tags.`mlflow.parentRunId` = '{ran.run.info.run_id}'",
    )
    steps = [run.data.tags["asd.step"] for run in below]
    assert sorted(set(steps)) == ["evaluate", "preprocess", "promote", "train"]
    assert {run.info.status for run in below} == {"FINISHED"}
    evaluated = [run for run in below if run.data.tags["asd.step"] == "evaluate"]
    assert all(
        run.data.params["detector"] == "gmm" and run.data.metrics["auc"] for run in evaluated
    )


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_a_failed_run(other: "Project", outside: Path, name: str) -> None:
    entry, wrong, expected = BAD[name]
    # One of them as a shell does it.
    run = other.run_anew if name == "unknown key" else other.run
    ran = run(entry, *wrong, cwd=outside)
    assert ran.code != 0
    [line] = ran.errors
    assert expected in line
    assert "Traceback" not in ran.stdout + ran.stderr
    assert ran.run.info.status == "FAILED"
    assert ran.run.data.tags["asd.error"] == line.removeprefix("error: ")


def test_from_another_folder_the_store_is_there_and_the_data_in_the_project(
    led: "Ran", outside: Path
) -> None:
    assert led.artifacts.is_relative_to(outside / "mlruns")
    assert not (outside / "data").exists()


def test_a_relative_store_given_from_another_folder_is_named_in_one_line(
    other: "Project", outside: Path
) -> None:
    ran = other.run("train", cwd=outside, uri="sqlite:///mlflow.db")
    assert ran.code != 0
    [line] = ran.errors
    assert "sqlite:///mlflow.db" in line
    assert "give an absolute one" in line
    assert "Traceback" not in ran.stdout + ran.stderr
