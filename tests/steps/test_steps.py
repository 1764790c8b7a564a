"""Each step as a user would call it, in one process, on small synthetic recordings."""

import csv
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pytest
import soundfile
from mlflow.entities import Run

from asd.config import cli
from asd.config.recipe import Recipe
from asd.config.steps import (
    AugmentConfig,
    EvaluateConfig,
    MainConfig,
    PreprocessConfig,
    PromoteConfig,
    ScoreConfig,
    TrainConfig,
)
from asd.data import manifest
from asd.data.manifest import Dataset
from asd.data.verify import verify
from asd.errors import AsdError
from asd.evaluation import plots
from asd.evaluation.page import cases
from asd.pipeline.scorer import Scorer
from asd.steps import augment, evaluate, main, preprocess, promote, score, train
from asd.tracking import registry

Runs = Callable[[], Run]


def artifacts(run: Run, folder: str = "") -> set[str]:
    found = mlflow.MlflowClient().list_artifacts(run.info.run_id, folder)
    return {item.path.removeprefix(f"{folder}/") for item in found}


def test_train_logs_config_inputs_scores_and_a_model(data: str, last_run: Runs) -> None:
    model = train.run(TrainConfig(model="knn", data=data))
    run = last_run()
    dataset = manifest.load(Path(data))
    assert run.info.run_id == model.run_id
    assert run.info.status == "FINISHED"
    assert run.data.tags["asd.step"] == "train"
    assert run.data.params["detector"] == "knn"
    assert run.data.params["data.digest"] == dataset.digest
    assert run.data.params["features.sample_rate"] == "8000"
    assert {"detector.k", "threshold.method", "features.n_fft", "seed"} <= set(run.data.params)
    assert run.inputs is not None
    contexts = {item.tags[0].value: item.dataset for item in run.inputs.dataset_inputs}
    assert set(contexts) == {"training", "validation"}
    assert contexts["training"].digest == dataset.split("train", "normal").digest
    assert {"recipe.yaml", "validation_scores.json", "report.txt", "plots"} <= artifacts(run)
    assert {"threshold", "fit_seconds"} <= set(run.data.metrics)


