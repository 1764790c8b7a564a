"""The contenders of a comparison: recipes on data sets, each fitted with several seeds."""

import time
from collections.abc import Iterable

import numpy as np

from asd.config.recipe import Recipe
from asd.config.steps import CompareConfig
from asd.data.manifest import Dataset
from asd.data.sound import sound_of
from asd.evaluation.answer import answer_of
from asd.evaluation.comparison import Outcome, labelled, megabytes
from asd.evaluation.evaluation import evaluate
from asd.language import Remark
from asd.pipeline.branches import make_front_end, resolved
from asd.pipeline.pipeline import Pipeline
from asd.tracking.outcomes import STEP, fit_params, log_outcome, outcome_before
from asd.tracking.runs import step_run
from asd.tracking.store import feature_store
from asd.tracking.tasks import Place

Contender = tuple[Recipe, Dataset]
"""A recipe, and what it is fitted on and judged by."""


def contend(config: CompareConfig, place: Place, contender: Contender) -> list[Outcome]:
    """Fit a recipe on a data set with every seed, a run each, but for what was done before.

    A recipe with the same scores for the first two seeds does not depend on it: no further fits.

    Parameters
    ----------
    config : CompareConfig
        Of the comparison.
    place : Place
        Where the runs are to stand, from any process.
    contender : Contender
        The recipe and the data set.

    Raises
    ------
    AsdError
        It cannot be fitted.
    """
    place.enter()
    recipe, dataset = contender
    outcomes: list[Outcome] = []
    for number in range(config.seeds):
        seeded = recipe.model_copy(update={"seed": config.seed + number})
        full = resolved(seeded, sound_of(dataset).sample_rate)
        before = outcome_before(full, dataset, config.max_fpr, place.parent)
        outcomes.append(before or _fit(full, dataset, config.max_fpr, place.parent))
        if number and _score_alike(outcomes[0], outcomes[-1]):
            break
    return outcomes


def compute_features(contenders: Iterable[Contender]) -> None:
    """Compute the features of all: they are no part of anybody's seconds, and some share them."""
    store = feature_store()
    for recipe, dataset in contenders:
        full = resolved(recipe, sound_of(dataset).sample_rate)
        for branch in full.branches:
            store.features(labelled(dataset), make_front_end(branch))


def _fit(recipe: Recipe, dataset: Dataset, max_fpr: float, parent: str) -> Outcome:
    name = f"{recipe.label} on {dataset.name}, seed {recipe.seed}"
    with step_run(STEP, fit_params(recipe, dataset), name, parent) as tracked:
        store, known = feature_store(), labelled(dataset)
        started = time.perf_counter()
        pipeline, report = Pipeline.fit(recipe, known.split("train"), known.split("valid"), store)
        seconds = time.perf_counter() - started - report.calibration_seconds
        evaluation = evaluate(recipe.label, pipeline, known, store, max_fpr)
        outcome = Outcome(
            model=recipe.label,
            data=dataset.name,
            seed=recipe.seed,
            metrics=evaluation.metrics,
            fit_seconds=seconds,
            score_seconds=evaluation.metrics["score_seconds"],
            megabytes=megabytes(pipeline),
            table=evaluation.table,
            told=Remark.of(lambda: "\n".join(answer_of(evaluation, kept="nothing"))),
        )
        tracked.log_input(known.split("test"), "testing")
        log_outcome(tracked, outcome, evaluation.table, max_fpr)
    return outcome


def _score_alike(one: Outcome, other: Outcome) -> bool:
    if one.table is None or other.table is None:
        return False
    return np.array_equal(one.table.scores, other.table.scores)
