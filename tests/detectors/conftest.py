"""Real recordings as the detectors get them."""

import csv
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import roc_auc_score

from asd.arrays import Spectrogram
from asd.audio.decode import read_clip
from asd.config import LogMelConfig
from asd.detectors.base import Detector
from asd.features.logmel import LogMel

_CLIP_S = 2


@cache
def _motor(root: Path) -> tuple[list[Spectrogram], list[Spectrogram], list[bool]]:
    """Training clips, test clips, and which of those are anomalies; two seconds each."""
    front_end = LogMel(LogMelConfig())
    length = _CLIP_S * 16000
    train, test, truth = [], [], []
    with (root / "labels.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            samples = read_clip(root / row["file"], 16000)
            starts = range(0, len(samples) - length + 1, length)
            clips = [front_end(samples[start : start + length]) for start in starts]
            if row["split"] == "train":
                train += clips
            else:
                test += clips
                truth += [row["label"] == "anomaly"] * len(clips)
    return train, test, truth


@pytest.fixture
def real_motor_auc() -> Callable[[Path, Detector[Any]], tuple[float, float]]:
    """Give the function that fits a detector and finds AUC and pAUC on the motor recordings."""

    def measure(root: Path, detector: Detector[Any]) -> tuple[float, float]:
        train, test, truth = _motor(root)
        scores = detector.fit(train, []).score(test)
        return (
            float(roc_auc_score(truth, scores)),
            float(roc_auc_score(truth, scores, max_fpr=0.1)),
        )

    return measure
