"""Promotion on evidence: the gates, the aliases, and the way back."""

import functools
import itertools
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import soundfile
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from asd.config.steps import PromoteConfig, RollbackConfig, TrainConfig
from asd.data import manifest
from asd.data.manifest import Clip
from asd.decision.thresholds import Threshold, binomial_interval
from asd.errors import AsdError, TrackingError
from asd.evaluation import evaluation as evaluations
from asd.evaluation import gates
from asd.evaluation.bootstrap import auc_interval, paired_bootstrap
from asd.evaluation.evaluation import Evaluation
from asd.evaluation.gates import Probe
from asd.evaluation.metrics import MAX_FPR, metrics
from asd.evaluation.table import ScoreTable
from asd.files import file_digest
from asd.pipeline.pipeline import Pipeline
from asd.pipeline.verdict import Verdict
from asd.steps import promote, rollback, train
from asd.tracking import alive, champions, registry, store
from asd.tracking.fresh import environment_gate, fresh_scores
from asd.tracking.models import ModelRef, load
from asd.tracking.registry import Holders
from asd.tracking.runs import STEP_TAG
from asd.tracking.tracked import TrackedRun
from tests import shortcuts
from tests.shortcuts import scores_here

RATE = 8000
DATA = "data/hum"
NAME = "hum"
CLIPS = (("train", "normal", 24), ("valid", "normal", 40), ("test", "normal", 24))


