"""The sweep, in this process: what it searches, logs, looks at and leaves behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import mlflow
import numpy as np
import optuna
import pytest
from mlflow.entities import Run

from asd.config import cli
from asd.config.recipe import Recipe
from asd.config.steps import SweepConfig, TrainConfig
from asd.data import manifest
from asd.data.manifest import Dataset
from asd.errors import AsdError
from asd.search import plan
from asd.search import pseudo_anomalies as proxy
from asd.search import study as study_module
from asd.search.plan import Attempt, Trial
from asd.search.study import Study
from asd.search.study_plots import study_figures
from asd.search.sweep import Sweep
from asd.steps import sweep, train
from asd.tracking import models
from asd.tracking import trials as tracked_trials
from asd.tracking.models import ModelRef
from asd.tracking.tracked import TrackedRun

Runs = Callable[[], list[Run]]

QUICK = {
    "model": "knn",
    "trials": 4,
    "study": "quick",
    "space": {"features": {"n_fft": "512,1024", "n_mels": "16,32"}},
    "features": {"hop_length": 512, "f_min": 0.0, "level": "none"},
}


@pytest.fixture
def without_winner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the seconds that training and testing the winner takes."""

    def conclude(search: Sweep, study: Study, dataset: Dataset, tracked: TrackedRun) -> Trial:
        tracked.log_metrics(search.figures(study))
        tracked.log_figures(study_figures(study))
        study.conclude({"model": "models:/none", "lines": []})
        return study.best()

    monkeypatch.setattr(sweep, "_conclude", conclude)
    monkeypatch.setattr(study_module, "known", lambda uri: uri == "models:/none")


def swept(data: str, **more: Any) -> Any:
    return sweep.run(SweepConfig.parse({**QUICK, "data": data, **more}))


def trial_runs(runs: list[Run]) -> list[Run]:
    found = [run for run in runs if tracked_trials.TRIAL_TAG in run.data.tags]
    return sorted(found, key=lambda run: int(run.data.tags[tracked_trials.TRIAL_TAG]))


def only(runs: list[Run], step: str) -> Run:
    [found] = [run for run in runs if run.data.tags["asd.step"] == step]
    return found


def artifacts(run: Run, folder: str = "") -> set[str]:
    items = mlflow.MlflowClient().list_artifacts(run.info.run_id, folder)
    return {item.path.removeprefix(f"{folder}/") for item in items}


def label_validation(data: str) -> None:
    """Move the anomalies of the test side to the validation side."""
    clips = manifest.load(Path(data)).clips
    moved = [
        clip.model_copy(update={"split": "valid"}) if clip.label == "anomaly" else clip
        for clip in clips
    ]
    manifest.save(Path(data), moved)


def test_each_trial_is_a_run_below_one_parent(data: str, runs: Runs) -> None:
    found = swept(data)
    parent = only(runs(), "sweep")
    trials = trial_runs(runs())
    assert [run.data.tags["asd.trial"] for run in trials] == ["0", "1", "2", "3"]
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parent.info.run_id}
    assert {run.info.status for run in runs()} - {"FINISHED"} == set()
    assert {"proxy_auc", "proxy_pauc", "fit_seconds", "seconds"} <= set(trials[0].data.metrics)
    assert {"detector", "detector.k", "features.n_mels", "seed"} <= set(trials[0].data.params)
    assert only(runs(), "train").data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert only(runs(), "evaluate").data.metrics["auc"] == found.evaluation.metrics["auc"]
    best = max(run.data.metrics["proxy_auc"] for run in trials)
    assert parent.data.metrics["best_proxy_auc"] == pytest.approx(best)
    assert {"best.yaml", "plots", "report.txt", "runoff.md"} <= artifacts(parent)
    assert parent.data.tags["asd.winner"].startswith("trial ")
    assert parent.data.metrics["runoff_auc"] >= parent.data.metrics["runoff_auc_incumbent"]
    assert "history.png" in artifacts(parent, "plots")


