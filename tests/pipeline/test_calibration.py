"""Calibration keeps its promise where clips of a recording are alike."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, Self, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from asd import detectors
from asd.arrays import Samples, Scores, Spectrogram
from asd.config import ThresholdConfig
from asd.config.features import FrontEndConfig
from asd.config.recipe import Recipe
from asd.data.manifest import Clip, Dataset
from asd.decision.thresholds import Threshold, fit_calibrated, fit_threshold
from asd.detectors.base import Detector, DetectorConfig, FitContext
from asd.errors import NotEnoughClipsError
from asd.features.base import Axes, FrontEnd
from asd.features.clipset import ClipSet
from asd.features.store import FeatureStore
from asd.pipeline import calibration as calibrating
from asd.pipeline import hearing, out_of_fold, scorer
from asd.pipeline.calibration import Calibrated, calibrate, fit_and_calibrate
from asd.pipeline.folds import FOLDS_OF_MANY, MAX_FOLDS, calibration_folds
from asd.pipeline.fusion import Fusion

CLIPS_EACH = 5


class Memory(Detector[DetectorConfig]):
    """Distance to the nearest training clip: knows its training clips by heart."""

    name = "memory"
    Config = DetectorConfig

    def _fit(self, train: ClipSet, valid: ClipSet, context: FitContext) -> None:  # noqa: ARG002
        self.known_ = np.sort([clip[0, 0] for clip in train])

    def score(self, clips: ClipSet) -> Scores:
        points = np.array([clip[0, 0] for clip in clips], dtype=np.float64)
        place = np.clip(np.searchsorted(self.known_, points), 1, len(self.known_) - 1)
        left, right = self.known_[place - 1], self.known_[place]
        return np.asarray(np.minimum(np.abs(points - left), np.abs(points - right)))

    def explain(self, clips: ClipSet) -> list[Spectrogram]:
        raise NotImplementedError

    def _state(self) -> dict[str, NDArray[Any]]:
        raise NotImplementedError

    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        raise NotImplementedError


class Point(FrontEnd[FrontEndConfig]):
    """A front end that is never called: `Values` knows what it would give."""

    name = "point"
    Config = FrontEndConfig

    def axes(self) -> Axes:
        return Axes(np.zeros(1), "dimension", 1.0, "", in_db=False)

    def __call__(self, samples: Samples) -> Spectrogram:
        raise NotImplementedError


class Values:
    """Takes the place of the feature store: one number a clip."""

    def __init__(self, values: dict[str, float]) -> None:
        self._values = values

    def remembering(self) -> Self:
        return self

    def features(self, dataset: Dataset, front_end: FrontEnd[Any]) -> ClipSet:  # noqa: ARG002
        points = [np.full((1, 1), self._values[clip.path], np.float32) for clip in dataset.clips]
        return ClipSet(points, dataset.clips)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the detectors and the front end above known by their names."""
    kinds: dict[str, type[Detector[Any]]] = {"memory": Memory}
    monkeypatch.setattr(detectors, "detector_class", kinds.__getitem__)
    monkeypatch.setattr(calibrating, "detector_class", kinds.__getitem__)
    for module in (scorer, hearing):
        monkeypatch.setattr(module, "make_front_end", lambda _: Point(FrontEndConfig()))


def clip(recording: str, index: int, split: str, **fields: str) -> Clip:
    values = {
        "path": f"{recording}_{index}.wav",
        "recording": recording,
        "start_s": index,
        "duration_s": 1,
        "split": split,
        "label": "normal",
        "sha256": "0" * 64,
    }
    return Clip.model_validate(values | fields)


def dataset(train: int, valid: int, clips_each: int = CLIPS_EACH) -> Dataset:
    sides = ["train"] * train + ["valid"] * valid
    return Dataset(
        Path("data"),
        tuple(clip(f"r{i}", j, side) for i, side in enumerate(sides) for j in range(clips_each)),
    )


def draw(rng: np.random.Generator, recordings: int, clips_each: int) -> NDArray[np.float64]:
    """Clips of recordings that differ more from each other than within, ``(n, clips_each)``."""
    own = rng.standard_t(4, size=(recordings, 1))
    return np.asarray(own + 0.05 * rng.normal(size=(recordings, clips_each)))


