"""How good a candidate is, as far as the validation side can tell."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asd.arrays import Scores
from asd.config import ThresholdConfig
from asd.config.recipe import Recipe
from asd.data.manifest import Dataset
from asd.decision.thresholds import fit_threshold
from asd.detectors.base import FitContext
from asd.errors import ConfigError, NotEnoughClipsError
from asd.evaluation.metric_table import METRICS
from asd.features.store import FeatureStore
from asd.language import tr
from asd.pipeline.branches import make_front_end
from asd.pipeline.scorer import Scorer
from asd.search.pseudo_anomalies import pseudo_anomalies

PSEUDO_ANOMALIES = "pseudo-anomalies"
"""Folder of the pseudo-anomalies below that of the cache."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Validation:
    """The clips that a sweep may look at: it never sees the test side."""

    train: Dataset
    normal: Dataset
    anomalous: Dataset
    kind: str
    """`valid` where `anomalous` are labelled recordings, `proxy` where they were made."""

    @classmethod
    def of(cls, dataset: Dataset, seed: int, root: Path, metrics: tuple[str, ...]) -> "Validation":
        """Take the labelled anomalies of the validation side, or make some where it has none.

        Parameters
        ----------
        dataset : Dataset
            What the sweep is about.
        seed : int
            Seed of the pseudo-anomalies.
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
                    tr(
                        "{data}: has no normal {name} clips, at least 1 is needed; add "
                        "recordings or give another split to preprocess",
                        data=dataset.root,
                        name=name,
                    )
                )
        labelled = dataset.split("valid", "anomaly")
        if labelled.clips:
            return cls(train, normal, labelled, "valid")
        if "f1" in metrics:
            raise ConfigError(
                tr(
                    "metric=f1: {data} has no labelled anomalies on its validation side, and "
                    "pseudo-anomalies say nothing about a threshold; use metric=auc",
                    data=dataset.root,
                )
            )
        logger.info(
            tr("no labelled validation anomalies: candidates are compared by pseudo-anomalies")
        )
        return cls(train, normal, pseudo_anomalies(normal, seed, root / PSEUDO_ANOMALIES), "proxy")

    def fit(
        self, recipe: Recipe, store: FeatureStore, context: FitContext
    ) -> tuple[Scorer, dict[str, float]]:
        """Fit a resolved recipe on the training side, and say how long it took."""
        for branch in recipe.branches:
            front_end = make_front_end(branch)
            for side in (self.train, self.normal):
                store.features(side, front_end)
        started = time.perf_counter()
        scorer = Scorer.fit(recipe, self.train, self.normal, store, context)
        return scorer, {"fit_seconds": time.perf_counter() - started}

    def judge(
        self, scorer: Scorer, threshold: ThresholdConfig, store: FeatureStore, max_fpr: float
    ) -> dict[str, float]:
        """Figures of a fitted recipe: all ranking metrics, `f1` where labelled, `score_seconds`."""
        started = time.perf_counter()
        usual = scorer.score(self.normal, store)
        seconds = (time.perf_counter() - started) / len(usual)
        unusual = scorer.score(self.anomalous, store)
        scores = np.concatenate([usual, unusual])
        truth, ones = np.arange(len(scores)) >= len(usual), np.ones(len(scores))
        figures = {
            name: metric.rank(truth, scores, ones, max_fpr)
            for name, metric in METRICS.items()
            if metric.rank
        }
        figures["score_seconds"] = seconds
        if self.kind == "valid" and len(usual) > 1:
            figures["f1"] = _f1(threshold, usual, unusual)
        return figures

    def named(self, figures: Mapping[str, float]) -> dict[str, float]:
        """The figures under names that say what they were measured on."""
        return {
            name if name.endswith("seconds") else f"{self.kind}_{name}": value
            for name, value in figures.items()
        }


def check_metrics(names: Sequence[str]) -> None:
    """Raise ConfigError where a sweep cannot be told a metric by its validation side."""
    known = [name for name, metric in METRICS.items() if metric.rank]
    known += ["f1", "fit_seconds", "score_seconds"]
    wrong = next((name for name in names if name not in known), None)
    if wrong is not None:
        raise ConfigError(
            tr(
                "metric={wrong!r}: a sweep cannot tell it; known are {known}",
                wrong=wrong,
                known=", ".join(known),
            )
        )


def _f1(config: ThresholdConfig, normal: Scores, anomalous: Scores) -> float:
    """F1 with the threshold fitted on one half of the clips and judged on the other, both ways."""
    tp = fp = fn = 0
    for half in (0, 1):
        threshold = fit_threshold(config, normal[half::2], anomalous[half::2]).value
        alarms = anomalous[1 - half :: 2] > threshold
        tp, fn = tp + int(alarms.sum()), fn + int((~alarms).sum())
        fp += int(np.sum(normal[1 - half :: 2] > threshold))
    return 2 * tp / (2 * tp + fp + fn)
