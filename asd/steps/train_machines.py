"""A detector for each of many machines: a run a machine, done once."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from asd.config.recipe import Recipe
from asd.config.recipes import read_recipes
from asd.config.steps import EvaluateConfig, TrainMachinesConfig
from asd.data.manifest import Dataset
from asd.data.opening import open_machines
from asd.data.sound import sound_of
from asd.errors import AsdError, DataError, OutputError, WorkerError
from asd.language import tr
from asd.parallel import parallel_map
from asd.pipeline.branches import resolved
from asd.steps import evaluate, train
from asd.text import count, markdown_table, some
from asd.tracking.machines import MODEL_URI_TAG, STEP, Trained, done_before, machine_params
from asd.tracking.runs import step_run
from asd.tracking.tasks import Place

_SHOWN = ("threshold", "auc", "pauc", "recall", "false_alarm_rate")


def run(config: TrainMachinesConfig) -> list[Trained]:
    """Fit the recipe on each machine, and evaluate it on the machine's test clips.

    The machines are shared among the processes of this machine, or of a cluster. Each is a run
    below that of this step, with those of its training and evaluation below it. The same command
    does again only what is not done, or has failed.

    Raises
    ------
    AsdError
        The model, a field or a data set cannot be used, or machines have no detector in the end;
        the others are kept.
    """
    fields = {config.model: config.detector} if config.detector else {}
    [recipe] = read_recipes([config.model], config, fields)
    resolved(recipe, 16000)  # a wrong field is found before any work is done
    with step_run("train_machines", config.flat()) as tracked:
        machines = open_machines(config.data)
        tracked.rename(f"train {recipe.label} on {count(len(machines), 'machine')}")
        done = done_before(tracked, [(one, _params(recipe, one)) for one in machines])
        todo = [one for one in machines if one.name not in done]
        task = partial(_train, recipe, Place.below(tracked))
        done |= {one.name: one for one in parallel_map(task, todo, tr("machines"), at_once=1)}
        trained = [done[one.name] for one in machines]
        good = [one for one in trained if not one.error]
        again, bad = sum(one.again for one in trained), [one for one in trained if one.error]
        counts = {"machines": len(trained), "machines_failed": len(bad), "machines_kept": again}
        tracked.log_metrics(counts)
        table = _table(good)
        tracked.log_text("\n".join(table) + "\n", "machines.md")
        kept = [tr("kept: {n} done before", n=count(again, "machine"))] if again else []
        tracked.report(f"a detector for each of {count(len(good), 'machine')}", *kept, *table)
        if bad:
            reasons = some([f"{one.name}: {one.error}" for one in bad])
            raise DataError(
                tr(
                    "{n} of {machines} have no detector: {reasons}; mend them and give "
                    "the command again, the others are kept",
                    n=len(bad),
                    machines=count(len(trained), "machine"),
                    reasons=reasons,
                )
            )
    return trained


def _train(recipe: Recipe, place: Place, dataset: Dataset) -> Trained:
    place.enter()
    try:
        return _in_run(recipe, place.parent, dataset)
    except (OutputError, WorkerError):
        raise
    except AsdError as error:
        return Trained(dataset.name, error=str(error))


def _in_run(recipe: Recipe, parent: str, dataset: Dataset) -> Trained:
    params = _params(recipe, dataset)
    with step_run(STEP, params, f"{recipe.label} for {dataset.name}", parent) as tracked:
        model = train.fit(recipe, dataset)
        metrics: dict[str, float] = {}
        if dataset.split("test").clips:
            wish = EvaluateConfig(model_uri=model.uri, seed=recipe.seed)
            metrics = dict(evaluate.run(wish, dataset).evaluation.metrics)
        shown = {name: metrics[name] for name in _SHOWN if name in metrics}
        tracked.log_metrics(shown)
        tracked.set_tags({MODEL_URI_TAG: model.uri})
    return Trained(dataset.name, model.uri, shown)


def _params(recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    return machine_params(resolved(recipe, sound_of(dataset).sample_rate).flat(), dataset)


def _table(trained: Sequence[Trained]) -> list[str]:
    rows = []
    for one in trained:
        figures = [f"{one.metrics[key]:.3f}" if key in one.metrics else "" for key in _SHOWN]
        rows.append([one.name, *figures, one.model_uri])
    columns = [tr("machine"), *(name.replace("_", " ") for name in _SHOWN), tr("model")]
    return markdown_table(columns, rows)
