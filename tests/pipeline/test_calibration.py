"""Calibration keeps its promise where clips of a recording are alike."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from asd.pipeline.calibrate import Calibration, calibrate, describe
from numpy.typing import NDArray

from asd.arrays import Scores, Spectrogram
from asd.config import ThresholdConfig
from asd.data.manifest import Clip, Dataset
from asd.decision.thresholds import fit_threshold
from asd.detectors.base import Detector, DetectorConfig, EpochCallback
from asd.errors import NotEnoughClipsError
from asd.features.clipset import Features
from asd.features.store import FeatureCache

CLIPS_EACH = 5


class Memory(Detector[DetectorConfig]):
    """Distance to the nearest training clip: knows its training clips by heart."""

    name = "memory"
    Config = DetectorConfig

    def _fit(self, train: Features, valid: Features, on_epoch: EpochCallback) -> None:  # noqa: ARG002
        self.known_ = np.sort([clip[0, 0] for clip in train])

    def score(self, features: Features) -> Scores:
        points = np.array([clip[0, 0] for clip in features], dtype=np.float64)
        place = np.clip(np.searchsorted(self.known_, points), 1, len(self.known_) - 1)
        left, right = self.known_[place - 1], self.known_[place]
        return np.asarray(np.minimum(np.abs(points - left), np.abs(points - right)))

    def explain(self, features: Features) -> list[Spectrogram]:
        raise NotImplementedError

    def _state(self) -> dict[str, NDArray[Any]]:
        raise NotImplementedError

    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        raise NotImplementedError


class Values:
    """Stands in for the feature cache: one number a clip."""

    def __init__(self, values: dict[str, float]) -> None:
        self._values = values

    def features(self, dataset: Dataset) -> list[Spectrogram]:
        return [np.full((1, 1), self._values[clip.path], np.float32) for clip in dataset.clips]


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


def calibrated(
    data: Dataset, values: dict[str, float], config: ThresholdConfig, fit_seconds: float = 0.0
) -> tuple[Memory, Calibration]:
    cache = cast(FeatureCache, Values(values))
    detector = Memory(DetectorConfig())
    detector.fit(cache.features(data.split("train")), [])
    return detector, calibrate(detector, cache, data, config, fit_seconds)


def values_of(data: Dataset, drawn: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip([clip.path for clip in data.clips], drawn.ravel().tolist(), strict=True))


Fit = Callable[[Memory, Calibration, ThresholdConfig], float]


def across(detector: Memory, calibration: Calibration, config: ThresholdConfig) -> float:
    return fit_threshold(config, calibration.scores, None, calibration.recordings).value


def on_training_scores(
    detector: Memory, calibration: Calibration, config: ThresholdConfig
) -> float:
    """What must not be done."""
    known = [np.full((1, 1), value) for value in detector.known_]
    return fit_threshold(config, detector.score(known)).value


def mean_rate(rate: float, fit: Fit, train: int = 99, valid: int = 11, each: int = 5) -> float:
    """False-alarm rate on new recordings, over 200 random data sets."""
    rng = np.random.default_rng(11)
    data = dataset(train, valid, each)
    config = ThresholdConfig(false_alarm_rate=rate, calibration="cross")
    achieved = []
    for _ in range(200):
        detector, calibration = calibrated(
            data, values_of(data, draw(rng, train + valid, each)), config
        )
        new = draw(rng, 60, each).ravel().astype(np.float32)
        scores = detector.score([np.full((1, 1), value) for value in new])
        achieved.append(float((scores > fit(detector, calibration, config)).mean()))
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
    _, calibration = calibrated(
        data, values_of(data, draw(np.random.default_rng(0), 10, 5)), config
    )
    threshold = fit_threshold(config, calibration.scores, None, calibration.recordings)
    assert threshold.promised_rate == pytest.approx(1 / 11)
    assert "10 calibration recordings cannot promise" in threshold.note
    assert mean_rate(0.05, across, train=8, valid=2) <= 1 / 11


def test_clips_taken_for_independent_would_break_the_promise() -> None:
    def by_clip(detector: Memory, calibration: Calibration, config: ThresholdConfig) -> float:
        valid = calibration.scores[: 4 * 25]
        return fit_threshold(config, valid).value

    assert mean_rate(0.05, by_clip, train=16, valid=4, each=25) > 2 * 0.05


def test_each_clip_is_scored_once_by_a_detector_without_its_recording() -> None:
    data = dataset(train=8, valid=2)
    drawn = 10.0 * np.arange(10)[:, None] + 0.01 * np.arange(5)
    _, found = calibrated(data, values_of(data, drawn), ThresholdConfig(calibration="cross"))
    assert found.folds == 5
    assert sorted(c.path for c in found.clips) == sorted(c.path for c in data.clips)
    # Clips of its own recording are 0.01 away, those of others 10.
    assert found.scores.min() > 9
    assert describe(found).startswith("50 held-out normal clips of 10 recordings, fitting 4 times")


def test_folds_spread_every_machine() -> None:
    names = [(f"{machine}{i}", machine) for machine in "ab" for i in range(8)]
    sides = dict.fromkeys(("a0", "a1", "b0", "b1"), "valid")
    clips = [clip(name, 0, sides.get(name, "train"), machine=machine) for name, machine in names]
    data = Dataset(Path("data"), tuple(clips))
    values = {c.path: float(i) for i, c in enumerate(clips)}
    _, found = calibrated(data, values, ThresholdConfig(calibration="cross"))
    machines = [c.machine for c in found.clips]
    assert [sorted(machines[i : i + 4]) for i in range(0, 16, 4)] == [["a", "a", "b", "b"]] * 4


@pytest.mark.parametrize(
    ("train", "valid", "fields", "seconds", "folds"),
    [
        (8, 2, {}, 1.0, 5),
        (8, 2, {}, 100.0, 1),
        (8, 2, {"calibration": "split"}, 0.0, 1),
        (8, 2, {"method": "mean_std"}, 0.0, 1),
        (8, 24, {"false_alarm_rate": 0.4}, 0.0, 1),
        (8, 23, {"false_alarm_rate": 0.4}, 0.0, 2),
        (60, 2, {}, 0.0, 10),
    ],
)
def test_auto_goes_across_where_it_pays_and_is_quick(
    train: int, valid: int, fields: dict[str, Any], seconds: float, folds: int
) -> None:
    data = dataset(train, valid, 2)
    values = values_of(data, draw(np.random.default_rng(0), train + valid, 2))
    _, found = calibrated(data, values, ThresholdConfig.parse(fields), seconds)
    assert found.folds == folds
    assert (
        "about 400 s of processor time and rest the threshold on 10 recordings instead of 2"
        in found.note
    ) == (seconds == 100)


def test_blocks_of_one_recording_are_calibrated_by_clip() -> None:
    sides: Sequence[str] = ["train"] * 30 + ["valid"] * 20
    data = Dataset(Path("data"), tuple(clip("r", i, side) for i, side in enumerate(sides)))
    values = {c.path: float(i) for i, c in enumerate(data.clips)}
    _, found = calibrated(data, values, ThresholdConfig())
    assert (found.folds, found.n_recordings) == (1, 20)
    assert "not for a new recording" in found.note
    with pytest.raises(NotEnoughClipsError, match="cut from the same recordings; add recordings"):
        calibrated(data, values, ThresholdConfig(calibration="cross"))