def test_a_model_holds_no_pickle_and_loads_as_pyfunc(data: str, recordings: Path) -> None:
    model = train.run(TrainConfig(model="knn", data=data))
    files = Path(mlflow.artifacts.download_artifacts(artifact_uri=model.location)).rglob("*")
    suffixes = {file.suffix for file in files if file.is_file()}
    assert not suffixes & {".pkl", ".pickle", ".pth", ".pt", ".joblib"}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each plot is drawn, and maps and sentences are made."""
    counted: Counter[str] = Counter()

    def count_calls(owner: object, name: str) -> None:
        original = getattr(owner, name)

        def counting(*args: object, **options: object) -> object:
            counted[name] += 1
            return original(*args, **options)

        monkeypatch.setattr(owner, name, counting)

    for name in ("roc_curve", "score_histogram", "score_bars"):
        count_calls(plots, name)
    count_calls(Scorer, "explain")
    count_calls(cases, "explained")
    count_calls(cases, "image")
    return counted


def test_evaluate_logs_metrics_to_run_and_model(
    data: str, last_run: Runs, workspace: Path, drawn: Counter[str]
) -> None:
    model = train.run(TrainConfig(model="knn", data=data))
    found = evaluate.run(EvaluateConfig(anomalies=str(workspace / "alarms")))
    run = last_run()
    assert found.model == model
    metrics = found.evaluation.metrics
    assert metrics["auc"] > 0.95
    assert run.data.metrics["auc"] == pytest.approx(metrics["auc"])
    logged = mlflow.MlflowClient().get_logged_model(model.model_id)
    assert {"auc", "pauc", "false_alarm_rate"} <= {metric.key for metric in logged.metrics or []}
    assert {"scores.csv", "anomalies", "plots"} <= artifacts(run)
    assert {"roc_curve.png", "score_bars.png", "score_histogram.png"} <= artifacts(run, "plots")
    shown = sum(len(rows) for rows in cases.chosen_rows(found.evaluation.table).values())
    assert drawn.pop("explained") == drawn.pop("image") == shown > 0
    assert set(drawn.values()) == {1}, "what is logged and what is on the page is drawn once"
    judged = int(found.evaluation.table.is_anomaly.sum())
    assert len(list((workspace / "alarms").glob("*.wav"))) == judged > 0


def test_test_clips_change_neither_detector_nor_threshold(data: str) -> None:
    first = evaluate.run(
        EvaluateConfig(model_uri=train.run(TrainConfig(model="knn", data=data)).uri, data=data)
    )
    root = Path(data)
    clips = manifest.load(root).clips
    manifest.save(root, [clip for clip in clips if clip.split != "test" or clip.label == "normal"])
    second = train.run(TrainConfig(model="knn", data=data))
    threshold = mlflow.MlflowClient().get_run(second.run_id).data.metrics["threshold"]
    assert threshold == first.evaluation.table.threshold


def test_promote_takes_the_better_model_and_leaves_the_worse(data: str) -> None:
    good = train.run(TrainConfig(model="knn", data=data))
    assert promote.run(PromoteConfig(model_uri=good.run_id))
    assert not promote.run(PromoteConfig(model_uri=good.run_id)), "already the champion"
    blind = {"features": {"f_max": 150.0, "n_mels": 2}, "model": "knn", "data": data}
    worse = train.run(TrainConfig.parse(blind))
    assert not promote.run(PromoteConfig(model_uri=worse.uri))
    champion = registry.champion("hum")
    assert champion is not None
    assert champion.model_id == good.model_id


def test_score_covers_a_recording_of_any_length(data: str, workspace: Path) -> None:
    model = train.run(TrainConfig(model="knn", data=data))
    knocking = next((workspace / "recordings" / "abnormal").iterdir())
    samples, rate = soundfile.read(knocking, dtype="float32")
    soundfile.write(workspace / "異常 音.wav", samples[: round(3.4 * rate)], rate)
    verdicts = score.run(ScoreConfig(source="異常 音.wav", model_uri=model.uri, output="out"))
    [verdict] = verdicts.values()
    assert [round(window.start_s, 3) for window in verdict.windows] == [0.0, 1.0, 2.0, 2.4]
    assert verdict.duration_s == pytest.approx(3.4)
    with Path("out/files.csv").open(encoding="utf-8-sig") as file:
        [row] = csv.DictReader(file)
    assert (row["file"], row["windows"], row["is_anomaly"]) == ("異常 音.wav", "4", "1")
    with Path("out/windows.csv").open(encoding="utf-8-sig") as file:
        assert len(list(csv.DictReader(file))) == 4


@pytest.mark.parametrize("model", ["knn", "dense_ae"])
def test_a_clip_of_any_length_is_judged_alike_by_evaluate_and_by_score(
    data: str, model: str
) -> None:
    """Clips that a pitch shift has made longer are judged window by window."""
    wish = {"data": data, "output": "data/pitched", "pitch": "-12,12"}
    augment.run(AugmentConfig.parse(wish))
    fields = {"epochs": "1"} if model == "dense_ae" else {}
    train.run(TrainConfig.parse({"model": model, "data": data, "detector": fields}))
    found = evaluate.run(EvaluateConfig(data="data/pitched")).evaluation
    assert {clip.duration_s for clip in found.table.clips} == {0.5, 1.0, 2.0}
    assert found.table.p_values is not None
    for clip, score_, p in zip(
        found.table.clips, found.table.scores, found.table.p_values, strict=True
    ):
        verdict = found.pipeline.judge(found.dataset.file(clip))
        assert len(verdict.windows) == max(1, clip.duration_s)
        assert verdict.anomaly_score == pytest.approx(score_, rel=1e-6)
        assert verdict.p_value == pytest.approx(p)


def test_main_ends_with_a_champion_below_one_parent(
    recordings: Path, runs: Callable[[], list[Run]]
) -> None:
    wish = {"source": str(recordings), "clip_seconds": 1, "sample_rate": 8000, "models": "knn,gmm"}
    evaluated = main.run(MainConfig.parse(wish))
    assert [found.evaluation.pipeline.name for found in evaluated] == ["knn", "gmm"]
    champion = registry.champion("recordings")
    assert champion is not None
    parents = {run.data.tags.get("mlflow.parentRunId") for run in runs()}
    steps = sorted(run.data.tags["asd.step"] for run in runs())
    assert steps == ["evaluate", "evaluate", "main", "preprocess", "promote", "train", "train"]
    assert len(parents) == 2, "all but the parent stand below it"

    # From the answer above the runs, one click leads to the mistakes of the best.
    [parent] = [run for run in runs() if run.data.tags["asd.step"] == "main"]
    experiment = mlflow.get_experiment(parent.info.experiment_id)
    for tags in (experiment.tags, parent.data.tags):
        [(run_id, path)] = re.findall(
            rf"\(#/experiments/{experiment.experiment_id}/runs/(\w+)/artifacts/(.+)\)",
            tags["mlflow.note.content"],
        )
        best = mlflow.get_run(run_id)
        assert best.data.params["model"] == f"models:/{champion.model_id}"
        assert path in artifacts(best)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The data sets that steps read and whose audio they hash."""
    roots: list[Path] = []

    def counting(dataset: Dataset) -> None:
        roots.append(dataset.root)
        verify(dataset)

    monkeypatch.setattr("asd.data.opening.verify", counting)
    return roots


