"""What steps say and write in Japanese, and what stays English."""

import re
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
from mlflow.entities import Run

from asd.config.steps import EvaluateConfig, PreprocessConfig, TrainConfig
from asd.steps import evaluate, preprocess, train

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
MACHINE_READABLE = re.compile(r"\||AUC |TP |models:/")
"""Lines of figures and tables, whose words are names of metrics."""


def test_steps_speak_japanese_and_log_in_english(
    recordings: Path,
    last_run: Callable[[], Run],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ASD_LANG", "ja")
    caplog.set_level("INFO", "asd")
    wish = {"source": str(recordings), "output": "data/hum", "clip_seconds": 1}
    preprocess.run(PreprocessConfig.parse(wish))
    model = train.run(TrainConfig(data="data/hum", model="knn"))
    evaluate.run(EvaluateConfig(model_uri=model.uri))
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("asd")]
    said = [line for message in ours for line in message.splitlines()]
    english = [line for line in said if line and not JAPANESE.search(line)]
    assert [line for line in english if not MACHINE_READABLE.match(line)] == []

    run = last_run()
    report = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/report.md")
    assert report.startswith("**knn (hum)**: 異常クリップ")
    assert "次にすること: " in report
    for key in [*run.data.metrics, *run.data.params, *run.data.tags]:
        assert key.isascii()
    scores = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/scores.csv")
    assert scores.splitlines()[0].isascii()
