"""How good a candidate is, as far as the validation side can tell."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asd import detectors
from asd.config import ThresholdConfig
from asd.data.manifest import Dataset
from asd.decision.thresholds import fit_threshold
from asd.detectors.base import Detector, EpochCallback, Scores
from asd.errors import ConfigError, NotEnoughClipsError
from asd.evaluation.metrics import auc
from asd.features.cache import FeatureCache
from asd.steps.candidates import Candidate
from asd.steps.proxy import stand_ins

STAND_INS = "stand-ins"
"""Folder of the stand-ins below that of the cache."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Validation:
    """The clips that a sweep may look at: it never sees the test side."""

    train: Dataset
    normal: Dataset
    anomalous: Dataset
    kind: str
    """`valid` where `anomalous` are labelled recordings, `proxy` where they are stand-ins."""

    @classmethod
    def of(cls, dataset: Dataset, seed: int, root: Path, metrics: tuple[str, ...]) -> "Validation":
        """Take the labelled anomalies of the validation side, or stand-ins where it has none.

        Parameters
        ----------
        dataset : Dataset
            What the sweep is about.
        seed : int
            Seed of the stand-ins.
        root : Path
            Folder of the cache.
        metrics : tuple of str
            What the sweep makes best.

        Raises
        ------
        NotEnoughClipsError
            There are no normal clips to train or to validate on.
        ConfigError
            `f1` was asked for and there is no labelled anomaly.
        """
        train, normal = dataset.split("train", "normal"), dataset.split("valid", "normal")
        for part, name in ((train, "train"), (normal, "valid")):
            if not part.clips:
                raise NotEnoughClipsError(
                    f"{dataset.root}: has no normal {name} clips, at least 1 is needed; add "
                    "recordings or give another split to preprocess"
                )
        labelled = dataset.split("valid", "anomaly")
        if labelled.clips:
            return cls(train, normal, labelled, "valid")
        if "f1" in metrics:
            raise ConfigError(
                f"metric=f1: {dataset.root} has no labelled anomalies on its validation side, and "
                "stand-ins say nothing about a threshold; use metric=auc"
            )
        logger.info("no labelled validation anomalies: candidates are compared by stand-ins")
        return cls(train, normal, stand_ins(normal, seed, root / STAND_INS), "proxy")

    def fit(
        self, candidate: Candidate, root: Path, on_epoch: EpochCallback
    ) -> tuple[Detector[Any], FeatureCache, dict[str, float]]:
        """Fit a candidate on the training side, just as `train` does."""
        cache = FeatureCache(root, candidate.fit.features)
        train, normal = cache.features(self.train), cache.features(self.normal)
        kind = detectors.detector_class(candidate.name)
        started = time.perf_counter()
        detector = kind(candidate.detector, candidate.fit.seed).fit(train, normal, on_epoch)
        return detector, cache, {"fit_seconds": time.perf_counter() - started}

    def judge(
        self,
        detector: Detector[Any],
        cache: FeatureCache,
        threshold: ThresholdConfig,
        max_fpr: float,
    ) -> dict[str, float]:
        """Figures of a fitted detector: `auc` and `pauc`, `f1` where labelled, `score_seconds`."""
        normal, anomalous = cache.features(self.normal), cache.features(self.anomalous)
        started = time.perf_counter()
        usual = detector.score(normal)
        seconds = (time.perf_counter() - started) / len(usual)
        unusual = detector.score(anomalous)
        figures = {
            "auc": auc(usual, unusual),
            "pauc": auc(usual, unusual, max_fpr),
            "score_seconds": seconds,
        }
        if self.kind == "valid" and len(usual) > 1:
            figures["f1"] = _f1(threshold, usual, unusual)
        return figures

    def named(self, figures: Mapping[str, float]) -> dict[str, float]:
        """The figures under names that say what they were measured on."""
        return {
            name if name.endswith("seconds") else f"{self.kind}_{name}": value
            for name, value in figures.items()
        }


def _f1(config: ThresholdConfig, normal: Scores, anomalous: Scores) -> float:
    """F1 with the threshold fitted on one half of the clips and judged on the other, both ways."""
    tp = fp = fn = 0
    for half in (0, 1):
        threshold = fit_threshold(config, normal[half::2], anomalous[half::2]).value
        found = anomalous[1 - half :: 2] > threshold
        tp, fn = tp + int(found.sum()), fn + int((~found).sum())
        fp += int(np.sum(normal[1 - half :: 2] > threshold))
    return 2 * tp / (2 * tp + fp + fn)
