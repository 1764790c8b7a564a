"""Many detectors on many data sets, fitted several times each: one table."""

import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asd import detectors
from asd.arrays import Scores
from asd.config import LogMelConfig
from asd.config.presets import read_entrants
from asd.config.steps import CompareConfig, FitConfig
from asd.data.manifest import Dataset
from asd.data.opening import for_clips, open_dataset
from asd.detectors.base import Detector
from asd.errors import ConfigError, NotEnoughClipsError
from asd.evaluation import plots
from asd.evaluation.comparison import Comparison, Outcome
from asd.evaluation.metrics import auc, metric_key
from asd.features.store import FeatureCache
from asd.tracking.runs import TrackedRun, data_params, step_run
from asd.tracking.store import cache_root


def run(config: CompareConfig) -> Comparison:
    """Fit every detector on every data set with every seed, a nested run each.

    A detector whose scores are the same with the first two seeds does not depend on the seed and
    is not fitted again.

    Raises
    ------
    AsdError
        A detector, its settings or a data set cannot be used.
    """
    with step_run("compare", config.flat()) as tracked:
        contestants = _contestants(config)
        data = [open_dataset(path) for path in config.data]
        _check(contestants, data)
        outcomes = [
            outcome
            for dataset in data
            for contestant in contestants
            for outcome in _outcomes(contestant, dataset, config)
        ]
        comparison = Comparison(tuple(outcomes))
        _log(comparison, tracked)
        tracked.report(*comparison.markdown())
    return comparison


@dataclass(frozen=True)
class _Contestant:
    """A detector with its settings."""

    name: str
    """The word that was given; of a file of settings, its name."""
    features: LogMelConfig
    detector: Detector[Any]
    """Not fitted: its config."""


def _contestants(config: CompareConfig) -> list[_Contestant]:
    shared = FitConfig(features=config.features, seed=config.seed)
    contestants = []
    for entrant in read_entrants(config.models, shared, {}):
        kind = detectors.detector_class(entrant.train.model)
        own = kind.Config.parse(entrant.train.detector, "detector.")
        contestants.append(_Contestant(entrant.label, entrant.train.features, kind(own)))
    return contestants


def _check(contestants: list[_Contestant], data: list[Dataset]) -> None:
    """Find before any work is done what would end it late."""
    named = (("models", [c.name for c in contestants]), ("data", [d.name for d in data]))
    for key, names in named:
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"{key}: {twice[0]} stands twice; give each another name")
    for dataset in data:
        sides = (("train", "normal"), ("test", "normal"), ("test", "anomaly"))
        for split, label in sides:
            if not any(clip.split == split and clip.label == label for clip in dataset.clips):
                raise NotEnoughClipsError(
                    f"{dataset.root}: has no {split} clip labelled {label}, and comparing takes "
                    "some; give a data set with both, or make one with augment"
                )


def _outcomes(
    contestant: _Contestant, dataset: Dataset, config: CompareConfig
) -> Iterable[Outcome]:
    first: Scores | None = None
    for number in range(config.seeds):
        outcome, scores = _fit_and_score(contestant, dataset, config.seed + number, config.max_fpr)
        yield outcome
        if first is not None and np.array_equal(first, scores):
            return
        first = scores if first is None else first


def _fit_and_score(
    contestant: _Contestant, dataset: Dataset, seed: int, max_fpr: float
) -> tuple[Outcome, Scores]:
    name, own = contestant.name, contestant.detector.config
    cache = FeatureCache(cache_root(), for_clips(contestant.features, dataset))
    params = {
        "model": name,
        "detector": contestant.detector.name,
        **own.flat("detector."),
        **cache.config.flat("features."),
        **data_params(dataset),
        "seed": seed,
    }
    with step_run("compare one", params, f"{name} on {dataset.name}, seed {seed}") as tracked:
        parts = [dataset.split("train", "normal"), dataset.split("valid", "normal")]
        test = dataset.split("test").select(lambda clip: clip.label != "unknown")
        # The front end is the same for all; computed here, it is not part of anybody's seconds.
        train, valid, probe = (cache.features(part) for part in (*parts, test))
        detector = type(contestant.detector)(own, seed)
        started = time.perf_counter()
        detector.fit(train, valid)
        fitted = time.perf_counter()
        scores = detector.score(probe)
        scored = time.perf_counter()
        anomalous = np.array([clip.label == "anomaly" for clip in test.clips])
        outcome = Outcome(
            model=name,
            data=dataset.name,
            seed=seed,
            auc=auc(scores[~anomalous], scores[anomalous]),
            pauc=auc(scores[~anomalous], scores[anomalous], max_fpr),
            fit_seconds=fitted - started,
            score_seconds=scored - fitted,
            megabytes=_megabytes(detector),
        )
        tracked.log_input(test, "testing")
        tracked.log_metrics(outcome.figures())
    return outcome, scores


def _megabytes(detector: Detector[Any]) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        detector.save(folder)
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _log(comparison: Comparison, tracked: TrackedRun) -> None:
    tracked.log_metrics(
        {
            f"{metric}.{metric_key(model)}.{metric_key(data)}": comparison.spread(
                model, data, metric
            ).mean
            for model in comparison.models
            for data in comparison.data
            for metric in ("auc", "pauc")
        }
    )
    tracked.log_text("\n".join(comparison.markdown()) + "\n", "comparison.md")
    tracked.log_figures({"comparison": plots.heatmap(comparison)})