def test_the_first_trial_is_the_default_and_best_yaml_trains_the_winner(
    data: str, runs: Runs
) -> None:
    found = swept(data, space={"features": {"n_fft": "512,1024", "n_mels": "32,128"}})
    params = trial_runs(runs())[0].data.params
    assert (params["detector.k"], params["features.n_fft"], params["features.n_mels"]) == (
        "1",
        "512",
        "128",
    )
    config = cli.load(TrainConfig, ["--config=.cache/studies/quick/best.yaml", f"--data={data}"])
    again = train.run(config)
    assert only([r for r in runs() if r.info.run_id == again.run_id], "train").data.params[
        "features.n_fft"
    ] == str(found.evaluation.pipeline.recipe.branches[0].features["n_fft"])


def test_a_default_that_is_not_clearly_beaten_stays(data: str, runs: Runs) -> None:
    swept(data, space={}, features={"n_fft": 512, "hop_length": 256, "n_mels": 32})
    parent = only(runs(), "sweep")
    # Nothing can be better than telling each pseudo-anomaly from each normal clip.
    assert parent.data.metrics["runoff_auc_incumbent"] == 1
    assert parent.data.tags["asd.winner"] == "trial 0 knn"


@pytest.mark.usefixtures("without_winner")
def test_a_network_tells_its_losses_and_can_be_pruned(
    data: str, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Second(optuna.pruners.BasePruner):
        def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
            del study
            return trial.number == 1 and trial.last_step == 2

    monkeypatch.setitem(plan._PRUNERS, "median", Second)
    swept(data, model="cnn", trials=2, detector={"epochs": 3, "channels": 8})
    full, pruned = trial_runs(runs())
    assert full.data.tags["asd.state"] == "complete"
    assert pruned.data.tags["asd.state"] == "pruned"
    assert (pruned.info.status, "proxy_auc" in pruned.data.metrics) == ("FINISHED", False)
    history = mlflow.MlflowClient().get_metric_history(pruned.info.run_id, "valid_loss")
    assert [metric.step for metric in history] == [1, 2]
    assert only(runs(), "sweep").data.metrics["trials_pruned"] == 1


@pytest.mark.usefixtures("without_winner")
def test_several_detectors_are_a_choice_of_their_own(data: str, runs: Runs) -> None:
    swept(data, model="knn,gmm", trials=4, detector={"gmm": {"mixture_components": 2}})
    tried = [run.data.params for run in trial_runs(runs())]
    assert [params["detector"] for params in tried[:2]] == ["knn", "gmm"], "defaults come first"
    for params in tried:
        own = {"knn": "detector.k", "gmm": "detector.pca_components"}
        assert [key for key in own.values() if key in params] == [own[params["detector"]]]


def test_the_test_side_is_looked_at_once_the_winner_is_trained_and_the_data_set_read_once(
    data: str, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = Mock()
    monkeypatch.setattr("asd.data.opening.verify", verified)
    seen: list[str] = []
    split, fit = Dataset.split, train.fit

    def watched(self: Dataset, name: Any, label: Any = None) -> Dataset:
        seen.append(name)
        return split(self, name, label)

    def fitted(recipe: Recipe, dataset: Dataset) -> ModelRef:
        model = fit(recipe, dataset)
        seen.append("the winner")
        return model

    monkeypatch.setattr(Dataset, "split", watched)
    monkeypatch.setattr(train, "fit", fitted)
    swept(data)
    assert "test" not in seen[: seen.index("the winner")]
    assert "test" in seen
    assert only(runs(), "evaluate"), "there is one evaluation"
    assert verified.call_count == 1


@pytest.mark.usefixtures("without_winner")
def test_labelled_validation_anomalies_take_the_place_of_pseudo_anomalies(
    data: str, runs: Runs
) -> None:
    label_validation(data)
    swept(data, metric="f1", trials=3)
    trial = trial_runs(runs())[0]
    assert {"valid_auc", "valid_f1"} <= set(trial.data.metrics)
    methods = {run.data.params["threshold.method"] for run in trial_runs(runs())}
    assert methods <= {"conformal", "mean_std", "quantile", "gamma"}
    assert not Path(".cache/features/pseudo-anomalies").exists()


@pytest.mark.usefixtures("without_winner")
def test_two_metrics_give_a_front(data: str, runs: Runs) -> None:
    swept(data, metric="auc,score_seconds")
    parent = only(runs(), "sweep")
    assert "pareto_front.png" in artifacts(parent, "plots")
    assert {"best_proxy_auc", "best_score_seconds"} <= set(parent.data.metrics)


@pytest.mark.usefixtures("without_winner")
def test_on_a_cluster_each_trial_is_a_task_and_counts_once(
    data: str, runs: Runs, spread: list[str]
) -> None:
    found = swept(data)
    assert spread.count("trials") == 5, "one of four is given to another worker"
    trials = trial_runs(runs())
    assert [run.data.tags["asd.trial"] for run in trials] == ["0", "1", "2", "3"]
    assert {run.info.status for run in runs()} == {"FINISHED"}
    parent = only(runs(), "sweep")
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parent.info.run_id}
    assert found.results == (max(run.data.metrics["proxy_auc"] for run in trials),)
    # Two more are two tasks, one of which is given to another worker again.
    spread.clear()
    swept(data, trials=6)
    assert spread.count("trials") == 3
    assert len(trial_runs(runs())) == 6


@pytest.mark.usefixtures("without_winner")
def test_on_a_cluster_no_trial_is_begun_after_the_time_is_over(
    data: str, runs: Runs, spread: list[str]
) -> None:
    with pytest.raises(AsdError, match="none of its 0 trials was completed"):
        swept(data, timeout_s=1e-6)
    assert spread.count("trials") == 5
    assert not trial_runs(runs())


@pytest.mark.usefixtures("without_winner")
def test_the_same_command_again_says_that_it_is_over(data: str, runs: Runs) -> None:
    swept(data)
    before = len(runs())
    assert swept(data) is None
    assert len(runs()) == before + 1
    more = swept(data, trials=6)
    assert more is not None
    assert len(trial_runs(runs())) == 6


@pytest.mark.usefixtures("without_winner")
def test_a_trial_tells_for_how_long_its_network_is_to_learn(data: str, runs: Runs) -> None:
    given = {"epochs": 4, "channels": 2, "patience": 1, "learning_rate": 1.0}
    best = swept(data, model="cnn", detector=given, trials=1)
    [trial] = trial_runs(runs())
    history = mlflow.MlflowClient().get_metric_history(trial.info.run_id, "valid_loss")
    losses = [point.value for point in sorted(history, key=lambda point: point.step)]
    [branch] = best.settled.branches
    assert branch.detector["epochs"] == losses.index(min(losses)) + 1
    assert branch.detector["patience"] == 0


@pytest.mark.usefixtures("without_winner")
def test_a_winner_that_this_store_does_not_have_is_trained_again(
    data: str, runs: Runs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    swept(data)
    monkeypatch.setattr(study_module, "known", models.known)
    assert swept(data) is not None
    assert "is not in this store" in caplog.text
    assert len(trial_runs(runs())) == 4, "what the trials found is used again"


@pytest.mark.usefixtures("without_winner")
@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_trial_is_run_again_with_the_same_values(
    data: str, runs: Runs, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    calm = Sweep.trial

    def interrupted(self: Sweep, attempt: Attempt) -> list[float]:
        if attempt.number == 2:
            raise stop
        return calm(self, attempt)

    monkeypatch.setattr(Sweep, "trial", interrupted)
    with pytest.raises(stop):
        swept(data, sampler="random")
    assert "RUNNING" not in {run.info.status for run in runs()}
    monkeypatch.setattr(Sweep, "trial", calm)
    assert swept(data, sampler="random") is not None
    assert [run.data.tags["asd.trial"] for run in trial_runs(runs())] == ["0", "1", "2", "3"]
    assert {run.data.tags["asd.state"] for run in trial_runs(runs())} == {"complete"}
    newest = next(run for run in runs() if run.data.tags["asd.step"] == "sweep")
    parents = {run.data.tags["mlflow.parentRunId"] for run in trial_runs(runs())}
    assert parents == {newest.info.run_id}


@pytest.mark.usefixtures("without_winner")
def test_a_candidate_that_cannot_be_fitted_is_a_failed_trial(
    data: str, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = Sweep.trial

    def unlucky(self: Sweep, attempt: Attempt) -> list[float]:
        if attempt.number == 1:
            raise AsdError("no such luck")
        return calm(self, attempt)

    monkeypatch.setattr(Sweep, "trial", unlucky)
    swept(data)
    failed = trial_runs(runs())[1]
    assert (failed.info.status, failed.data.tags["asd.error"]) == ("FAILED", "no such luck")
    assert only(runs(), "sweep").data.metrics["trials_fail"] == 1


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"model": "magic"}, r"model='magic': unknown model"),
        ({"metric": "f1"}, r"metric=f1: data/hum has no labelled anomalies on its validation side"),
        ({"metric": "fit_seconds"}, r"metric must be a figure of detection"),
        ({"space": {"detector": {"k": "8,1"}}}, r"space\.detector\.k=8,1: write the lower number"),
        ({"space": {"detector": {"j": "1,8"}}}, r"space\.detector\.j: unknown key; valid keys are"),
        (
            {"space": {"threshold": {"k": "1,2"}}},
            r"space\.threshold\.k: metric=auc does not depend",
        ),
        ({"space": {"features": {"n_mels": "loud"}}}, r"space\.features\.n_mels='loud'"),
        ({"detector": {"k": 3}, "space": {"detector": {"k": "1,8"}}}, r"has a value already"),
        ({"detector": {"gmm": {}}, "model": "knn,cnn"}, r"detector\.gmm: not among model=knn,cnn"),
        ({"storage": "nowhere"}, r"storage: not a database URL"),
    ],
)
def test_bad_input_is_one_line(data: str, more: dict[str, Any], expected: str) -> None:
    with pytest.raises(AsdError, match=expected) as caught:
        swept(data, **more)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("without_winner")
