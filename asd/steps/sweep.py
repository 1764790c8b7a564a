"""Search for the best recipe on the validation side, train it and test it once."""

import math
import os
import time
from collections.abc import Mapping
from typing import Any

from asd.config.steps import EvaluateConfig, SweepConfig
from asd.data.manifest import Dataset
from asd.data.opening import open_dataset
from asd.evaluation.answer import advice, answer_of
from asd.files import atomic_path
from asd.language import tr
from asd.search.runoff import Runoff
from asd.search.storage import STUDIES, check_secret, shown
from asd.search.study import Study
from asd.search.study_plots import study_figures
from asd.search.sweep import Sweep
from asd.search.validation import check_metrics
from asd.search.winner import find_winner
from asd.search.workers import run_trials
from asd.steps import evaluate, train
from asd.steps.evaluate import Evaluated
from asd.tracking.commands import step_command
from asd.tracking.notes import write_answer
from asd.tracking.runs import step_run
from asd.tracking.store import cache_root
from asd.tracking.tracked import TrackedRun, data_params

_SHOWN = ("auc", "auc_low", "auc_high", "pauc", "f1", "false_alarm_rate")


def run(config: SweepConfig) -> Evaluated | None:
    """Run trials until there are `trials`, then train the winner and evaluate it on the test side.

    The same command goes on with a sweep that was stopped in any way, and may be given on several
    machines at once where `storage` is a database. Only one of them trains the winner: the others
    return None, and so does a sweep that was over before. On a cluster each trial is a task.

    Raises
    ------
    AsdError
        A model, field, range or data set cannot be used, or no trial was completed.
    """
    check_metrics(config.metric)
    params = config.flat() | {"storage": shown(config.storage)}
    check_secret(config.storage, logged="MLFLOW_RUN_ID" in os.environ)
    with step_run("sweep", params) as tracked:
        dataset = open_dataset(config.data)
        sweep = Sweep(config, dataset, cache_root())
        study = Study(sweep.plan, tracked.run_id)
        tracked.rename(f"sweep {sweep.plan.name} on {dataset.name}")
        tracked.set_tags(study.tags)
        tracked.log_params(data_params(dataset))
        tracked.log_input(sweep.validation.train, "training")
        tracked.log_input(sweep.validation.normal, "validation")
        if study.done() and (outcome := study.outcome):
            _report_over(outcome, tracked)
            return None
        deadline = time.monotonic() + (config.timeout_s or math.inf)
        with study.joined():
            run_trials(sweep, study, tracked, deadline)
            if not study.leads():
                tracked.report(tr("the process that began this study trains the winner"))
                return None
            return _conclude(sweep, study, dataset, tracked)


def _conclude(sweep: Sweep, study: Study, dataset: Dataset, tracked: TrackedRun) -> Evaluated:
    """Train the winner as any other model, and look at the test side, once."""
    config = sweep.config
    winner = find_winner(study, sweep.candidates, sweep.validation, config, sweep.root)
    path = STUDIES / study.plan.name / "best.yaml"
    with atomic_path(path) as partial:
        partial.write_text(winner.recipe.to_yaml(), encoding="utf-8")
    tracked.log_files(path)
    tracked.log_figures(study_figures(study))
    tracked.log_metrics(sweep.figures(study))
    if winner.runoff:
        _log_runoff(winner.runoff, config.metric[0], tracked)
    model = train.fit(winner.recipe, dataset)
    wish = EvaluateConfig(model_uri=model.uri, max_fpr=config.max_fpr, seed=config.seed)
    evaluated = evaluate.run(wish, dataset)
    figures = evaluated.evaluation.metrics
    tracked.log_metrics({name: figures[name] for name in _SHOWN if name in figures})
    tracked.set_tags({"asd.winner": winner.label, "asd.model_uri": model.uri})
    lines = [*sweep.summary(study), *winner.lines(), tr("its settings are in {path}", path=path)]
    study.conclude({"model": model.uri, "lines": lines})
    step, _ = advice(evaluated.evaluation)
    answer = answer_of(evaluated.evaluation)
    write_answer(tracked, [*answer, "", *(f"- {line}" for line in lines)], model)
    command = step_command(step, model_uri=model.uri, data=str(dataset.root))
    tracked.report(*lines, *answer, after="" if step == "augment" else command)
    return evaluated


def _log_runoff(runoff: Runoff, metric: str, tracked: TrackedRun) -> None:
    tracked.log_text("\n".join(runoff.markdown(metric)) + "\n", "runoff.md")
    tracked.log_metrics(
        {
            f"runoff_{metric}": runoff.mean(runoff.winner),
            f"runoff_{metric}_incumbent": runoff.mean(runoff.incumbent),
            "runoff_folds": len(runoff.figures[runoff.incumbent]),
        }
    )


def _report_over(outcome: Mapping[str, Any], tracked: TrackedRun) -> None:
    tracked.set_tags({"asd.model_uri": outcome["model"]})
    over = tr(
        "this study is over; its model is {model}. Give more trials to go on with it, or another "
        "study to begin anew",
        model=outcome["model"],
    )
    tracked.report(*outcome["lines"], over)
