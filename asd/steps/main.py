"""From recordings to a champion: every step as a run below one parent."""

from pathlib import Path
from typing import Any

from asd.audio.decode import VIDEO_SUFFIXES, find_audio
from asd.config.recipe import Recipe
from asd.config.recipes import read_recipes
from asd.config.steps import (
    DEMO,
    AugmentConfig,
    EvaluateConfig,
    ExtractConfig,
    MainConfig,
    PromoteConfig,
)
from asd.data.manifest import Dataset
from asd.data.opening import demo_source, foreign_sounds
from asd.evaluation.metric_table import metric_named
from asd.evaluation.report import leaderboard
from asd.pipeline.branches import resolved
from asd.steps import augment, evaluate, extract, preprocess, promote, train
from asd.steps.evaluate import Evaluated
from asd.tracking import evaluations, registry
from asd.tracking.runs import data_params, step_run

WORK = Path("data/main")


def run(config: MainConfig) -> list[Evaluated]:
    """Extract, preprocess, augment, train and evaluate each model, and promote the best.

    The data sets in between are made anew below ``data/main/<name of the source>``.

    Raises
    ------
    AsdError
        What the steps raise, or a model is unknown.
    """
    metric = metric_named(config.metric)
    recipes = read_recipes(config.models, config, config.detector)
    for recipe in recipes:
        resolved(recipe, 16000)  # a wrong model or field is found before any work is done
    with step_run("main", config.flat(), f"main {_name(config)}") as tracked:
        dataset = _prepare(config)
        tracked.log_params(data_params(dataset))
        evaluated = [_try(recipe, dataset) for recipe in recipes]
        best = max(evaluated, key=lambda e: metric.merit(e.evaluation.metrics.get(metric.name)))
        wish = PromoteConfig(
            model_uri=best.model.uri,
            data=str(dataset.root),
            metric=config.metric,
            min_gain=config.min_gain,
        )
        promote.run(wish, dataset)
        figures = {
            recipe.label: outcome.evaluation.metrics
            for recipe, outcome in zip(recipes, evaluated, strict=True)
        }
        evaluations.log_leaderboard(figures, tracked)
        champion = registry.champion()
        tracked.report(
            *leaderboard(figures),
            f"champion: {champion.name if champion else 'none'} ({registry.CHAMPION_URI})",
            "see the runs:  mlflow ui --port 5000",
            f"serve it:      {promote.SERVE}",
            "score a file:  mlflow run . -e score -P source=<file or folder>",
        )
    return evaluated


def _name(config: MainConfig) -> str:
    return Path(config.source).resolve().stem


def _prepare(config: MainConfig) -> Dataset:
    name = _name(config)
    demo = config.source == DEMO
    source = demo_source() / "recordings" if demo else Path(config.source)
    # Extracted, a track is the only one of its file; the data set has to know which it was.
    first = config.stream == 0
    if first and any(path.suffix.lower() in VIDEO_SUFFIXES for path in find_audio(source)):
        audio = WORK / f"{name}-audio"
        wish = {"source": str(source), "output": str(audio), "format": "flac", "overwrite": True}
        alike = {"skip_bad": config.skip_bad, "truncated": config.truncated}
        extract.run(ExtractConfig.parse({**wish, **alike}))
        source = audio
    clips = preprocess.cut(source, WORK / name, config, overwrite=True)
    noise = config.noise or (str(demo_source() / "noise") if demo else foreign_sounds(clips))
    if config.pitch:
        clips = _augment(
            clips, f"{name}-pitched", config, pitch=config.pitch, split=config.pitch_split
        )
    if noise:
        # At most half of the normal test clips.
        most = max(1, len(clips.split("test", "normal").clips) // 2)
        number = min(config.noise_count, most)
        clips = _augment(clips, f"{name}-noised", config, noise=noise, noise_count=number)
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


def _try(recipe: Recipe, dataset: Dataset) -> Evaluated:
    model = train.fit(recipe, dataset)
    wish = EvaluateConfig(model_uri=model.uri, data=str(dataset.root), seed=recipe.seed)
    return evaluate.run(wish, dataset)