def test_a_study_is_not_gone_on_with_for_something_else(data: str) -> None:
    swept(data, trials=1)
    with pytest.raises(AsdError, match="study=quick: was begun with seed=42, not 7"):
        swept(data, trials=2, seed=7)


def test_pseudo_anomalies_depend_on_clip_and_seed_alone(data: str, tmp_path: Path) -> None:
    normal = manifest.load(Path(data)).split("valid", "normal")
    one = proxy.pseudo_anomalies(normal, 1, tmp_path / "one")
    same = proxy.pseudo_anomalies(normal, 1, tmp_path / "same")
    other = proxy.pseudo_anomalies(normal, 2, tmp_path / "other")
    assert [clip.sha256 for clip in one.clips] == [clip.sha256 for clip in same.clips]
    assert {clip.sha256 for clip in one.clips}.isdisjoint(clip.sha256 for clip in other.clips)
    assert len(one.clips) >= proxy.LEAST
    assert {clip.label for clip in one.clips} == {"anomaly"}


@pytest.mark.parametrize("kind", sorted(proxy.CHANGES))
@pytest.mark.parametrize("rate", [2000, 16000])
def test_every_change_changes_the_clip_and_keeps_its_length(kind: str, rate: int) -> None:
    rng = np.random.default_rng(0)
    clip = (0.1 * rng.standard_normal(2 * rate)).astype(np.float32)
    changed = proxy.CHANGES[kind](clip, rate, rng)
    assert changed.shape == clip.shape
    assert np.isfinite(changed).all()
    assert np.abs(changed - clip).max() > 1e-3


@pytest.mark.usefixtures("without_winner")
def test_the_grid_ends_by_itself(data: str, runs: Runs) -> None:
    fixed = {"hop_length": 512, "f_min": 0.0, "f_max": 4000.0, "level": "none", "n_fft": 512}
    swept(
        data,
        trials=50,
        sampler="grid",
        features=fixed,
        detector={"k": 1, "density": 0},
        space={"features": {"n_mels": "16,32"}},
    )
    tried = {
        (r.data.params["features.n_mels"], r.data.params["detector.distance"])
        for r in trial_runs(runs())
    }
    assert len(trial_runs(runs())) == len(tried) == 4