def values_of(data: Dataset, drawn: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip([clip.path for clip in data.clips], drawn.ravel().tolist(), strict=True))


def recipe_of(config: ThresholdConfig, *models: str) -> Recipe:
    branches = tuple({"model": model} for model in models or ("memory",))
    return Recipe.parse({"label": "test", "branches": branches, "threshold": config})


def calibrated(
    data: Dataset, values: dict[str, float], config: ThresholdConfig, *models: str
) -> Calibrated:
    store = cast(FeatureStore, Values(values))
    sides = data.split("train"), data.split("valid")
    return fit_and_calibrate(recipe_of(config, *models), *sides, store, FitContext())


def memory_of(fitted: Calibrated) -> Memory:
    [detector] = fitted.scorer.detectors
    assert isinstance(detector, Memory)
    return detector


def points(values: NDArray[Any]) -> ClipSet:
    return ClipSet([np.full((1, 1), value, np.float32) for value in values])


Fit = Callable[[Calibrated, ThresholdConfig], Threshold]


def across(fitted: Calibrated, config: ThresholdConfig) -> Threshold:
    return fit_calibrated(config, fitted.calibration)


def on_training_scores(fitted: Calibrated, config: ThresholdConfig) -> Threshold:
    """What must not be done."""
    memory = memory_of(fitted)
    return fit_threshold(config, memory.score(points(memory.known_)))


def by_clip(fitted: Calibrated, config: ThresholdConfig) -> Threshold:
    """Take the validation clips for independent, which they are not."""
    held_out = [clip.split == "valid" for clip in fitted.report.clips]
    return fit_threshold(config, fitted.report.scores[held_out])


@cache
def fits(
    calibration: Literal["cross", "split"], train: int, valid: int, each: int
) -> list[tuple[Calibrated, Scores]]:
    """What is fitted on 100 random data sets, whatever the rate, and scores of new recordings."""
    rng = np.random.default_rng(11)
    data = dataset(train, valid, each)
    config = ThresholdConfig(calibration=calibration)
    made = []
    for _ in range(100):
        fitted = calibrated(data, values_of(data, draw(rng, train + valid, each)), config)
        made.append((fitted, memory_of(fitted).score(points(draw(rng, 60, each).ravel()))))
    return made


def mean_rate(rate: float, fit: Fit, train: int = 99, valid: int = 11, each: int = 5) -> float:
    """False-alarm rate on new recordings, over these data sets."""
    # What is fitted on one side alone needs no further fits.
    calibration: Literal["cross", "split"] = "cross" if fit is across else "split"
    config = ThresholdConfig(false_alarm_rate=rate, calibration=calibration)
    achieved = [
        float((scores > fit(fitted, config).value).mean())
        for fitted, scores in fits(calibration, train, valid, each)
    ]
    return float(np.mean(achieved))


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.10])
def test_across_the_stated_rate_is_kept_on_new_recordings(rate: float) -> None:
    assert 0.5 * rate < mean_rate(rate, across) <= rate


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.10])
def test_training_scores_would_break_the_promise(rate: float) -> None:
    assert mean_rate(rate, on_training_scores) > 2 * rate


def test_few_recordings_keep_the_rate_they_can_promise() -> None:
    config = ThresholdConfig(calibration="cross")
    data = dataset(8, 2)
    fitted = calibrated(data, values_of(data, draw(np.random.default_rng(0), 10, 5)), config)
    threshold = across(fitted, config)
    assert threshold.promised_rate == pytest.approx(1 / 11)
    assert "10 recordings of the calibration cannot promise" in threshold.note
    assert mean_rate(0.05, across, train=8, valid=2) <= 1 / 11


def test_clips_taken_for_independent_would_break_the_promise() -> None:
    assert mean_rate(0.05, by_clip, train=16, valid=4, each=25) > 2 * 0.05


def test_each_clip_is_scored_once_by_a_detector_without_its_recording() -> None:
    data = dataset(train=8, valid=2)
    drawn = 10.0 * np.arange(10)[:, None] + 0.01 * np.arange(5)
    report = calibrated(data, values_of(data, drawn), ThresholdConfig(calibration="cross")).report
    assert report.n_folds == 10
    assert sorted(c.path for c in report.clips) == sorted(c.path for c in data.clips)
    # Clips of its own recording are 0.01 away, those of others 10.
    assert report.scores.min() > 9
    line = report.calibration_line()
    assert line.startswith("50 held-out normal clips of 10 recordings, held out in 10 folds (")


