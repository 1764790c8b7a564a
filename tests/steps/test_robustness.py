"""`evaluate` with robustness=true and official=..., as a user would call it."""

import csv
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import mlflow
import numpy as np
import pytest
import soundfile
from mlflow.entities import Run

from asd.audio.perturbation import CHANGES, Change
from asd.config.steps import AugmentConfig, EvaluateConfig, PreprocessConfig, TrainConfig
from asd.errors import AsdError
from asd.evaluation import plots, robustness
from asd.evaluation.metrics import auc
from asd.evaluation.plots import RobustnessRow
from asd.evaluation.table import ScoreTable
from asd.steps import augment, evaluate, preprocess, train

RATE = 8000


def artifact(run: Run, path: str) -> str:
    return str(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{path}"))


def report_of(run: Run) -> str:
    return artifact(run, "report.txt")


@pytest.fixture
def trained(data: str) -> str:
    """A data set of 1 s clips, and a model of it."""
    train.run(TrainConfig(model="knn", data=data))
    return data


def test_every_change_is_scored_and_logged(
    trained: str, workspace: Path, last_run: Callable[[], Run]
) -> None:
    (workspace / "beds").mkdir()
    rain = 0.2 * np.random.default_rng(3).standard_normal(2 * RATE)
    soundfile.write(workspace / "beds" / "雨.wav", rain, RATE)
    wish = {"robustness": "true", "noise": "beds", "data": trained}
    metrics = evaluate.run(EvaluateConfig.parse(wish)).evaluation.metrics
    run = last_run()
    rows = list(csv.DictReader(artifact(run, "robustness.csv").splitlines()))
    assert [row["change"] for row in rows] == ["unchanged", *(change.name for change in CHANGES)]
    assert float(rows[0]["auc"]) == metrics["auc"]
    for row in rows:
        for metric in ("auc", "false_alarm_rate"):
            assert run.data.metrics[f"robustness.{metric}.{row['change']}"] == float(row[metric])
    by_change = {row["change"]: float(row["auc"]) for row in rows}
    # Clips are 16-bit, and their statistics leave the level out.
    assert by_change["gain_up_6db"] == pytest.approx(by_change["unchanged"], abs=1e-9)
    assert "| noise_0db " in artifact(run, "robustness.md")
    assert "| noise_0db " in report_of(run)
    plots = mlflow.MlflowClient().list_artifacts(run.info.run_id, "plots")
    assert "plots/robustness.png" in {item.path for item in plots}


def test_long_clips_are_scored_as_they_are_judged(
    trained: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same clips without a change get the same scores as from `evaluate`."""
    augment.run(AugmentConfig.parse({"data": trained, "output": "data/low", "pitch": "-12"}))
    tables: list[ScoreTable] = []
    row = robustness._row

    def spy(name: str, table: ScoreTable, max_fpr: float) -> RobustnessRow:
        tables.append(table)
        return row(name, table, max_fpr)

    monkeypatch.setattr(robustness, "_row", spy)
    monkeypatch.setattr(robustness, "CHANGES", (Change("nothing", "gain", 0.0),))
    evaluate.run(EvaluateConfig(robustness=True, data="data/low"))
    unchanged, again = tables
    assert {clip.duration_s for clip in unchanged.clips} == {1.0, 2.0}
    np.testing.assert_allclose(again.scores, unchanged.scores, rtol=1e-6)


def test_the_largest_rate_of_the_partial_auc_reaches_plot_and_table(
    trained: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    roc_curve = Mock(wraps=plots.roc_curve)
    partial_auc = Mock(wraps=auc)
    monkeypatch.setattr(plots, "roc_curve", roc_curve)
    monkeypatch.setattr("asd.evaluation.robustness.auc", partial_auc)
    evaluate.run(EvaluateConfig(robustness=True, data=trained, max_fpr=0.5))
    assert {call.args[1:] for call in roc_curve.call_args_list} == {(0.5,)}
    assert {call.args[2:] for call in partial_auc.call_args_list} == {(), (0.5,)}


def test_the_report_says_the_rate_its_interval_and_alarms_a_day(
    trained: str, last_run: Callable[[], Run]
) -> None:
    metrics = evaluate.run(EvaluateConfig(data=trained)).evaluation.metrics
    per_day = metrics["false_alarm_rate"] * 86400
    [line] = [row for row in report_of(last_run()).splitlines() if row.startswith("false alarms")]
    assert f": {per_day:.0f} a day of listening to a healthy machine" in line
    assert f"to {metrics['false_alarm_rate_high']:.1%})" in line
    assert "promised" in line


def test_noise_without_robustness_is_a_mistake() -> None:
    with pytest.raises(AsdError, match="noise=beds is for robustness=true"):
        EvaluateConfig.parse({"noise": "beds"})


@pytest.fixture
def dcase_tree(workspace: Path) -> Path:
    """A machine of two sections, as DCASE 2023 names its files; 2 s each."""
    rng = np.random.default_rng(0)
    t = np.arange(2 * RATE) / RATE
    for section in ("00", "01"):
        files = [("source", "train", "normal", i) for i in range(6)]
        files += [(domain, "test", "normal", i) for domain in ("source", "target") for i in (0, 1)]
        files += [(domain, "test", "anomaly", i) for domain in ("source", "target") for i in (0, 1)]
        for domain, split, label, i in files:
            sound = 0.1 * np.sin(2 * np.pi * 300 * t) + 0.03 * rng.standard_normal(len(t))
            if label == "anomaly":
                sound[:RATE] += 0.3 * np.sin(2 * np.pi * 1700 * t[:RATE])
            path = workspace / "tree" / "fan" / split
            path.mkdir(parents=True, exist_ok=True)
            name = f"section_{section}_{domain}_{split}_{label}_{i:04d}_vel_1.wav"
            soundfile.write(path / name, sound, RATE)
    return workspace / "tree"


@pytest.mark.parametrize("clip_seconds", [2, 1])
def test_official_scores_and_files_of_a_dcase_tree(
    dcase_tree: Path, clip_seconds: float, last_run: Callable[[], Run]
) -> None:
    wish = {"source": str(dcase_tree), "output": "data/fan", "sample_rate": RATE}
    preprocess.run(PreprocessConfig.parse({**wish, "clip_seconds": clip_seconds}))
    train.run(TrainConfig(model="knn", data="data/fan"))
    evaluate.run(EvaluateConfig(official="dcase2023"))
    run = last_run()
    assert run.data.metrics["official.score"] == 1.0
    assert {"official.auc_target.fan.section_01", "official.pauc.fan"} <= set(run.data.metrics)
    assert "official.score 1.0000" in report_of(run)
    for kind in ("anomaly_score", "decision_result"):
        rows = artifact(run, f"official/{kind}_fan_section_01_test.csv").splitlines()
        names = [row.split(",")[0] for row in rows]
        assert len(names) == 8
        # Names are those of the tree: the second half of an anomaly is normal, and not listed.
        assert all((dcase_tree / "fan" / "test" / name).is_file() for name in names)


def test_official_scores_of_augmented_clips_are_refused(dcase_tree: Path) -> None:
    wish = {"source": str(dcase_tree), "output": "data/fan", "sample_rate": RATE, "clip_seconds": 2}
    preprocess.run(PreprocessConfig.parse(wish))
    train.run(TrainConfig(model="knn", data="data/fan"))
    augment.run(AugmentConfig.parse({"data": "data/fan", "output": "data/fan+", "pitch": "1"}))
    with pytest.raises(AsdError, match="data set that augment started from"):
        evaluate.run(EvaluateConfig(official="dcase2023", data="data/fan+"))
