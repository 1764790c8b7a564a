"""From recordings to a champion: every step as a run below one parent."""

import logging
from pathlib import Path
from typing import Any

from asd import detectors
from asd.config.presets import Entrant, read_entrants
from asd.config.steps import (
    DEMO,
    AugmentConfig,
    EvaluateConfig,
    ExtractConfig,
    MainConfig,
    PromoteConfig,
)
from asd.data.audio import VIDEO_SUFFIXES, find_audio
from asd.data.manifest import Dataset
from asd.steps import augment, evaluate, extract, preprocess, promote, train
from asd.steps.datasets import demo_source
from asd.steps.evaluate import Evaluation
from asd.tracking import registry
from asd.tracking.runs import TrackedRun, data_params, step_run

WORK = Path("data/main")

logger = logging.getLogger(__name__)


def run(config: MainConfig) -> list[Evaluation]:
    """Extract, preprocess, augment, train and evaluate each model, and promote the best.

    The data sets in between are made anew below ``data/main/<name of the source>``.

    Raises
    ------
    AsdError
        What the steps raise, or a model is unknown.
    """
    entrants = _entrants(config)
    with step_run("main", config.flat(), f"main {_name(config)}") as tracked:
        dataset = _prepare(config)
        tracked.log_params(data_params(dataset))
        evaluations = [_try(entrant, dataset) for entrant in entrants]
        best = max(evaluations, key=lambda found: found.metrics.get(config.metric, float("-inf")))
        wish = PromoteConfig(
            model_uri=best.model.uri,
            data=str(dataset.root),
            metric=config.metric,
            min_gain=config.min_gain,
        )
        promote.run(wish, dataset)
        _log_table(entrants, evaluations, tracked)
        champion = registry.champion()
        tracked.report(
            *_table(entrants, evaluations),
            f"champion: {champion.name if champion else 'none'} ({registry.CHAMPION_URI})",
            "see the runs:  mlflow ui --port 5000",
            f"serve it:      {promote.SERVE}",
            "score a file:  mlflow run . -e score -P source=<file or folder>",
        )
    return evaluations


def _entrants(config: MainConfig) -> list[Entrant]:
    """Find a wrong model or field before any work is done."""
    entrants = read_entrants(config.models, config, config.detector)
    for entrant in entrants:
        kind = detectors.detector_class(entrant.train.model)
        kind.Config.parse(entrant.train.detector, f"detector.{entrant.label}.")
    return entrants


def _name(config: MainConfig) -> str:
    return Path(config.source).resolve().stem


def _prepare(config: MainConfig) -> Dataset:
    name = _name(config)
    demo = config.source == DEMO
    source = demo_source() / "recordings" if demo else Path(config.source)
    if any(path.suffix.lower() in VIDEO_SUFFIXES for path in find_audio(source)):
        audio = WORK / f"{name}-audio"
        extract.run(
            ExtractConfig(
                source=str(source),
                output=str(audio),
                format="flac",
                overwrite=True,
                skip_bad=config.skip_bad,
            )
        )
        source = audio
    clips = preprocess.cut(source, WORK / name, config, overwrite=True)
    noise = config.noise or (str(demo_source() / "noise") if demo else _foreign_sounds(clips))
    if config.pitch:
        clips = _augment(
            clips, f"{name}-pitched", config, pitch=config.pitch, split=config.pitch_split
        )
    if noise:
        count = _noise_count(clips, config)
        clips = _augment(clips, f"{name}-noised", config, noise=noise, noise_count=count)
    return clips


def _augment(clips: Dataset, name: str, config: MainConfig, **changes: Any) -> Dataset:
    return augment.run(
        AugmentConfig(
            data=str(clips.root),
            output=str(WORK / name),
            seed=config.seed,
            overwrite=True,
            **changes,
        ),
        clips,
    )


def _foreign_sounds(clips: Dataset) -> str:
    """The demo's sounds where the test side has normal clips and no anomaly among them."""
    if clips.split("test", "anomaly").clips or not clips.split("test", "normal").clips:
        return ""
    logger.info("no labelled anomalies: foreign sounds laid over test clips stand in for them")
    return str(demo_source() / "noise")


def _noise_count(clips: Dataset, config: MainConfig) -> int:
    """At most half of the normal test clips."""
    normal = len(clips.split("test", "normal").clips)
    return max(1, min(config.noise_count, normal // 2))


def _try(entrant: Entrant, dataset: Dataset) -> Evaluation:
    settings = entrant.train
    model = train.fit(settings.model, settings.detector, settings, dataset, entrant.label)
    wish = EvaluateConfig(model_uri=model.uri, data=str(dataset.root), seed=settings.seed)
    return evaluate.run(wish, dataset)


_COLUMNS = ("auc", "pauc", "f1", "false_alarm_rate", "score_seconds")


def _table(entrants: list[Entrant], evaluations: list[Evaluation]) -> list[str]:
    lines = ["model             " + "".join(f"{column:>18}" for column in _COLUMNS)]
    for entrant, found in zip(entrants, evaluations, strict=True):
        cells = (_cell(found.metrics.get(column)) for column in _COLUMNS)
        lines.append(f"{entrant.label:<18}" + "".join(f"{cell:>18}" for cell in cells))
    return lines


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _log_table(entrants: list[Entrant], evaluations: list[Evaluation], tracked: TrackedRun) -> None:
    for entrant, found in zip(entrants, evaluations, strict=True):
        shown = (column for column in _COLUMNS if column in found.metrics)
        tracked.log_metrics(
            {f"{column}.{entrant.label}": found.metrics[column] for column in shown}
        )
