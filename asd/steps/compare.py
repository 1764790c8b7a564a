"""Many recipes on many data sets, fitted several times each: one table."""

from functools import partial
from pathlib import Path

from asd import cluster
from asd.config.recipe import Recipe
from asd.config.recipes import read_recipes
from asd.config.steps import CompareConfig, FitConfig
from asd.data.opening import open_dataset
from asd.evaluation import plots
from asd.evaluation.comparison import Comparison, check_comparable
from asd.evaluation.metrics import metric_key
from asd.language import tr
from asd.parallel import parallel_map
from asd.pipeline.branches import resolved
from asd.search.contenders import compute_features, contend
from asd.text import count
from asd.tracking.commands import step_command
from asd.tracking.notes import write_answer
from asd.tracking.runs import step_run
from asd.tracking.tasks import Place
from asd.tracking.tracked import TrackedRun


def run(config: CompareConfig) -> Comparison:
    """Fit every recipe on every data set with every seed, a nested run each.

    On a cluster each recipe on each data set is a task. Here they are fitted one after the other,
    since the seconds that they take are compared, too. The same command fits only those whose runs
    are not finished.

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
        contenders = [(recipe, dataset) for dataset in data for recipe in recipes]
        compute_features(contenders)
        task = partial(contend, config, Place.below(tracked))
        jobs = None if cluster.is_connected() else 1
        fits = parallel_map(task, contenders, tr("contenders"), jobs, at_once=1)
        comparison = Comparison(tuple(outcome for outcomes in fits for outcome in outcomes))
        answer = comparison.answer(config.seed, config.max_fpr)
        _log(comparison, tracked)
        write_answer(tracked, [*answer, *comparison.markdown()])
        again = sum(outcome.again for outcome in comparison.outcomes)
        kept = [tr("kept: {n} done before", n=count(again, "fit"))] if again else []
        lines = [*kept, *answer, *comparison.markdown()]
        tracked.report(*lines, after=_train(comparison, config))
    return comparison


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
