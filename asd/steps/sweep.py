"""Search for the best candidate on the validation side, train it and test it once."""

import logging
import math
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from asd.config.steps import EvaluateConfig, SweepConfig
from asd.data import audio, manifest
from asd.data.manifest import Dataset, atomic_path
from asd.steps import evaluate, train
from asd.steps.candidates import Candidates
from asd.steps.datasets import open_dataset
from asd.steps.evaluate import Evaluation
from asd.steps.runoff import Runoff
from asd.steps.validation import Validation
from asd.steps.winner import find_winner
from asd.tracking.plan import Attempt, Plan
from asd.tracking.runs import TrackedRun, data_params, step_run
from asd.tracking.storage import STUDIES, shown
from asd.tracking.store import cache_root
from asd.tracking.study import Study
from asd.tracking.study_plots import study_figures

logger = logging.getLogger(__name__)


def run(config: SweepConfig) -> Evaluation | None:
    """Run trials until there are `trials`, then train the winner and evaluate it on the test side.

    The same command goes on with a sweep that was stopped in any way, and may be given on several
    machines at once where `storage` is a database. Only one of them trains the winner: the others
    return None, and so does a sweep that was over before.

    Raises
    ------
    AsdError
        A model, field, range or data set cannot be used, or no trial was completed.
    """
    params = config.flat() | {"storage": shown(config.storage)}
    with step_run("sweep", params) as tracked:
        dataset = open_dataset(config.data)
        search = _Search(config, dataset)
        study = Study(search.plan, tracked.run_id)
        tracked.rename(f"sweep {search.plan.name}")
        tracked.set_tags(study.tags)
        tracked.log_params(data_params(dataset))
        tracked.log_input(search.validation.train, "training")
        tracked.log_input(search.validation.normal, "validation")
        if study.done() and study.outcome:
            _report_over(study, tracked)
            return None
        deadline = time.monotonic() + (config.timeout_s or math.inf)
        with study.joined():
            if config.jobs == 1:
                study.work(search.trial, deadline)
            else:
                with _helpers(config, study.plan.name, deadline) as alive:
                    study.watch(alive, deadline)
            if not study.leads():
                tracked.report("the process that began this study trains the winner")
                return None
            return _conclude(config, search, study, tracked)


class _Search:
    """What every process of a sweep works from."""

    def __init__(self, config: SweepConfig, dataset: Dataset) -> None:
        self.config = config
        self.dataset = dataset
        self.root = cache_root()
        rate = audio.probe(dataset.file(dataset.clips[0])).sample_rate
        self.candidates = Candidates(config, rate)
        self.validation = Validation.of(dataset, config.seed, self.root, config.metric)
        self.plan = self._plan(dataset)

    def trial(self, attempt: Attempt) -> list[float]:
        """Fit one candidate and give its figures, in the order of ``metric``."""
        started = time.perf_counter()
        candidate = self.candidates.candidate(attempt.values)
        attempt.tracked.rename(f"trial {attempt.number} {candidate.name}")
        attempt.tracked.log_params(candidate.params())
        history: dict[int, Mapping[str, float]] = {}

        def on_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
            history[epoch] = metrics
            if "valid_loss" in metrics:
                attempt.report(epoch, metrics["valid_loss"])

        figures: dict[str, float] = {}
        try:
            detector, cache, found = self.validation.fit(candidate, self.root, on_epoch)
            threshold, max_fpr = candidate.fit.threshold, self.config.max_fpr
            figures = found | self.validation.judge(detector, cache, threshold, max_fpr)
        finally:
            figures["seconds"] = time.perf_counter() - started
            # All at once: a trial writes little, and many may write to one store.
            attempt.tracked.log_history(history)
            attempt.tracked.log_metrics(self.validation.named(figures))
        metric = self.config.metric[0]
        logger.info(
            "trial %d: %s, %s %.4f, %.1f s", attempt.number, candidate.name,
            self.plan.labels[0], figures[metric], figures["seconds"],
        )  # fmt: skip
        return [figures[name] for name in self.config.metric]

    def _plan(self, dataset: Dataset) -> Plan:
        config = self.config
        name = "-".join([dataset.name, *config.model, *config.metric])
        return Plan(
            name=config.study or name,
            storage=config.storage,
            detectors=self.candidates.models,
            metrics=config.metric,
            labels=tuple(self.validation.named(dict.fromkeys(config.metric, 0.0))),
            sampler=config.sampler,
            pruner=config.pruner,
            trials=config.trials,
            seed=config.seed,
            space=self.candidates.space,
            first=self.candidates.defaults(),
            identity={
                "data.digest": dataset.digest,
                "model": ",".join(self.candidates.models),
                "metric": ",".join(config.metric),
                "seed": str(config.seed),
                "space": " ".join(str(axis) for axis in self.candidates.space.axes),
                "features": str(config.features.model_dump(exclude_unset=True)),
                "threshold": str(config.threshold.model_dump(exclude_unset=True)),
                "detector": str(dict(sorted(config.detector.items()))),
            },
        )