@dataclass(frozen=True)
class Trained:
    """Two models of one data set: one that hears knocking, one that is nearly deaf."""

    good: ModelRef
    worse: ModelRef


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Trained]:
    """Train them once, in a folder and a store of their own."""
    folder = tmp_path_factory.mktemp("promote")
    shutil.copyfile(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        patch.setenv("MLFLOW_EXPERIMENT_NAME", "promote")
        patch.delenv("MLFLOW_RUN_ID", raising=False)
        mlflow.create_experiment("promote", artifact_location=(folder / "mlruns").as_uri())
        make_clips(folder / DATA)
        deaf = {"features": {"f_max": 150.0, "n_mels": 2}, "data": DATA}
        worse = train.run(TrainConfig.parse(deaf))
        yield Trained(train.run(TrainConfig(model="knn", data=DATA)), worse)


@pytest.fixture
def trained(models: Trained, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trained]:
    """The models with an empty registry; fewer draws, and no new process for every promotion."""
    monkeypatch.setattr(evaluations, "auc_interval", functools.partial(auc_interval, n=50))
    monkeypatch.setattr(gates, "paired_bootstrap", functools.partial(paired_bootstrap, n=50))
    shortcuts.take(monkeypatch)
    yield models
    if registry.holders(NAME) != Holders(None, None, None):
        mlflow.MlflowClient().delete_registered_model(NAME)


def make_clips(root: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    t = np.arange(RATE) / RATE
    for split, label, count in (*CLIPS, ("test", "anomaly", 12)):
        for index in range(count):
            signal = 0.2 * np.sin(2 * np.pi * 200 * t) + 0.05 * rng.standard_normal(RATE)
            if label == "anomaly":
                signal += 0.5 * np.sin(2 * np.pi * 1500 * t) * (np.sin(2 * np.pi * 4 * t) > 0.9)
            path = root / split / f"{label}-{index:02d}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, signal, RATE)
            rows.append(
                Clip.model_validate(
                    {
                        "path": f"{split}/{path.name}",
                        "recording": f"{split}-{label}-{index // 4}",
                        "start_s": index % 4,
                        "duration_s": 1.0,
                        "split": split,
                        "label": label,
                        "sha256": file_digest(path),
                    }
                )
            )
    manifest.save(root, rows)


def newest(step: str) -> Run:
    experiment = mlflow.get_experiment_by_name("promote")
    assert experiment is not None
    [run] = mlflow.MlflowClient().search_runs(
        [experiment.experiment_id], f"tags.`asd.step` = '{step}'", max_results=1
    )
    return run


def report(run: Run) -> str:
    return mlflow.artifacts.load_text(f"{run.info.artifact_uri}/report.txt")


def give(model: ModelRef, **fields: float) -> bool:
    return promote.run(PromoteConfig.parse({"model_uri": model.uri, "data": DATA, **fields}))


def test_a_better_model_is_promoted_and_the_former_champion_kept(trained: Trained) -> None:
    assert give(trained.worse), "there is no champion to beat"
    assert registry.holders(NAME) == Holders("1", None, None)
    assert give(trained.good)
    assert registry.holders(NAME) == Holders("2", "1", None)
    run = newest("promote")
    found = run.data.metrics
    assert found["gain"] == pytest.approx(found["auc"] - found["champion_auc"])
    assert 0 < found["gain_low"] <= found["gain"] <= found["gain_high"]
    assert found["reload_difference"] == 0
    assert run.data.tags["asd.promoted"] == "true"
    assert "champion already" not in report(run)
    assert not give(trained.good), "it is the champion already"
    assert registry.holders(NAME) == Holders("2", "1", None)


def test_a_version_carries_what_it_is_and_how_it_did(trained: Trained) -> None:
    give(trained.good)
    tags = mlflow.MlflowClient().get_model_version(NAME, "1").tags
    dataset = manifest.load(Path(DATA))
    pipeline = load(trained.good)
    assert tags["data.digest"] == tags["data.trained_on"] == dataset.digest
    assert (
        float(tags["metric.auc_low"]) <= float(tags["metric.auc"]) <= float(tags["metric.auc_high"])
    )
    promised = pipeline.threshold.promised_rate
    assert promised is not None
    assert float(tags["threshold.promised_rate"]) == pytest.approx(promised, abs=1e-5)
    settings = json.loads(tags["config"])
    assert (settings["detector"], settings["features.sample_rate"]) == ("knn", RATE)
    assert settings["threshold.method"] == "conformal"
    assert len(tags["config.digest"]) == 16
    assert tags["code.version"] == newest("train").data.tags["asd.version"]
    assert tags["promotion"].startswith("promoted: knn on hum, version 1, became champion of hum")
    assert tags["promotion.run_id"] == newest("promote").info.run_id


def test_a_worse_model_is_refused_with_numbers_and_is_challenger(trained: Trained) -> None:
    give(trained.good)
    assert not give(trained.worse)
    assert registry.holders(NAME) == Holders("1", None, "2")
    run = newest("promote")
    found = run.data.metrics
    said = report(run)
    assert "refused by gain" in said
    assert f"auc {found['auc']:.4f} against {found['champion_auc']:.4f}" in said
    assert f"{found['gain']:+.4f} (95 % interval {found['gain_low']:+.4f}" in said
    assert run.data.tags["asd.gate.gain"].startswith("gain: refused")
    assert "asd.gate.reload" not in run.data.tags, "it could not have changed the decision"
    assert (
        "refused by gain" in (mlflow.MlflowClient().get_model_version(NAME, "2").tags["promotion"])
    )


def test_the_largest_rate_of_the_partial_auc_holds_throughout(trained: Trained) -> None:
    """Up to a rate of 1 the partial AUC is the AUC."""
    wish = {"data": DATA, "metric": "pauc", "max_fpr": 1.0}
    give(trained.worse)
    assert promote.run(PromoteConfig.parse({**wish, "model_uri": trained.good.uri}))
    found = newest("promote").data.metrics
    assert found["pauc"] == pytest.approx(found["auc"])
    champion = newest("evaluate").data.metrics
    assert found["champion_pauc"] == pytest.approx(champion["auc"])
    assert found["gain"] == pytest.approx(found["auc"] - champion["auc"])


def test_a_challenger_that_wins_is_challenger_no_more(trained: Trained) -> None:
    give(trained.worse)
    assert not give(trained.good, min_gain=0.99)
    assert registry.holders(NAME) == Holders("1", None, "2")
    assert give(trained.good)
    assert registry.holders(NAME) == Holders("2", "1", None)


def test_a_slow_model_is_refused(trained: Trained) -> None:
    assert not give(trained.good, max_latency_ms=1e-6)
    assert registry.holders(NAME) == Holders(None, None, "1")
    assert "latency: refused" in report(newest("promote"))


def busy_process() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])


