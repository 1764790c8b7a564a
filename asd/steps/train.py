"""Fit a detector and its threshold, and log them as a model."""

import time
from collections.abc import Mapping
from typing import Any

from asd import detectors
from asd.config import LogMelConfig
from asd.config.steps import FitConfig, TrainConfig
from asd.config.threshold import ThresholdConfig
from asd.data.manifest import Dataset
from asd.detectors.base import Detector
from asd.errors import NotEnoughClipsError
from asd.evaluation import plots
from asd.evaluation.thresholds import fit_threshold
from asd.features.cache import FeatureCache
from asd.pipeline import Pipeline, TrainedOn
from asd.steps.datasets import clip_seconds, for_clips, open_dataset
from asd.tracking.models import ModelRef, log_pipeline
from asd.tracking.runs import TrackedRun, data_params, step_run
from asd.tracking.store import cache_root


def run(config: TrainConfig) -> ModelRef:
    """Fit `model` on the normal training clips of `data`.

    Raises
    ------
    AsdError
        The model, a field or the data set cannot be used, or there are too few clips.
    """
    return fit(config.model, config.detector, config, config.data)


def fit(name: str, fields: Mapping[str, Any], config: FitConfig, data: str) -> ModelRef:
    """Do the step, as a run of its own, with the fields that several entry points share."""
    kind = detectors.detector_class(name)
    own = kind.Config.parse(fields, "detector.")
    detector_params = {"detector": name, **own.flat("detector.")}
    with step_run("train", {**detector_params, "data": data}, f"train {name}") as tracked:
        dataset = open_dataset(data)
        cache = FeatureCache(cache_root(), for_clips(config.features, dataset))
        tracked.log_params({**data_params(dataset), **_fit_params(config, cache.config)})
        tracked.log_json(cache.config.model_dump(), "features.json")
        detector = kind(own, config.seed)
        _fit_detector(detector, cache, dataset, tracked)
        pipeline = _calibrate(detector, cache, dataset, config.threshold, tracked)
        logged = log_pipeline(pipeline, detector_params)
        tracked.log_metrics({"threshold": pipeline.threshold.value}, model_id=logged.model_id)
        after = f"mlflow run . -e evaluate -P model_uri={logged.run_id}"
        tracked.report(*_summary(dataset, pipeline, logged), after=after)
    return logged


def _fit_params(config: FitConfig, features: LogMelConfig) -> dict[str, Any]:
    return {
        **features.flat("features."),
        **config.threshold.flat("threshold."),
        "seed": config.seed,
    }


def _fit_detector(
    detector: Detector[Any], cache: FeatureCache, dataset: Dataset, tracked: TrackedRun
) -> None:
    train, valid = dataset.split("train", "normal"), dataset.split("valid", "normal")
    for part, split in ((train, "train"), (valid, "valid")):
        if not part.clips:
            raise NotEnoughClipsError(
                f"{dataset.root}: has no normal {split} clips, at least 1 is needed; add "
                "recordings or give another split to preprocess"
            )
    tracked.log_input(train, "training")
    tracked.log_input(valid, "validation")
    history: list[dict[str, float]] = []

    def on_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
        history.append({"epoch": epoch, **metrics})
        tracked.log_metrics(metrics, step=epoch)

    train_features, valid_features = cache.features(train), cache.features(valid)
    started = time.perf_counter()
    detector.fit(train_features, valid_features, on_epoch)
    tracked.log_metrics({"fit_seconds": time.perf_counter() - started})
    if history:
        tracked.log_figures({"loss_curve": plots.loss_curve(history)})


def _calibrate(
    detector: Detector[Any],
    cache: FeatureCache,
    dataset: Dataset,
    config: ThresholdConfig,
    tracked: TrackedRun,
) -> Pipeline:
    """Fit the threshold on held-out clips; the test side is never looked at."""
    normal, anomalous = dataset.split("valid", "normal"), dataset.split("valid", "anomaly")
    calibration = detector.score(cache.features(normal))
    known = detector.score(cache.features(anomalous)) if anomalous.clips else None
    threshold = fit_threshold(config, calibration, known)
    tracked.log_figures({"validation_scores": plots.validation_scores(calibration, threshold)})
    tracked.log_json(
        {clip.path: float(score) for clip, score in zip(normal.clips, calibration, strict=True)},
        "validation_scores.json",
    )
    return Pipeline(
        features=cache.config,
        detector=detector,
        threshold=threshold,
        calibration=calibration,
        clip_seconds=clip_seconds(dataset),
        trained_on=TrainedOn(dataset.name, str(dataset.root), dataset.digest),
    )


def _summary(dataset: Dataset, pipeline: Pipeline, model: ModelRef) -> list[str]:
    threshold = pipeline.threshold
    lines = [
        f"trained {pipeline.detector.name} on {len(dataset.split('train').clips)} clips of "
        f"{dataset.root} (digest {dataset.digest})",
        f"threshold {threshold.value:.6g} by {threshold.method} from {threshold.n_calibration} "
        "held-out normal clips",
        f"model {model.uri}, run {model.run_id}",
    ]
    if threshold.note:
        lines.insert(2, threshold.note)
    return lines
