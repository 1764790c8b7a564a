"""Which model is the newest, and what becomes of runs and models that were deleted."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import mlflow.cli
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure
from mlflow.entities import LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS

from asd.config.steps import (
    EvaluateConfig,
    MoveThresholdConfig,
    PreprocessConfig,
    PromoteConfig,
    ScoreConfig,
    TrainConfig,
)
from asd.errors import OutputError, TrackingError
from asd.steps import evaluate, preprocess, promote, score, threshold, train
from asd.tracking import alive, registry, runs
from asd.tracking.digest import DIGEST_TAG
from asd.tracking.models import MODEL_TAG, ModelRef, resolve, run_of, training_params
from asd.tracking.runs import ERROR_TAG, step_run
from asd.tracking.store import client


def log(name: str, ready: bool = True, digest: str = "0" * 64) -> str:
    """The run of a training that has logged a model, as far as MLflow knows of it."""
    with mlflow.start_run() as run:
        tags = {MODEL_TAG: name, **({DIGEST_TAG: digest} if digest else {})}
        model = client().create_logged_model(
            run.info.experiment_id, name, run.info.run_id, tags=tags
        )
        if ready:
            client().finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return str(run.info.run_id)


@pytest.fixture
def older(workspace: Path) -> str:
    return log("older")


SPOILT: list[Callable[[], object]] = [
    lambda: log("killed", ready=False),
    lambda: log("without digest", digest=""),
    lambda: client().delete_run(log("deleted")),
]


@pytest.mark.parametrize("spoil", SPOILT, ids=["not ready", "not whole", "deleted"])
def test_the_newest_is_whole_and_not_deleted(older: str, spoil: Callable[[], object]) -> None:
    spoil()
    assert resolve("").run_id == older


def test_without_a_whole_model_there_is_none(workspace: Path) -> None:
    client().delete_run(log("deleted"))
    with pytest.raises(TrackingError, match="no trained model yet, or its runs were deleted"):
        resolve("")


def test_a_model_that_is_not_whole_is_one_line(older: str) -> None:
    run_id = log("killed", ready=False)
    found = client().search_logged_models([client().get_run(run_id).info.experiment_id])
    [model] = [model for model in found if model.source_run_id == run_id]
    with pytest.raises(TrackingError, match="stopped before its model was whole"):
        resolve(f"models:/{model.model_id}")


def test_a_model_outlives_its_run(older: str) -> None:
    model = resolve("")
    client().delete_run(older)
    assert resolve(f"models:/{model.model_id}") == model
    gone = replace(model, run_id="0" * 32)
    assert run_of(gone) is None
    assert training_params(gone) == {}
    assert registry._code_tags(gone) == {}


@pytest.fixture
def removed(recordings: Path) -> ModelRef:
    """Give a model whose run was deleted, and removed for good as users do it."""
    preprocess.run(PreprocessConfig(source=str(recordings), output="data/m", clip_seconds=1))
    model = train.run(TrainConfig(data="data/m", model="mahalanobis"))
    client().delete_run(model.run_id)
    done = CliRunner().invoke(mlflow.cli.gc, ["--backend-store-uri", mlflow.get_tracking_uri()])
    assert done.exit_code == 0, done.output
    assert run_of(model) is None
    return model


def test_a_model_whose_run_was_removed_for_good_works_where_it_is_named(removed: ModelRef) -> None:
    evaluate.run(EvaluateConfig(model_uri=removed.uri, data="data/m"))
    assert score.run(ScoreConfig(source="recordings", model_uri=removed.uri))
    assert promote.run(PromoteConfig(model_uri=removed.uri, data="data/m"))
    assert score.run(ScoreConfig(source="recordings"))
    threshold.run(MoveThresholdConfig(false_alarm_rate=0.2))


def test_a_run_that_was_removed_for_good_is_refused_in_one_line(removed: ModelRef) -> None:
    with pytest.raises(TrackingError, match="no trained model yet, or its runs were deleted"):
        evaluate.run(EvaluateConfig(data="data/m"))
    for uri in (removed.run_id, f"runs:/{removed.run_id}/mahalanobis"):
        with pytest.raises(
            TrackingError, match=r"no such model \(Run with id=\w+ not found"
        ) as told:
            evaluate.run(EvaluateConfig(model_uri=uri, data="data/m"))
        assert "\n" not in str(told.value)


def test_a_run_that_is_stopped_while_it_ends_is_killed_and_not_left_running(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stops = mlflow.MlflowClient.set_terminated, iter([True])
    begun: list[str] = []

    def stopped_once(*args: Any) -> None:
        if next(stops, False):
            raise KeyboardInterrupt
        whole(*args)

    monkeypatch.setattr(mlflow.MlflowClient, "set_terminated", stopped_once)
    with (
        pytest.raises(KeyboardInterrupt),
        step_run("outer", {}) as outer,
        step_run("inner", {}) as inner,
    ):
        begun += [outer.run_id, inner.run_id]
    assert [client().get_run(run_id).info.status for run_id in begun] == ["KILLED", "KILLED"]


def test_a_deleted_experiment_says_how_to_get_it_back(
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = mlflow.create_experiment("gone")
    client().delete_experiment(number)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "gone")
    with pytest.raises(TrackingError, match="mlflow experiments restore"), step_run("x", {}):
        pass


def test_an_interrupted_step_is_killed_and_says_so(workspace: Path) -> None:
    with pytest.raises(KeyboardInterrupt), step_run("x", {}) as tracked:
        raise KeyboardInterrupt("interrupted (SIGTERM)")
    run = client().get_run(tracked.run_id)
    assert (run.info.status, run.data.tags[ERROR_TAG]) == ("KILLED", "interrupted (SIGTERM)")


def test_a_run_may_stand_below_one_that_is_not_active_here(workspace: Path) -> None:
    with step_run("leader", {}) as leader:
        pass
    with step_run("helper", {}), step_run("trial", {}, parent=leader.run_id) as trial:
        pass
    run = client().get_run(trial.run_id)
    assert (run.info.status, run.data.tags["mlflow.parentRunId"]) == ("FINISHED", leader.run_id)


@pytest.mark.usefixtures("workspace")
def test_a_run_stands_in_an_experiment_that_another_has_just_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with step_run("leader", {}) as leader:
        pass
    start, refused = mlflow.start_run, [True]

    def late(*given: Any, **wish: Any) -> mlflow.ActiveRun:
        if "parent_run_id" in wish and refused and refused.pop():
            raise MlflowException("exists", RESOURCE_ALREADY_EXISTS)
        return start(*given, **wish)

    monkeypatch.setattr(mlflow, "start_run", late)
    with step_run("trial", {}, parent=leader.run_id) as trial:
        pass
    assert not refused
    assert client().get_run(trial.run_id).data.tags["mlflow.parentRunId"] == leader.run_id


def test_a_full_disk_in_a_step_is_one_line(workspace: Path) -> None:
    with pytest.raises(OutputError, match=r"here\.png: cannot be written"), step_run("x", {}) as t:
        raise OSError(28, "No space left on device", "here.png")
    assert "here.png" in client().get_run(t.run_id).data.tags[ERROR_TAG]


def test_the_next_step_ends_the_runs_of_a_killed_one(workspace: Path) -> None:
    lost = client().create_run(client().get_experiment_by_name("test").experiment_id)  # type: ignore[union-attr]
    (workspace / alive.FOLDER).mkdir(parents=True)
    line = f"{lost.info.run_id} {mlflow.get_tracking_uri()}\n"
    (workspace / alive.FOLDER / "dead").write_text(line, encoding="utf-8")
    with step_run("x", {}) as tracked:
        assert client().get_run(lost.info.run_id).info.status == "KILLED"
        assert client().get_run(tracked.run_id).info.status == "RUNNING"
    assert client().get_run(tracked.run_id).info.status == "FINISHED"


def test_a_run_whose_process_was_killed_before_it_knew_its_id_is_ended(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(runs, "note_run", lambda name, _: noted.append(name))
        with step_run("x", {}) as tracked:
            assert len(noted) == 2, "first by a name, then by its id"
            assert noted[1] == tracked.run_id
    experiment = mlflow.get_experiment_by_name("test")
    assert experiment is not None
    lost = client().create_run(experiment.experiment_id, run_name=noted[0])
    (workspace / alive.FOLDER).mkdir(parents=True)
    line = f"{noted[0]} {mlflow.get_tracking_uri()}\n"
    (workspace / alive.FOLDER / "dead").write_text(line, encoding="utf-8")
    with step_run("x", {}):
        assert client().get_run(lost.info.run_id).info.status == "KILLED"


def test_names_that_are_no_text_are_logged_as_text(workspace: Path) -> None:
    name = "\udc83|\udc93 \x1b[31m.wav"
    with step_run("score", {"source": name}, f"score {name}") as tracked:
        tracked.set_tags({"asd.x": name})
        tracked.report(f"judged {name}")
    data = client().get_run(tracked.run_id).data
    shown = "\\x83|\\x93 \\x1b[31m.wav"
    assert data.params["source"] == data.tags["asd.x"] == shown
    assert data.tags["mlflow.runName"] == f"score {shown}"


def test_a_figure_is_drawn_once_for_artifacts_and_grid(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    wrapped = Figure.savefig

    def counted(figure: Figure, *args: Any, **kwargs: Any) -> None:
        drawn.append(figure)
        wrapped(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", counted)
    figures = {"one": Figure(), "two": Figure()}
    with step_run("x", {}) as tracked:
        tracked.log_figures(figures, ["one"])
        tracked.log_figures({})
    assert drawn == list(figures.values())

    def logged(folder: str) -> set[str]:
        return {Path(item.path).name for item in client().list_artifacts(tracked.run_id, folder)}

    assert logged("plots") == {"one.png", "two.png"}
    assert {name[:3] for name in logged("images")} == {"one"}
