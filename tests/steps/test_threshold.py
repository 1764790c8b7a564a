"""Another threshold without training again."""

import csv
from collections.abc import Callable

import mlflow
import numpy as np
import pytest
from mlflow.entities import Run

from asd.config.steps import (
    EvaluateConfig,
    MoveThresholdConfig,
    PromoteConfig,
    TrainConfig,
)
from asd.errors import AsdError
from asd.evaluation import gates
from asd.steps import evaluate, promote, threshold, train
from asd.tracking import registry
from asd.tracking.models import ModelRef, load


@pytest.fixture
def trained(data: str) -> ModelRef:
    return train.run(TrainConfig(model="knn", data=data))


def test_the_detectors_stay_and_the_threshold_moves(
    trained: ModelRef, last_run: Callable[[], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = threshold.run(MoveThresholdConfig(model_uri=trained.uri, false_alarm_rate=0.4))
    assert moved is not None
    run = last_run()
    report = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/report.md")
    assert "| promised |" in report
    rows = csv.DictReader(
        mlflow.artifacts.load_text(f"{run.info.artifact_uri}/what_if.csv").splitlines()
    )
    found = {float(row["promised"]): float(row["threshold"]) for row in rows}
    limits = list(found.values())
    assert limits == sorted(limits, reverse=True), "the more alarms, the lower"
    before, after = load(trained), load(moved)
    assert after.threshold.value < before.threshold.value
    assert after.threshold.promised_rate == pytest.approx(0.4)
    assert found[0.4] == after.threshold.value
    one, other = (
        evaluate.run(EvaluateConfig(model_uri=uri)).evaluation for uri in (trained.uri, moved.uri)
    )
    assert np.array_equal(one.table.scores, other.table.scores)
    monkeypatch.setattr("asd.tracking.fresh.fresh_scores", lambda *_: [])
    monkeypatch.setattr(gates, "reload", lambda *_: gates.Gate("reload", True, ""))
    assert promote.run(PromoteConfig(model_uri=trained.uri))
    promote.run(PromoteConfig(model_uri=moved.uri))
    tags = mlflow.MlflowClient().get_model_version("hum", "2").tags
    assert "gain: held" in tags["promotion"], "it ranks alike, and that is no reason against it"
    assert registry.holders("hum").champion is not None


def test_a_number_of_ones_own_and_a_look_without_a_model(trained: ModelRef) -> None:
    assert threshold.run(MoveThresholdConfig(model_uri=trained.uri)) is None
    fixed = threshold.run(MoveThresholdConfig(model_uri=trained.uri, value=3.5))
    assert fixed is not None
    assert load(fixed).threshold.value == 3.5
    assert load(fixed).threshold.promised_rate is None


def test_a_rate_and_a_number_together_are_refused() -> None:
    with pytest.raises(AsdError, match="give one of them"):
        MoveThresholdConfig.parse({"false_alarm_rate": 0.1, "value": 1})