def test_main_hands_its_data_set_from_step_to_step(recordings: Path, opened: list[Path]) -> None:
    wish = {"source": str(recordings), "clip_seconds": 1, "sample_rate": 8000, "models": "knn,gmm"}
    evaluations = main.run(MainConfig.parse({**wish, "pitch": "1"}))
    assert len(opened) <= 1
    reopened = manifest.load(evaluations[0].evaluation.dataset.root)
    assert reopened == evaluations[0].evaluation.dataset, "what was handed on is what was written"


def test_steps_on_their_own_open_their_data_set_once(data: str, opened: list[Path]) -> None:
    train.run(TrainConfig(model="knn", data=data))
    evaluate.run(EvaluateConfig())
    promote.run(PromoteConfig())
    assert opened == [Path(data)] * 3


def _evaluation(runs: list[Run]) -> Run:
    [found] = [run for run in runs if run.data.tags["asd.step"] == "evaluate"]
    return found


def test_without_anomalies_foreign_sounds_take_their_place(
    recordings: Path, runs: Callable[[], list[Run]]
) -> None:
    sounds = recordings.parent / "sounds"
    sounds.mkdir()
    rng = np.random.default_rng(1)
    soundfile.write(sounds / "机を叩く音.wav", 0.5 * rng.standard_normal(8000), 8000)
    wish = {
        "source": str(recordings / "normal"),
        "clip_seconds": 1,
        "sample_rate": 8000,
        "models": "knn",
        "noise": str(sounds),
        "pitch": "1",
    }
    [found] = main.run(MainConfig.parse(wish))
    anomalous = [clip for clip in found.evaluation.table.clips if clip.label == "anomaly"]
    assert anomalous
    assert {clip.noise for clip in anomalous} == {"机を叩く音"}
    assert "auc" in found.evaluation.metrics
    report = mlflow.artifacts.load_text(f"runs:/{_evaluation(runs()).info.run_id}/report.txt")
    assert re.search(r"a pitch shift of \+1 (raises|lowers|leaves) false alarms", report)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model": "magic"}, r"model='magic': unknown model; known models are .*gmm.*knn"),
        ({"detector": {"neighbours": "3"}}, r"detector\.neighbours: unknown key; valid keys are"),
        ({"detector": {"k": "many"}}, r"detector\.k='many': must be a whole number"),
        ({"data": "data/absent"}, r"data/absent: no data set here .*preprocess"),
    ],
)
def test_bad_input_to_train_is_one_line(
    data: str, config: dict[str, object], expected: str
) -> None:
    with pytest.raises(AsdError, match=expected) as caught:
        train.run(TrainConfig.parse({"model": "knn", "data": data, **config}))
    assert "\n" not in str(caught.value)


