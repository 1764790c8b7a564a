"""Real recordings as the detectors get them."""

import csv
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from asd.arrays import Samples
from asd.audio.decode import read_clip
from asd.config import LogMelConfig
from asd.data.manifest import Clip
from asd.detectors.base import Detector
from asd.features.clipset import ClipSet
from asd.features.logmel import LogMel

_CLIP_S = 2
_RATE = 16000

Level = Literal["power", "none"]


@cache
def _motor(root: Path) -> list[tuple[Clip, Samples]]:
    """Clips of two seconds, each with its row of a manifest."""
    length = _CLIP_S * _RATE
    clips = []
    with (root / "labels.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            samples = read_clip(root / row["file"], _RATE)
            for start in range(0, len(samples) - length + 1, length):
                clip = Clip.model_validate(
                    {
                        "path": f"{row['file']}-{start}",
                        "recording": row["file"],
                        "start_s": start / _RATE,
                        "duration_s": _CLIP_S,
                        "split": "train" if row["split"] == "train" else "test",
                        "label": row["label"],
                        "sha256": "0" * 64,
                    }
                )
                clips.append((clip, samples[start : start + length]))
    return clips


@cache
def _side(root: Path, level: Level, split: str) -> ClipSet:
    front_end = LogMel(LogMelConfig(level=level))
    rows = [(clip, samples) for clip, samples in _motor(root) if clip.split == split]
    return ClipSet([front_end(samples) for _, samples in rows], [clip for clip, _ in rows])


@pytest.fixture
def real_motor_auc() -> Callable[..., tuple[float, float]]:
    """Give the function that fits a detector and finds AUC and pAUC on the motor recordings."""

    def measure(root: Path, detector: Detector[Any], level: Level = "power") -> tuple[float, float]:
        test = _side(root, level, "test")
        scores = detector.fit(_side(root, level, "train"), ClipSet([])).score(test)
        truth = np.array([clip.label == "anomaly" for clip in test.clips])
        return (
            float(roc_auc_score(truth, scores)),
            float(roc_auc_score(truth, scores, max_fpr=0.1)),
        )

    return measure
