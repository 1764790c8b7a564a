"""From recordings to a champion: every step as a run below one parent."""

from collections.abc import Mapping
from pathlib import Path

from asd.config.recipe import Recipe
from asd.config.recipes import read_recipes
from asd.config.steps import (
    EvaluateConfig,
    MainConfig,
    PromoteConfig,
)
from asd.data.manifest import Dataset
from asd.evaluation.answer import answer_of, lead, ranked
from asd.evaluation.metric_table import metric_named
from asd.evaluation.report import leaderboard
from asd.pipeline.branches import resolved
from asd.steps import evaluate, promote, train
from asd.steps.evaluate import Evaluated
from asd.steps.prepare import machine_of, prepare
from asd.tracking import champions, evaluations, registry
from asd.tracking.lines import closing_lines
from asd.tracking.notes import describe_experiment, mistakes, write_answer
from asd.tracking.runs import step_run
from asd.tracking.tracked import data_params


def run(config: MainConfig) -> list[Evaluated]:
    """Extract, preprocess, augment, train and evaluate each model, and promote the best.

    The data sets in between are made anew below ``data/main/<machine>``.

    Raises
    ------
    AsdError
        What the steps raise, or a model is unknown.
    """
    metric = metric_named(config.metric)
    recipes = read_recipes(config.models, config, config.detector)
    for recipe in recipes:
        resolved(recipe, 16000)  # a wrong model or field is found before any work is done
    with step_run("main", config.flat()) as tracked:
        name = machine_of(config)
        tracked.rename(f"main {name}")
        dataset = prepare(config, name)
        tracked.log_params(data_params(dataset))
        tracked.log_input(dataset, "all")
        evaluated = [_try(recipe, dataset) for recipe in recipes]
        tried = dict(zip((recipe.label for recipe in recipes), evaluated, strict=True))
        figures = {label: one.evaluation.metrics for label, one in tried.items()}
        order = ranked(figures, metric.name)
        best = tried[order[0]]
        name = config.name or champions.default_name(dataset.name)
        wish = PromoteConfig(
            model_uri=best.model.uri,
            name=name,
            data=str(dataset.root),
            metric=config.metric,
            min_gain=config.min_gain,
        )
        promoted = promote.run(wish, dataset)
        figures = {label: figures[label] for label in order}
        evaluations.log_leaderboard(figures, dataset.name, tracked)
        champion = registry.champion(name)
        answer = _answer(tried, order, metric.name, promoted)
        written = [*answer, *mistakes(best.page), "", *leaderboard(figures)]
        write_answer(tracked, written, best.model)
        describe_experiment(tracked, written)
        tracked.report(
            *answer,
            *leaderboard(figures),
            *closing_lines(name, champion, _example(dataset)),
        )
    return evaluated


def _answer(
    tried: Mapping[str, Evaluated], order: list[str], metric: str, promoted: bool
) -> list[str]:
    """Which is best, by how much, whether that is real, what it misses, what to do."""
    best = tried[order[0]].evaluation
    tables = {label: one.evaluation.table for label, one in tried.items()}
    ahead = lead(tables, order, metric, best.seed, best.max_fpr)
    return answer_of(best, ahead, "champion" if promoted else "challenger")


def _example(dataset: Dataset) -> Path:
    """A clip to try the champion on: an anomalous one, where there is one."""
    test = dataset.split("test")
    clips = test.split("test", "anomaly").clips or test.clips
    return dataset.file(clips[0])


def _try(recipe: Recipe, dataset: Dataset) -> Evaluated:
    model = train.fit(recipe, dataset)
    wish = EvaluateConfig(model_uri=model.uri, data=str(dataset.root), seed=recipe.seed)
    return evaluate.run(wish, dataset)
