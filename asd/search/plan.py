"""What a study is to do, and what comes of its trials."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState

from asd.config.recipe import Recipe
from asd.config.search import Value
from asd.evaluation.metric_table import METRICS
from asd.search.space import Space, Values
from asd.tracking.tracked import TrackedRun

LOWER_IS_BETTER = frozenset(
    {"fit_seconds", "score_seconds"}
    | {name for name, metric in METRICS.items() if metric.better == "lower"}
)
"""Metrics of which less is better."""
SETTLED = "settled"
"""Attribute of a trial: `Trial.settled`, as plain values."""


@dataclass(frozen=True)
class Plan:
    """What a study is to do."""

    name: str
    storage: str
    """URL of a database; empty for a journal file on this machine."""
    detectors: tuple[str, ...]
    metrics: tuple[str, ...]
    """What is made best: one figure, or two for a Pareto front."""
    labels: tuple[str, ...]
    """What the metrics are called in runs and figures."""
    sampler: str
    pruner: str
    trials: int
    """How many trials there are to be in the end."""
    seed: int
    space: Space
    first: Sequence[Values] = ()
    """Points to try before the sampler chooses."""
    identity: Mapping[str, str] = field(default_factory=dict)
    """What must be the same whenever the study is gone on with."""

    @property
    def directions(self) -> list[Literal["minimize", "maximize"]]:
        """Which way each metric is better, in Optuna's words."""
        return ["minimize" if name in LOWER_IS_BETTER else "maximize" for name in self.metrics]

    @property
    def searched(self) -> Space:
        """The space as the sampler sees it."""
        return self.space.grid() if self.sampler == "grid" else self.space

    @property
    def total(self) -> int:
        """How many trials there can be: a grid comes to an end by itself."""
        return int(min(self.trials, self.space.size() if self.sampler == "grid" else math.inf))

    def make_sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        """The sampler that was asked for."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return _SAMPLERS[self.sampler](seed)

    def make_pruner(self) -> optuna.pruners.BasePruner:
        """The pruner that was asked for; there is none for two metrics at once."""
        return _PRUNERS[self.pruner if len(self.metrics) == 1 else "none"]()


@dataclass(frozen=True)
class Attempt:
    """A trial that is being run."""

    number: int
    values: Mapping[str, Value]
    tracked: TrackedRun
    report: Callable[[int, float], None]
    """Tell the loss of an epoch; ends the trial where it is not worth going on."""
    settle: Callable[[Recipe], None]
    """Tell as what the recipe is to be fitted again, see `Scorer.settled`."""


Objective = Callable[[Attempt], Sequence[float]]
"""Gives the figures of a trial in the order of `Plan.metrics`."""


@dataclass(frozen=True)
class Trial:
    """A trial that has come to an end."""

    number: int
    state: str
    """``complete``, ``pruned`` or ``fail``."""
    values: Mapping[str, Value]
    results: tuple[float, ...]
    """Empty where it was not completed."""
    settled: Recipe | None = None
    """As what its recipe is to be fitted again; not of studies of earlier releases."""

    @classmethod
    def of(cls, trial: FrozenTrial) -> "Trial":
        """Optuna's trial under its number among those that count."""
        number = int(trial.user_attrs.get("number", trial.number))
        complete = trial.state == TrialState.COMPLETE
        results = tuple(trial.values or ()) if complete else ()
        told = trial.user_attrs.get(SETTLED)
        settled = None if told is None else Recipe.parse(told)
        return cls(number, trial.state.name.lower(), trial.params, results, settled)


_SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    # The lie keeps processes that work at the same time from choosing the same values.
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, constant_liar=True),
    "cmaes": lambda seed: optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    # Unlike GridSampler it knows axes that are there under a condition only.
    "grid": lambda seed: optuna.samplers.BruteForceSampler(seed=seed),
}

_PRUNERS: dict[str, Callable[[], optuna.pruners.BasePruner]] = {
    "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=5),
    "hyperband": lambda: optuna.pruners.HyperbandPruner(min_resource=5),
    "none": optuna.pruners.NopPruner,
}