def test_clips_are_scored_without_the_other_recordings_of_their_session() -> None:
    """Recordings of one session are alike: held out one by one they would seem too normal."""
    sides = ["train"] * 9 + ["valid"] * 3
    clips = [clip(f"r{i}", j, sides[i], session=f"day {i // 3}") for i in range(12) for j in (0, 1)]
    data = Dataset(Path("data"), tuple(clips))
    drawn = (10.0 * (np.arange(12) // 3) + 0.1 * np.arange(12))[:, None] + 0.01 * np.arange(2)
    fitted = calibrated(data, values_of(data, drawn), ThresholdConfig(calibration="cross"))
    assert fitted.report.n_folds == 4
    assert fitted.report.scores.min() > 9
    assert (fitted.report.n_recordings, fitted.calibration.n_units) == (12, 4)
    assert fit_calibrated(ThresholdConfig(), fitted.calibration).promised_rate == 1 / 5


def test_the_served_detector_learns_from_all_clips_in_the_end() -> None:
    data = dataset(8, 2)
    values = values_of(data, draw(np.random.default_rng(0), 10, CLIPS_EACH))
    crossed = calibrated(data, values, ThresholdConfig(calibration="cross"))
    assert len(memory_of(crossed).known_) == crossed.report.n_trained_on == 50
    split = calibrated(data, values, ThresholdConfig(calibration="split"))
    assert len(memory_of(split).known_) == split.report.n_trained_on == 40
    assert {clip.split for clip in split.report.clips} == {"valid"}


def test_folds_spread_every_machine() -> None:
    clips = [clip(f"{m}{i}", 0, "train", machine=m) for m in "ab" for i in range(8)]
    fold_of = calibration_folds(clips, 4)
    for fold in range(4):
        held_out = [clips[place].machine for place in np.flatnonzero(fold_of == fold)]
        assert sorted(held_out) == ["a", "a", "b", "b"]


def test_folds_are_runs_of_recordings_in_the_order_of_their_names() -> None:
    clips = [clip(f"r{i}", 0, "train") for i in (11, 3, 2, 10, 1, 12)]
    assert calibration_folds(clips, 3).tolist() == [2, 1, 0, 1, 0, 2]


@pytest.mark.parametrize(
    ("train", "valid", "fields", "seconds", "folds"),
    [
        (8, 2, {}, 1.0, 10),
        (8, 2, {}, 100.0, 0),
        (8, 2, {"calibration": "cross"}, 100.0, 10),
        (8, 2, {"calibration": "split"}, 0.0, 0),
        (8, 2, {"method": "mean_std"}, 0.0, 0),
        (8, 24, {"false_alarm_rate": 0.4}, 0.0, 0),
        (8, 23, {"false_alarm_rate": 0.4}, 0.0, MAX_FOLDS),
        (60, 2, {}, 0.0, MAX_FOLDS),
        (3, 2, {}, 0.0, 5),
    ],
)
def test_auto_goes_across_where_it_pays_and_is_quick(
    train: int,
    valid: int,
    fields: dict[str, Any],
    seconds: float,
    folds: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = iter([0.0, seconds, 0.0, 0.0])
    clock = SimpleNamespace(process_time=lambda: next(ticks))
    monkeypatch.setattr(calibrating, "time", clock)
    data = dataset(train, valid, 2)
    values = values_of(data, draw(np.random.default_rng(0), train + valid, 2))
    fitted = calibrated(data, values, ThresholdConfig.parse(fields))
    assert fitted.report.n_folds == folds
    said = (
        "about 17 min of processor time and rest the threshold on 10 recordings instead of 2"
        in str(fitted.remark)
    )
    assert said == (seconds == 100 and not fields)


def test_auto_counts_sessions_where_they_are_known() -> None:
    data = dataset(8, 24, 2)
    values = values_of(data, draw(np.random.default_rng(0), 32, 2))
    of_days = tuple(
        clip(c.recording, int(c.start_s), c.split, session=f"{c.split} {int(c.recording[1:]) // 4}")
        for c in data.clips
    )
    config = ThresholdConfig(false_alarm_rate=0.4)
    assert calibrated(data, values, config).report.n_folds == 0
    fitted = calibrated(Dataset(data.root, of_days), values, config)
    assert fitted.report.n_folds == 8


def test_blocks_of_one_recording_are_calibrated_by_clip() -> None:
    sides = ["train"] * 30 + ["valid"] * 20
    data = Dataset(Path("data"), tuple(clip("r", i, side) for i, side in enumerate(sides)))
    values = {c.path: float(i) for i, c in enumerate(data.clips)}
    fitted = calibrated(data, values, ThresholdConfig())
    assert (fitted.report.n_folds, fitted.calibration.n_units) == (0, 20)
    assert fitted.report.calibration_line() == "20 held-out normal clips of 1 recording"
    assert "not for a new recording" in str(fitted.remark)
    with pytest.raises(NotEnoughClipsError, match="cut from the same recordings; add recordings"):
        calibrated(data, values, ThresholdConfig(calibration="cross"))


def test_too_few_clips_without_a_fold_are_left_to_the_validation_side() -> None:
    clips = (*(clip("r0", i, "train") for i in range(4)), clip("r1", 0, "valid"))
    data = Dataset(Path("data"), clips)
    values = {c.path: float(i) for i, c in enumerate(clips)}
    assert calibrated(data, values, ThresholdConfig()).report.n_folds == 0
    with pytest.raises(NotEnoughClipsError, match="model=memory needs 2 clips without any one"):
        calibrated(data, values, ThresholdConfig(calibration="cross"))


@pytest.mark.parametrize("calibration", ["auto", "cross"])
def test_out_of_fold_scores_serve_fusion_and_calibration_alike(calibration: Any) -> None:
    data = dataset(8, 2)
    values = values_of(data, draw(np.random.default_rng(0), 10, CLIPS_EACH))
    config = ThresholdConfig(calibration=calibration)
    fitted = calibrated(data, values, config, "memory", "memory")
    assert fitted.report.n_folds == 10
    recipe = recipe_of(config, "memory", "memory")
    pool = Dataset(data.root, fitted.report.clips)
    folds = out_of_fold.out_of_fold(recipe, pool, cast(FeatureStore, Values(values)))
    fusion = Fusion.fit(recipe, folds.scores)
    assert fitted.scorer.fusion.to_dict() == fusion.to_dict()
    np.testing.assert_array_equal(fitted.report.scores, fusion(folds.scores))


def test_several_branches_on_a_split_share_a_scale_from_the_training_side() -> None:
    data = dataset(8, 2)
    values = values_of(data, draw(np.random.default_rng(0), 10, CLIPS_EACH))
    fitted = calibrated(data, values, ThresholdConfig(calibration="split"), "memory", "memory")
    assert (fitted.report.n_folds, fitted.report.n_recordings) == (0, 2)
    alone = dataset(8, 0)
    store = cast(FeatureStore, Values(values))
    recipe = recipe_of(ThresholdConfig(), "memory", "memory")
    folds = out_of_fold.out_of_fold(recipe, alone, store)
    assert fitted.scorer.fusion.to_dict() == Fusion.fit(recipe, folds.scores).to_dict()


def test_a_detector_fitted_elsewhere_is_calibrated_on_the_validation_side() -> None:
    data = dataset(8, 2)
    values = values_of(data, draw(np.random.default_rng(0), 10, CLIPS_EACH))
    scorer = calibrated(data, values, ThresholdConfig(calibration="split")).scorer
    adopted = calibrate(scorer, data.split("valid"), cast(FeatureStore, Values(values)))
    assert (adopted.calibration.n_recordings, adopted.report.n_trained_on) == (2, 0)
    assert adopted.scorer is scorer


def test_there_are_no_more_folds_than_it_pays() -> None:
    clips = dataset(90, 10).clips
    assert (
        np.bincount(calibration_folds(clips)).tolist()
        == [100 * CLIPS_EACH // MAX_FOLDS] * MAX_FOLDS
    )
    assert calibration_folds(clips * 4).max() + 1 == FOLDS_OF_MANY
