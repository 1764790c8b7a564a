"""Many recipes on many data sets, fitted several times each: one table."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from asd.arrays import Scores
from asd.config.recipe import Recipe
from asd.config.recipes import read_recipes
from asd.config.steps import CompareConfig, FitConfig
from asd.data.manifest import Dataset
from asd.data.opening import open_dataset
from asd.data.sound import sound_of
from asd.evaluation import plots
from asd.evaluation.answer import answer_of
from asd.evaluation.comparison import Comparison, Outcome, check_comparable, megabytes
from asd.evaluation.evaluation import evaluate
from asd.evaluation.metrics import metric_key
from asd.pipeline.branches import make_front_end, resolved
from asd.pipeline.pipeline import Pipeline
from asd.tracking.commands import step_command
from asd.tracking.notes import write_answer
from asd.tracking.runs import step_run
from asd.tracking.store import feature_store
from asd.tracking.tracked import TrackedRun, data_params


def run(config: CompareConfig) -> Comparison:
    """Fit every recipe on every data set with every seed, a nested run each.

    A recipe with the same scores for the first two seeds does not depend on it: no further fits.

    Raises
    ------
    AsdError
        A detector, its settings or a data set cannot be used.
    """
    with step_run("compare", config.flat()) as tracked:
        recipes = _recipes(config)
        for recipe in recipes:
            resolved(recipe, 16000)  # a wrong field is found before any work is done
        data = [open_dataset(path) for path in config.data]
        check_comparable([recipe.label for recipe in recipes], data)
        outcomes = [
            outcome
            for dataset in data
            for recipe in recipes
            for outcome in _outcomes(recipe, dataset, config)
        ]
        comparison = Comparison(tuple(outcomes))
        answer = comparison.answer(config.seed, config.max_fpr)
        _log(comparison, tracked)
        write_answer(tracked, [*answer, *comparison.markdown()])
        tracked.report(*answer, *comparison.markdown(), after=_train(comparison, config))
    return comparison


def _outcomes(recipe: Recipe, dataset: Dataset, config: CompareConfig) -> Iterator[Outcome]:
    first: Scores | None = None
    for number in range(config.seeds):
        seeded = recipe.model_copy(update={"seed": config.seed + number})
        outcome, scores = _fit_and_score(seeded, dataset, config.max_fpr)
        yield outcome
        if first is not None and np.array_equal(first, scores):
            return
        first = scores if first is None else first


def _fit_and_score(recipe: Recipe, dataset: Dataset, max_fpr: float) -> tuple[Outcome, Scores]:
    full = resolved(recipe, sound_of(dataset).sample_rate)
    params = {"model": full.label, **full.flat(), **data_params(dataset)}
    name = f"{full.label} on {dataset.name}, seed {full.seed}"
    with step_run("compare one", params, name) as tracked:
        store = feature_store()
        known = dataset.select(lambda clip: clip.label != "unknown")
        # Features are the same for all; computed here, they are not part of anybody's seconds.
        for branch in full.branches:
            store.features(known, make_front_end(branch))
        started = time.perf_counter()
        pipeline, report = Pipeline.fit(full, known.split("train"), known.split("valid"), store)
        seconds = time.perf_counter() - started - report.calibration_seconds
        evaluation = evaluate(full.label, pipeline, known, store, max_fpr)
        outcome = Outcome(
            model=full.label,
            data=dataset.name,
            seed=full.seed,
            metrics=evaluation.metrics,
            fit_seconds=seconds,
            score_seconds=evaluation.metrics["score_seconds"],
            megabytes=megabytes(pipeline),
            table=evaluation.table,
            told=tuple(answer_of(evaluation, kept="nothing")),
        )
        tracked.log_input(known.split("test"), "testing")
        tracked.log_metrics(outcome.figures())
    return outcome, evaluation.table.scores


def _train(comparison: Comparison, config: CompareConfig) -> str:
    """The command that trains the best: on the first data set, which is as good as any."""
    best = dict(zip((r.label for r in _recipes(config)), config.models, strict=True))
    word = best[comparison.models[0]]
    key = "config" if Path(word).suffix else "model"
    return step_command("train", **{key: word}, data=config.data[0])


def _recipes(config: CompareConfig) -> list[Recipe]:
    shared = FitConfig(features=config.features, seed=config.seed)
    return read_recipes(config.models, shared, {})


def _log(comparison: Comparison, tracked: TrackedRun) -> None:
    tracked.log_metrics(comparison.figures())
    tracked.log_text("\n".join(comparison.markdown()) + "\n", "comparison.md")
    tracked.log_figures({"comparison": plots.heatmap(comparison)})
    for data in comparison.data:
        name = f"leaderboard_{metric_key(data)}"
        tracked.log_figures({name: plots.leaderboard(comparison.first_fits(data), data)})