def _conclude(
    config: SweepConfig, search: _Search, study: Study, tracked: TrackedRun
) -> Evaluation:
    """Train the winner as any other model, and look at the test side, once."""
    winner = find_winner(study, search.candidates, search.validation, config, search.root)
    candidate = winner.candidate
    path = STUDIES / study.plan.name / "best.yaml"
    with atomic_path(path) as partial:
        partial.write_text(
            yaml.safe_dump(candidate.settings(config.data), sort_keys=False, allow_unicode=True),
            encoding="utf-8",
        )
    tracked.log_files(path)
    tracked.log_figures(study_figures(study))
    tracked.log_metrics(_figures(search, study))
    if winner.runoff:
        _log_runoff(winner.runoff, config.metric[0], tracked)
    fields = candidate.detector.model_dump()
    model = train.fit(candidate.name, fields, candidate.fit, search.dataset)
    evaluation = evaluate.run(
        EvaluateConfig(model_uri=model.uri, max_fpr=config.max_fpr, seed=config.seed),
        search.dataset,
    )
    shown_figures = ("auc", "auc_low", "auc_high", "pauc", "f1", "false_alarm_rate")
    tracked.log_metrics(
        {name: evaluation.metrics[name] for name in shown_figures if name in evaluation.metrics}
    )
    tracked.set_tags({"asd.winner": winner.label, "asd.model_uri": model.uri})
    lines = [*_summary(search, study), *winner.lines(), f"its settings are in {path}"]
    study.conclude({"model": model.uri, "lines": lines})
    tracked.report(*lines, after=f"mlflow run . -e promote -P model_uri={model.uri}")
    return evaluation


def _log_runoff(runoff: Runoff, metric: str, tracked: TrackedRun) -> None:
    tracked.log_text("\n".join(runoff.markdown(metric)) + "\n", "runoff.md")
    tracked.log_metrics(
        {
            f"runoff_{metric}": runoff.mean(runoff.winner),
            f"runoff_{metric}_incumbent": runoff.mean(runoff.incumbent),
            "runoff_folds": len(runoff.figures[runoff.incumbent]),
        }
    )


def _figures(search: _Search, study: Study) -> dict[str, float]:
    trials = study.trials()
    counts = {
        f"trials_{state}": sum(trial.state == state for trial in trials)
        for state in ("complete", "pruned", "fail")
    }
    best = dict(zip(study.plan.metrics, study.best().results, strict=True))
    named = {f"best_{key}": value for key, value in search.validation.named(best).items()}
    return {"trials": len(trials), **counts, **named}


def _summary(search: _Search, study: Study) -> list[str]:
    figures, best = _figures(search, study), study.best()
    named = zip(study.plan.labels, best.results, strict=True)
    results = ", ".join(f"{name} {value:.4f}" for name, value in named)
    values = ", ".join(f"{key}={value}" for key, value in sorted(best.values.items()))
    states = ", ".join(
        f"{figures[f'trials_{state}']:.0f} {word}"
        for state, word in (("complete", "complete"), ("pruned", "pruned"), ("fail", "failed"))
    )
    return [
        f"study {study.plan.name}: {figures['trials']:.0f} trials, {states}",
        f"best: trial {best.number}, {results}",
        f"with {values}" if values else "with its defaults",
    ]


def _report_over(study: Study, tracked: TrackedRun) -> None:
    found: Any = study.outcome
    tracked.set_tags({"asd.model_uri": found["model"]})
    tracked.report(
        *found["lines"],
        f"this study is over; its model is {found['model']}. Give more trials to go on with it, "
        "or another study to begin anew",
    )


@contextmanager
def _helpers(config: SweepConfig, study: str, deadline: float) -> Iterator[Any]:
    """As many processes as `jobs`, each with its share of the processors; gives who is alive."""
    context = multiprocessing.get_context("spawn")
    left = deadline - time.monotonic()
    wish = config.model_copy(update={"study": study})
    threads = max(1, (os.cpu_count() or 1) // config.jobs)
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(threads)
    helpers = [
        context.Process(target=_help, args=(wish, left), daemon=True) for _ in range(config.jobs)
    ]
    try:
        for helper in helpers:
            helper.start()
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
    try:
        yield lambda: any(helper.is_alive() for helper in helpers)
    finally:
        for helper in helpers:
            helper.terminate()
            helper.join()


def _help(config: SweepConfig, seconds: float) -> None:
    """Run trials until there are enough, or until the process that asked for help is gone."""
    _speak()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    asker = multiprocessing.parent_process()
    assert asker is not None
    search = _Search(config, manifest.load(Path(config.data)))
    study = Study(search.plan, None)

    def trial(attempt: Attempt) -> list[float]:
        if not asker.is_alive():
            raise SystemExit(1)
        return search.trial(attempt)

    with study.joined():
        study.work(trial, time.monotonic() + seconds)


def _speak() -> None:
    """Report to where the asker does."""
    reports = logging.getLogger("asd")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    reports.addHandler(handler)
    reports.setLevel(logging.INFO)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
