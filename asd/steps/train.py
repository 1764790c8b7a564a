"""Fit a detector and its threshold, and log them as a model."""

import hashlib
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from asd import detectors
from asd.config import LogMelConfig
from asd.config.steps import FitConfig, TrainConfig
from asd.config.threshold import ThresholdConfig
from asd.data.manifest import Dataset
from asd.data.recordings import count
from asd.detectors.base import Detector
from asd.errors import NotEnoughClipsError
from asd.evaluation import plots
from asd.evaluation.thresholds import fit_threshold
from asd.features.cache import FeatureCache
from asd.pipeline import Pipeline, TrainedOn
from asd.steps.calibrate import Calibration, calibrate, describe
from asd.steps.datasets import clip_seconds, for_clips, open_dataset
from asd.tracking.models import ModelRef, log_pipeline
from asd.tracking.runs import TrackedRun, data_params, step_run
from asd.tracking.store import cache_root

CHECKPOINTS = Path(".cache/checkpoints")


def run(config: TrainConfig) -> ModelRef:
    """Fit `model` on the normal training clips of `data`.

    Raises
    ------
    AsdError
        The model, a field or the data set cannot be used, or there are too few clips.
    """
    return fit(config.model, config.detector, config, config.data)


def fit(
    name: str,
    fields: Mapping[str, Any],
    config: FitConfig,
    data: str | Dataset,
    label: str = "",
) -> ModelRef:
    """Do the step, as a run of its own, with the fields that several entry points share.

    `data` is a data set's folder, or the data set where that is open already. `label` names the
    run in the UI; the detector's name where not given.
    """
    kind = detectors.detector_class(name)
    own = kind.Config.parse(fields, "detector.")
    root = data.root if isinstance(data, Dataset) else data
    params = {"detector": name, **own.flat("detector."), "data": root}
    with step_run("train", params, f"train {label or name}") as tracked:
        dataset = open_dataset(data)
        cache = FeatureCache(cache_root(), for_clips(config.features, dataset))
        log_settings(config, cache.config, dataset, tracked)
        detector = kind(own, config.seed)
        with _resumable(detector, cache.config, dataset):
            seconds = _fit_detector(detector, cache, dataset, tracked)
        return finish(detector, cache, dataset, config.threshold, seconds, tracked)


def log_settings(
    config: FitConfig, features: LogMelConfig, dataset: Dataset, tracked: TrackedRun
) -> None:
    """Log what a detector is fitted with, apart from its own fields."""
    shared = {**config.threshold.flat("threshold."), "seed": config.seed}
    tracked.log_params({**data_params(dataset), **features.flat("features."), **shared})
    tracked.log_json(features.model_dump(), "features.json")


def finish(
    detector: Detector[Any],
    cache: FeatureCache,
    dataset: Dataset,
    threshold: ThresholdConfig,
    fit_seconds: float,
    tracked: TrackedRun,
    made: str = "",
) -> ModelRef:
    """Fit the threshold of a fitted detector, and log the whole as a model.

    `made` says where the detector comes from; that it was trained on the clips where not given.
    """
    calibration = calibrate(detector, cache, dataset, threshold, fit_seconds)
    pipeline = _pipeline(detector, cache, dataset, threshold, calibration)
    _log_calibration(calibration, pipeline, tracked)
    params = {"detector": detector.name, **detector.config.flat("detector.")}
    logged = log_pipeline(pipeline, params)
    tracked.log_metrics({"threshold": pipeline.threshold.value}, model_id=logged.model_id)
    after = f"mlflow run . -e evaluate -P model_uri={logged.run_id}"
    clips = count(len(dataset.split("train").clips), "clip")
    made = made or f"trained {detector.name} on {clips} of {dataset.root}"
    lines = _summary(pipeline, calibration, logged)
    tracked.report(f"{made} (digest {dataset.digest})", *lines, after=after)
    return logged


@contextmanager
def _resumable(detector: Detector[Any], features: LogMelConfig, dataset: Dataset) -> Iterator[None]:
    """Keep a training's state while it lasts: the same command goes on where it was killed."""
    settings = [detector.name, detector.config, detector.seed, features, dataset.digest]
    key = hashlib.sha256(repr(settings).encode()).hexdigest()[:16]
    folder = CHECKPOINTS / key
    detector.checkpoint_dir = folder
    yield
    shutil.rmtree(folder, ignore_errors=True)


def _fit_detector(
    detector: Detector[Any], cache: FeatureCache, dataset: Dataset, tracked: TrackedRun
) -> float:
    """Fit on the train side; gives the seconds of processor time that it took."""
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
    started, busy = time.perf_counter(), time.process_time()
    detector.fit(train_features, valid_features, on_epoch)
    seconds = time.process_time() - busy
    tracked.log_metrics({"fit_seconds": time.perf_counter() - started})
    if history:
        tracked.log_figures({"loss_curve": plots.loss_curve(history)})
    return seconds


def _pipeline(
    detector: Detector[Any],
    cache: FeatureCache,
    dataset: Dataset,
    config: ThresholdConfig,
    calibration: Calibration,
) -> Pipeline:
    """Fit the threshold on held-out clips; the test side is never looked at."""
    anomalous = dataset.split("valid", "anomaly")
    known = detector.score(cache.features(anomalous)) if anomalous.clips else None
    # Clips that are units of their own are spoken of as clips.
    alone = calibration.n_recordings == len(calibration.clips)
    recordings = None if alone else calibration.recordings
    threshold = fit_threshold(config, calibration.scores, known, recordings)
    notes = (threshold.note, calibration.note)
    return Pipeline(
        features=cache.config,
        detector=detector,
        threshold=replace(threshold, note="; ".join(note for note in notes if note)),
        calibration=calibration.scores,
        calibration_recordings=calibration.recordings,
        clip_seconds=clip_seconds(dataset),
        trained_on=TrainedOn(dataset.name, str(dataset.root), dataset.digest),
    )


def _log_calibration(calibration: Calibration, pipeline: Pipeline, tracked: TrackedRun) -> None:
    scores = calibration.scores
    figure = plots.validation_scores(scores, pipeline.threshold)
    tracked.log_figures({"validation_scores": figure})
    by_clip = zip(calibration.clips, scores, strict=True)
    tracked.log_json({clip.path: float(score) for clip, score in by_clip}, "validation_scores.json")
    found: dict[str, float] = {
        "calibration_clips": len(calibration.clips),
        "calibration_recordings": calibration.n_recordings,
        "calibration_folds": calibration.folds,
        "calibration_seconds": calibration.seconds,
    }
    if pipeline.threshold.promised_rate is not None:
        found["promised_rate"] = pipeline.threshold.promised_rate
    tracked.log_metrics(found)


def _summary(pipeline: Pipeline, calibration: Calibration, model: ModelRef) -> list[str]:
    threshold = pipeline.threshold
    promise = ""
    if threshold.promised_rate is not None:
        promise = f"; promises at most {threshold.promised_rate:.1%} false alarms"
    lines = [
        f"threshold {threshold.value:.6g} by {threshold.method} from {describe(calibration)}"
        f"{promise}",
        f"model {model.uri}, run {model.run_id}",
    ]
    if threshold.note:
        lines.insert(1, threshold.note)
    return lines