def test_a_failed_step_says_why_in_its_run(data: str, last_run: Runs) -> None:
    with pytest.raises(AsdError):
        train.run(TrainConfig(model="knn", data="data/absent"))
    run = last_run()
    assert run.info.status == "FAILED"
    assert "data/absent: no data set here" in run.data.tags["asd.error"]


def test_audio_changed_since_the_manifest_is_refused(data: str) -> None:
    clip = manifest.load(Path(data)).clips[0]
    soundfile.write(Path(data) / clip.path, np.full(8000, 0.1), 8000)
    with pytest.raises(AsdError, match="changed") as caught:
        train.run(TrainConfig(model="knn", data=data))
    assert clip.path in str(caught.value)


def test_too_few_clips_says_how_many_are_needed(data: str) -> None:
    root = Path(data)
    clips = manifest.load(root).clips
    first = next(clip for clip in clips if clip.split == "train")
    manifest.save(root, [first, *(clip for clip in clips if clip.split != "train")])
    with pytest.raises(AsdError, match=r"needs at least \d+ training clips, got 1"):
        train.run(TrainConfig(model="knn", data=data))


@pytest.mark.parametrize("uri", ["0" * 32, "models:/asd-detector@champion", "models:/m-nothing"])
def test_an_unknown_model_is_refused(data: str, uri: str) -> None:
    with pytest.raises(AsdError, match="model_uri"):
        evaluate.run(EvaluateConfig(model_uri=uri, data=data))


def test_promised_rate_is_said_when_too_few_clips(data: str, last_run: Runs) -> None:
    train.run(
        TrainConfig.parse({"model": "knn", "data": data, "threshold": {"false_alarm_rate": 0.001}})
    )
    report = mlflow.artifacts.load_text(f"{last_run().info.artifact_uri}/report.txt")
    assert "cannot promise" in report


def test_recipe_yaml_is_what_was_fitted_and_fits_it_again(
    data: str, last_run: Runs, workspace: Path
) -> None:
    train.run(TrainConfig.parse({"model": "knn", "data": data, "features": {"n_mels": 32}}))
    first = last_run()
    text = mlflow.artifacts.load_text(f"{first.info.artifact_uri}/recipe.yaml")
    (workspace / "recipe.yaml").write_text(text, encoding="utf-8")
    [branch] = Recipe.read(workspace / "recipe.yaml").branches
    assert (branch.features["n_mels"], branch.features["sample_rate"]) == (32, 8000)
    train.run(cli.load(TrainConfig, ["--config", "recipe.yaml", "--data", data]))
    assert last_run().data.metrics["threshold"] == first.data.metrics["threshold"]


def test_what_cannot_be_measured_is_said_once_and_limits_as_warnings(
    recordings: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "asd")
    wish = {"source": str(recordings / "normal"), "output": "data/hum", "clip_seconds": 1}
    preprocess.run(PreprocessConfig.parse(wish))
    caplog.clear()
    model = train.run(TrainConfig(data="data/hum", model="knn"))
    said = [record.getMessage() for record in caplog.records]
    assert [line for line in said if "can promise" in line and line.startswith("warning: ")]
    caplog.clear()
    evaluate.run(EvaluateConfig(model_uri=model.uri))
    said = [record.getMessage() for record in caplog.records]
    assert sum("no labelled anomalies" in line for line in said) == 1
