"""A recipe of several branches over two front ends, from a YAML file alone."""

import base64
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow.entities import Run

from asd.config import cli
from asd.config.recipe import Recipe
from asd.config.steps import (
    CompareConfig,
    EvaluateConfig,
    PromoteConfig,
    TrainConfig,
)
from asd.detectors.base import Detector
from asd.errors import AsdError
from asd.steps import compare, evaluate, promote, train
from asd.steps.evaluate import Evaluated
from asd.tracking import champions, registry
from asd.tracking.models import load

RECIPE = """
label: ears
branches:
  - label: tones
    model: mahalanobis
    features: {name: spectrum, n_bins: 32, n_fft: 512, hop_length: 256}
  - label: near
    model: knn
    detector: {k: 2}
    features: {n_mels: 32}
    weight: 2
  - model: gmm
    detector: {mixture_components: 1}
    features: {n_mels: 32}
fusion: logmeanexp
threshold: {false_alarm_rate: 0.1}
seed: 7
"""


@pytest.fixture
def data(data: str) -> str:
    """A data set of 1 s clips, and the recipe in ``ears.yaml``."""
    Path("ears.yaml").write_text(RECIPE, encoding="utf-8")
    return data


@pytest.fixture
def fitters(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Collect the packages that fit a detector."""
    seen: set[str] = set()
    fit = Detector.fit

    def watched(self: Detector[Any], *clips: Any) -> Detector[Any]:
        seen.add(sys._getframe(1).f_globals["__package__"])
        return fit(self, *clips)

    monkeypatch.setattr(Detector, "fit", watched)
    return seen


def trained(data: str, *words: str) -> Evaluated:
    config = cli.load(TrainConfig, ["--config", "ears.yaml", "--data", data, *words])
    return evaluate.run(EvaluateConfig(model_uri=train.run(config).uri))


def only(runs: list[Run], step: str) -> Run:
    [run] = [run for run in runs if run.data.tags["asd.step"] == step]
    return run


def test_it_is_fitted_logged_evaluated_promoted_and_served(
    data: str, runs: Callable[[], list[Run]], fitters: set[str]
) -> None:
    evaluated = trained(data)
    assert fitters == {"asd.pipeline"}

    params = only(runs(), "train").data.params
    assert (params["detector"], params["fusion"], params["seed"]) == ("ears", "logmeanexp", "7")
    assert (params["tones.detector"], params["near.detector"]) == ("mahalanobis", "knn")
    assert (params["tones.features.name"], params["tones.features.n_bins"]) == ("spectrum", "32")
    assert (params["near.detector.k"], params["near.weight"]) == ("2", "2.0")
    assert params["gmm.features.sample_rate"] == params["tones.features.sample_rate"] == "8000"
    assert evaluated.evaluation.metrics["auc"] > 0.95
    stores = list(Path(".cache/features").glob("*/features.json"))
    assert len(stores) == 3, "one a front end, and one for what is usual in words"

    assert promote.run(PromoteConfig(model_uri=evaluated.model.uri))
    assert only(runs(), "promote").data.metrics["reload_difference"] <= 1e-6
    champion = registry.champion("hum")
    assert champion is not None
    assert champion.name == "ears on hum"

    served = mlflow.pyfunc.load_model(champions.address("hum"))
    dataset, table = evaluated.evaluation.dataset, evaluated.evaluation.table
    sounds = [base64.b64encode(dataset.file(clip).read_bytes()).decode() for clip in table.clips]
    rows = served.predict(pd.DataFrame({"audio": sounds}))
    assert [row["error"] for row in rows] == [None] * len(rows)
    assert [row["anomaly_score"] for row in rows] == pytest.approx(table.scores.tolist(), abs=1e-4)
    assert [row["is_anomaly"] for row in rows] == table.is_anomaly.tolist()


def test_the_logged_recipe_fits_the_same_again(data: str) -> None:
    evaluation = trained(data).evaluation
    Path("again.yaml").write_text(evaluation.pipeline.recipe.to_yaml(), encoding="utf-8")
    assert Recipe.read(Path("again.yaml")) == evaluation.pipeline.recipe
    config = cli.load(TrainConfig, ["--config", "again.yaml", "--data", data])
    again = load(train.run(config))
    assert again.recipe == evaluation.pipeline.recipe
    assert again.threshold == evaluation.pipeline.threshold


def test_words_on_the_command_line_change_single_branches(data: str) -> None:
    words = ("--detector.near.k", "1", "--features.hop_length", "128", "--seed", "8")
    recipe = trained(data, *words).evaluation.pipeline.recipe
    by_label = {branch.label: branch for branch in recipe.branches}
    assert by_label["near"].detector["k"] == 1
    assert {branch.features["hop_length"] for branch in recipe.branches} == {128}
    assert recipe.seed == 8
    with pytest.raises(AsdError, match=r"detector\.far: ears has several branches; .*tones, near"):
        trained(data, "--detector.far.k", "1")


def test_it_is_compared_with_single_detectors(data: str, fitters: set[str]) -> None:
    wish = {"models": "ears.yaml,knn", "data": data, "seeds": 1}
    comparison = compare.run(CompareConfig.parse(wish))
    assert set(comparison.models) == {"ears", "knn"}
    assert all(outcome.figures()["auc"] > 0.9 for outcome in comparison.outcomes)
    assert fitters == {"asd.pipeline"}


def test_an_unknown_front_end_is_found_before_any_work(data: str) -> None:
    Path("ears.yaml").write_text(RECIPE.replace("spectrum", "wavelet"), encoding="utf-8")
    with pytest.raises(AsdError, match=r"features\.name='wavelet': unknown front end; known ones"):
        trained(data)
    assert not Path(".cache/features").exists()
