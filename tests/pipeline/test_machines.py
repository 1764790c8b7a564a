"""A detector a machine, where it is asked for or where it hears more."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_array_equal

from asd.config.recipe import Branch, Recipe
from asd.config.steps import TrainConfig
from asd.config.threshold import ThresholdConfig
from asd.data.manifest import Dataset
from asd.features.store import FeatureStore
from asd.pipeline.machines import with_own_detector
from asd.pipeline.pipeline import Pipeline
from tests.pipeline.conftest import together

Plant = Callable[..., Dataset]
KNN = Branch(model="knn", detector={"density": 0.0}, features={"n_mels": 32})


def recipe(per_machine: str, rate: float = 0.25) -> Recipe:
    return Recipe.parse(
        {
            "label": "mine",
            "branches": [KNN.model_dump()],
            "threshold": ThresholdConfig(false_alarm_rate=rate).model_dump(),
            "per_machine": per_machine,
        }
    )


def named(data: Dataset, machine: str) -> Dataset:
    clips = tuple(clip.model_copy(update={"machine": machine}) for clip in data.clips)
    return replace(data, clips=clips)


@pytest.fixture(scope="module")
def train(plant: Plant) -> Dataset:
    return together(named(plant(6, 0), "pump"), named(plant(6, 20), "fan"))


@pytest.fixture(scope="module")
def valid(plant: Plant) -> Dataset:
    return together(named(plant(3, 100, "valid"), "pump"), named(plant(3, 120, "valid"), "fan"))


@pytest.fixture(scope="module")
def fitted(train: Dataset, valid: Dataset, store: FeatureStore) -> Pipeline:
    return Pipeline.fit(recipe("true"), train, valid, store)[0]


def test_each_machine_is_judged_as_if_it_were_the_only_one(
    fitted: Pipeline, train: Dataset, valid: Dataset, plant: Plant, store: FeatureStore
) -> None:
    sides, _ = with_own_detector(recipe("true"), train, valid)
    assert list(fitted.own) == list(sides) == ["fan", "pump"]
    test = plant(3, 300, "test", "anomaly")
    for name, both in sides.items():
        alone, _ = Pipeline.fit(recipe("false"), *both, store)
        mine = named(test, name)
        for one, other in zip(
            fitted.judge_clips(mine, store), alone.judge_clips(mine, store), strict=True
        ):
            assert_array_equal(one, other)


def test_unknown_machines_are_judged_by_the_detector_over_all(
    fitted: Pipeline, train: Dataset, valid: Dataset, plant: Plant, store: FeatureStore
) -> None:
    pooled, _ = Pipeline.fit(recipe("false"), train, valid, store)
    test = named(plant(3, 300, "test"), "press")
    assert_array_equal(fitted.score(test, store), pooled.score(test, store))
    assert fitted.decision.threshold.value == pooled.decision.threshold.value
    assert "press is not among" in fitted.decision.warning("press")


def test_clips_files_and_sounds_agree_and_survive_the_disk(
    fitted: Pipeline, plant: Plant, store: FeatureStore, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "saved")
    loaded = Pipeline.load(tmp_path / "saved")
    assert loaded.decision.note == fitted.decision.note
    test = plant(2, 300, "test")
    mixed = together(named(test, "fan"), named(test, "pump"), named(test, "other"))
    scores = loaded.score(mixed, store)
    assert len({*scores[0:6:2]}) == 3
    assert_array_equal(scores, fitted.score(mixed, store))
    for clip, score in zip(mixed.clips, scores, strict=True):
        verdict = loaded.judge(mixed.file(clip), clip.machine)
        assert verdict.anomaly_score == pytest.approx(score, rel=1e-9)
        assert verdict.threshold == loaded.decision.rule(clip.machine).threshold.value
    sounds = [soundfile.read(mixed.file(clip), dtype="float32")[0] for clip in mixed.clips]
    judged = loaded.judge_sounds(sounds, [clip.machine for clip in mixed.clips])
    assert judged[0] == pytest.approx(scores, rel=1e-9)
    maps = loaded.scorer.explain(mixed, store)
    assert len(maps) == len(mixed.clips)
    assert not np.array_equal(maps[0], maps[2])


def test_recalibration_reaches_the_machines_it_has_clips_of(
    fitted: Pipeline, plant: Plant, store: FeatureStore
) -> None:
    moved = fitted.with_rate(0.5).recalibrated(named(plant(6, 400), "fan"), store)
    assert list(moved.own) == ["fan"]
    assert moved.decision.rule("fan").threshold.asked_rate == 0.5


def test_auto_asks_for_recordings_enough_for_the_rate(train: Dataset, valid: Dataset) -> None:
    machines, remark = with_own_detector(recipe("auto", 0.1), train, valid)
    assert list(machines) == ["fan", "pump"]
    assert "of their own for fan, pump" in str(remark)
    machines, remark = with_own_detector(recipe("auto", 0.05), train, valid)
    assert machines == {}
    assert "no machine has 19 recordings" in str(remark)


def test_a_single_machine_is_named(plant: Plant) -> None:
    sides = plant(6, 0), plant(3, 100, "valid")
    assert "one machine only" in str(with_own_detector(recipe("true"), *sides)[1])


def test_yes_and_no_of_yaml_are_understood() -> None:
    assert TrainConfig.parse({"per_machine": True}).per_machine == "true"
    assert "per_machine" not in recipe("false").flat()
    assert recipe("auto").flat()["per_machine"] == "auto"


def test_another_threshold_reaches_the_detectors_of_machines(
    fitted: Pipeline, plant: Plant, store: FeatureStore
) -> None:
    moved = fitted.with_threshold(method="conformal", false_alarm_rate=0.5)
    for name, pipeline in fitted.own.items():
        alone = pipeline.with_threshold(method="conformal", false_alarm_rate=0.5)
        assert moved.decision.rule(name).threshold == alone.threshold
    test = named(plant(3, 300, "test"), "fan")
    assert_array_equal(moved.score(test, store), fitted.score(test, store))