def test_a_busy_machine_does_not_change_the_decision(pipeline: Pipeline) -> None:
    dataset = manifest.load(Path(DATA))

    def decisions() -> list[bool]:
        measured = gates.probe(pipeline, dataset)
        return [gates.latency(measured, pipeline, limit).holds for limit in limits]

    limits = [None, 10 * gates.probe(pipeline, dataset).latency_ms, 1e-6]
    quiet = decisions()
    with busy_process() as one, busy_process() as other:
        try:
            busy = decisions()
        finally:
            one.kill()
            other.kill()
    assert busy == quiet == [True, True, False]


def test_time_spent_waiting_does_not_count_as_latency(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Pipeline.judge
    quick = gates.probe(pipeline, manifest.load(Path(DATA))).latency_ms
    wait_ms = 20 * quick

    def held_up(judged: Pipeline, source: Path | bytes) -> Verdict:
        time.sleep(wait_ms / 1000)
        return judge(judged, source)

    monkeypatch.setattr(Pipeline, "judge", held_up)
    waiting = gates.probe(pipeline, manifest.load(Path(DATA)))
    assert gates.latency(waiting, pipeline, wait_ms).holds


def test_the_quickest_of_several_passes_counts(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass may be slow because filter banks are loaded, or because memory is wanted elsewhere."""
    clock = itertools.accumulate(itertools.cycle([0.0, 9.0, 0.0, 0.002, 0.0, 5.0]))
    monkeypatch.setattr(time, "process_time", lambda: next(clock))
    assert gates.probe(pipeline, manifest.load(Path(DATA))).latency_ms == pytest.approx(2.0)


def test_a_model_that_scores_otherwise_after_loading_is_refused(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asd.tracking.fresh.fresh_scores", lambda _, files: [0.0] * len(files))
    assert not give(trained.good)
    assert registry.holders(NAME) == Holders(None, None, "1")
    assert "refused by reload" in report(newest("promote"))


def test_a_new_process_scores_alike(models: Trained) -> None:
    pipeline = load(models.good)
    probe = gates.probe(pipeline, manifest.load(Path(DATA)))
    assert len(probe.files) == gates.PROBED
    again = fresh_scores(models.good, probe.files)
    assert again == pytest.approx(probe.scores, abs=1e-6)
    assert gates.reload(probe, again).holds
    with pytest.raises(TrackingError, match="cannot be loaded in a new process"):
        fresh_scores(replace(models.good, model_id="m-absent"), probe.files)


def test_a_model_that_cannot_be_loaded_anew_is_refused(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model: ModelRef, files: list[Path]) -> list[float]:
        raise TrackingError("it cannot be loaded in a new process")

    monkeypatch.setattr("asd.tracking.fresh.fresh_scores", broken)
    assert not give(trained.good)
    assert "reload: refused, it cannot be loaded" in report(newest("promote"))


@pytest.mark.parametrize(
    "part", ["artifacts/pipeline/pipeline.json", "code/asd/pipeline/pipeline.py"]
)
def test_a_changed_file_is_refused(trained: Trained, part: str) -> None:
    give(trained.worse)
    before = registry.holders(NAME)
    [path] = Path("mlruns").rglob(f"{trained.good.model_id}/artifacts/{part}")
    original = path.read_bytes()
    path.write_bytes(original + b"\n")
    try:
        with pytest.raises(TrackingError, match="not those that were logged") as caught:
            give(trained.good)
    finally:
        path.write_bytes(original)
    assert "\n" not in str(caught.value)
    assert newest("promote").info.status == "FAILED"
    assert registry.holders(NAME) == before


def test_a_broken_champion_says_what_to_do(trained: Trained) -> None:
    give(trained.worse)
    [path] = Path("mlruns").rglob(f"{trained.worse.model_id}/artifacts/MLmodel")
    original = path.read_bytes()
    path.write_bytes(b"")
    try:
        with pytest.raises(TrackingError, match=r"champion, version 1 of hum, .* -e rollback"):
            give(trained.good)
    finally:
        path.write_bytes(original)


def test_serving_by_alias_does_not_look_like_tampering(trained: Trained) -> None:
    give(trained.good)
    [folder] = Path("mlruns").rglob(f"{trained.good.model_id}/artifacts")
    mlflow.artifacts.download_artifacts(artifact_uri=champions.address(NAME))
    assert (folder / "registered_model_meta").is_file(), "MLflow has added a file of its own"
    assert load(trained.good).name == "knn"


def test_rollback_there_and_back(trained: Trained) -> None:
    with pytest.raises(AsdError, match="no champion yet"):
        rollback.run(RollbackConfig())
    give(trained.worse)
    with pytest.raises(AsdError, match="no previous champion"):
        rollback.run(RollbackConfig())
    give(trained.good)
    assert rollback.run(RollbackConfig()) == "1"
    assert registry.holders(NAME) == Holders("1", "2", None)
    champion = registry.champion(NAME)
    assert champion is not None
    assert champion.model_id == trained.worse.model_id
    assert rollback.run(RollbackConfig()) == "2"
    assert registry.holders(NAME) == Holders("2", "1", None)


def test_pages_say_what_holds_after_a_rollback(trained: Trained) -> None:
    store = mlflow.MlflowClient()
    give(trained.worse)
    give(trained.good)
    first, second = (str(store.get_model_version(NAME, version).description) for version in "12")
    for told in (first, second):
        assert "became champion of hum" in told
        assert "is the champion" not in told
    assert second in store.get_registered_model(NAME).description
    rollback.run(RollbackConfig())
    page = store.get_registered_model(NAME).description
    assert page.startswith("Champion: version 1. Serve it: `mlflow models serve -m models:/hum@")
    assert first in page
    assert second not in page


def test_an_example_is_answered_as_mlflow_asks_it(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the building of the environment, which takes minutes."""
    ask = mlflow.models.predict

    def here(uri: str, **words: Any) -> None:
        assert words.pop("env_manager") == "uv"
        ask(uri, env_manager="local", **words)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(mlflow.models, "predict", here)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/uv")
    assert not environment_gate(trained.good).refuses


@pytest.mark.parametrize("moves", [0, 1, 2])
def test_a_rollback_that_was_cut_short_is_finished_and_not_undone(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    give(trained.worse)
    give(trained.good)
    point = registry._point
    left = iter(range(moves))

    def until_killed(*alias: str) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        point(*alias)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(registry, "_point", until_killed)
        patch.setattr(TrackedRun, "report", killed)
        with pytest.raises(KeyboardInterrupt):
            rollback.run(RollbackConfig())
    assert rollback.run(RollbackConfig()) == "1"
    assert registry.holders(NAME) == Holders("1", "2", None)
    assert rollback.run(RollbackConfig()) == "2", "a rollback that was finished is over"


def test_a_rollback_whose_process_was_killed_after_its_end_is_not_undone(trained: Trained) -> None:
    give(trained.worse)
    give(trained.good)
    assert rollback.run(RollbackConfig()) == "1"
    newest = store.recent_runs(f"tags.`{STEP_TAG}` = 'rollback'", 1)[0]
    alive.FOLDER.mkdir(parents=True, exist_ok=True)
    (alive.FOLDER / "dead").write_text(f"{newest.info.run_id} {mlflow.get_tracking_uri()}\n")
    assert rollback.run(RollbackConfig()) == "1"
    assert rollback.run(RollbackConfig()) == "2", "a rollback that was finished is over"


def test_of_two_promotions_at_once_the_later_is_told(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(model: ModelRef, files: list[Path]) -> list[float]:
        monkeypatch.setattr("asd.tracking.fresh.fresh_scores", scores_here)
        assert give(trained.worse)
        return scores_here(model, files)

    monkeypatch.setattr("asd.tracking.fresh.fresh_scores", overtaken)
    assert not give(trained.good)
    assert registry.holders(NAME) == Holders("1", None, "2")
    tags = mlflow.MlflowClient().get_model_version(NAME, "2").tags
    assert "another promotion made version 1 champion" in tags["promotion"]
    assert give(trained.good), "given again, it is compared with the new champion"


def test_one_of_many_moves_at_the_same_moment_wins(trained: Trained) -> None:
    versions = [registry.register(NAME, model, {}) for model in (trained.good, trained.worse)]
    start = threading.Barrier(len(versions))
    won: dict[str, bool] = {}

    def move(version: str) -> None:
        start.wait()
        won[version] = registry.promote(NAME, version, seen=None)

    threads = [threading.Thread(target=move, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [winner] = [version for version in versions if won[version]]
    assert registry.holders(NAME) == Holders(winner, None, None)


def test_a_registry_that_cannot_be_read_is_not_an_empty_one(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise MlflowException("database is gone")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "get_registered_model", broken)
        with pytest.raises(TrackingError, match="database is gone"):
            give(trained.good)


@pytest.fixture
def pipeline(models: Trained) -> Pipeline:
    return load(models.good)


def evaluation(
    models: Trained, pipeline: Pipeline, scores: list[float], promised: float | None
) -> Evaluation:
    """One whose clips, the last four anomalous, have the given scores, under the threshold 0."""
    dataset = manifest.load(Path(DATA))
    normal = dataset.split("test", "normal").clips[: len(scores) - 4]
    clips = (*normal, *dataset.split("test", "anomaly").clips[:4])
    table = ScoreTable(clips, np.array(scores), None, 0.0)
    threshold = Threshold(0.0, "conformal", promised, promised, 40)
    pooled = replace(pipeline.decision.pooled, threshold=threshold)
    judged = replace(pipeline, decision=replace(pipeline.decision, pooled=pooled))
    return Evaluation(models.good.name, judged, dataset, table, metrics(table), {}, MAX_FPR, seed=0)


@pytest.mark.parametrize(
    ("alarms", "promised", "champion_alarms", "holds", "refuses"),
    [
        (2, 0.05, 0, True, False),
        (4, 0.05, 0, True, False),  # all of them in one of five recordings
        (12, 0.05, None, False, False),  # nothing better is in service
        (12, 0.05, 0, False, True),
        (12, 0.05, 13, False, False),  # the champion breaks its promise too
        (12, None, 0, True, False),  # a threshold without a promise has none to break
    ],
)
def test_false_alarms_are_held_against_the_promise(
    models: Trained,
    pipeline: Pipeline,
    alarms: int,
    promised: float | None,
    champion_alarms: int | None,
    holds: bool,
    refuses: bool,
) -> None:
    def with_alarms(count: int) -> Evaluation:
        scores = [1.0] * count + [-1.0] * (20 - count) + [2.0] * 4
        return evaluation(models, pipeline, scores, promised)

    champion = None if champion_alarms is None else with_alarms(champion_alarms)
    gate = gates.false_alarms(with_alarms(alarms), champion)
    assert (gate.holds, gate.refuses) == (holds, refuses)


@pytest.mark.parametrize(("min_gain", "holds"), [(0.0, True), (0.25, True), (0.26, False)])
def test_gain_needs_the_least_difference(
    trained: Trained, pipeline: Pipeline, min_gain: float, holds: bool
) -> None:
    best = evaluation(trained, pipeline, [-1.0] * 8 + [1.0] * 4, None)
    lesser = evaluation(trained, pipeline, [-1.0] * 8 + [1.0] * 3 + [-2.0], None)
    gate = gates.gain(best, lesser, "auc", min_gain)
    assert gate.figures["gain"] == pytest.approx(0.25)
    assert gate.holds is holds
    assert not gates.gain(best, best, "auc", 0.0).holds, "a tie is no gain"
    by_f1 = gates.gain(best, lesser, "f1", 0.0)
    assert by_f1.holds
    assert "gain_low" not in by_f1.figures


def test_the_gate_holds_the_interval_that_is_shown_against_the_promise(
    models: Trained, pipeline: Pipeline
) -> None:
    """Four alarms in one recording of five are one alarm, for the gate and for the metric."""
    found = evaluation(models, pipeline, [1.0] * 4 + [-1.0] * 16 + [2.0] * 4, 0.05)
    low = found.metrics["false_alarm_rate_low"]
    assert low == pytest.approx(binomial_interval(1, 5)[0])
    assert f"interval over recordings {low:.1%} to" in gates.false_alarms(found, None).numbers


def test_by_default_a_clip_may_take_as_long_as_it_lasts(pipeline: Pipeline) -> None:
    assert gates.latency(Probe([], [], 1000.0), pipeline, None).holds
    assert not gates.latency(Probe([], [], 1001.0), pipeline, None).holds
    assert not gates.latency(Probe([], [], 1000.0), pipeline, 999.0).holds
