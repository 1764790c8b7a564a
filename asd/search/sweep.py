"""What every process of a sweep works from: what may be tried, and how a trial is run."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from asd.config.steps import SweepConfig
from asd.data.manifest import Dataset
from asd.data.sound import sound_of
from asd.detectors.base import FitContext
from asd.features.store import FeatureStore
from asd.language import tr
from asd.search.candidates import Candidates
from asd.search.plan import Attempt, Plan
from asd.search.study import Study
from asd.search.validation import Validation

logger = logging.getLogger(__name__)


class Sweep:
    """The trials of a sweep.

    Parameters
    ----------
    config : SweepConfig
        What the user asked for.
    dataset : Dataset
        Its test side is not looked at.
    root : Path
        Folder of the feature store.

    Attributes
    ----------
    candidates : Candidates
        What may be tried.
    validation : Validation
        What trials are compared on.
    plan : Plan
        What the study is to do.
    """

    def __init__(self, config: SweepConfig, dataset: Dataset, root: Path) -> None:
        self.config = config
        self.root = root
        self.candidates = Candidates(config, sound_of(dataset).sample_rate)
        self.validation = Validation.of(dataset, config.seed, root, config.metric)
        self.plan = self._plan(dataset)

    def trial(self, attempt: Attempt) -> list[float]:
        """Fit one recipe and give its figures, in the order of ``metric``."""
        started = time.perf_counter()
        recipe = self.candidates.recipe(attempt.values)
        attempt.tracked.rename(f"trial {attempt.number} {recipe.label}")
        attempt.tracked.log_params(recipe.flat())
        history: dict[int, Mapping[str, float]] = {}

        def on_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
            history[epoch] = metrics
            if "valid_loss" in metrics:
                attempt.report(epoch, metrics["valid_loss"])

        figures: dict[str, float] = {}
        store = FeatureStore(self.root).remembering()
        try:
            scorer, seconds = self.validation.fit(recipe, store, FitContext(on_epoch))
            attempt.settle(scorer.settled(recipe))
            threshold, max_fpr = recipe.threshold, self.config.max_fpr
            figures = seconds | self.validation.judge(scorer, threshold, store, max_fpr)
        finally:
            figures["seconds"] = time.perf_counter() - started
            # All at once: a trial writes little, and many may write to one store.
            attempt.tracked.log_history(history)
            attempt.tracked.log_metrics(self.validation.named(figures))
        metric = self.config.metric[0]
        logger.info(
            "trial %d: %s, %s %.4f, %.1f s", attempt.number, recipe.label,
            self.plan.labels[0], figures[metric], figures["seconds"],
        )  # fmt: skip
        return [figures[name] for name in self.config.metric]

    def figures(self, study: Study) -> dict[str, float]:
        """How many trials came to which end, and the figures of the best."""
        trials = study.trials()
        counts = {
            f"trials_{state}": sum(trial.state == state for trial in trials)
            for state in ("complete", "pruned", "fail")
        }
        best = dict(zip(study.plan.metrics, study.best().results, strict=True))
        named = {f"best_{key}": value for key, value in self.validation.named(best).items()}
        return {"trials": len(trials), **counts, **named}

    def summary(self, study: Study) -> list[str]:
        """The same in words."""
        figures, best = self.figures(study), study.best()
        named = zip(study.plan.labels, best.results, strict=True)
        results = ", ".join(f"{name} {value:.4f}" for name, value in named)
        values = ", ".join(f"{key}={value}" for key, value in sorted(best.values.items()))
        states = ", ".join(
            f"{figures[f'trials_{state}']:.0f} {word}"
            for state, word in (("complete", "complete"), ("pruned", "pruned"), ("fail", "failed"))
        )
        return [
            tr(
                "study {study}: {n:.0f} trials, {states}",
                study=study.plan.name,
                n=figures["trials"],
                states=states,
            ),
            tr("best: trial {trial}, {results}", trial=best.number, results=results),
            tr("with {values}", values=values) if values else tr("with its defaults"),
        ]

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
                "features": str(dict(sorted(config.features.items()))),
                "threshold": str(config.threshold.model_dump(exclude_unset=True)),
                "detector": str(dict(sorted(config.detector.items()))),
            },
        )
