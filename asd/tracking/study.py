"""A sweep's study: which trials there are, who runs them, and which one won.

Any number of processes, on one machine or on many, may work on a study. It ends with exactly as
many trials as were asked for: a trial whose process dies is given back and run again, and of two
trials begun at once for the last place one is dropped.
"""

import logging
import math
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState, create_trial

from asd.errors import AsdError, ConfigError, TrackingError
from asd.tracking.presence import Presence
from asd.tracking.runs import TrackedRun
from asd.tracking.space import Space, Value, Values
from asd.tracking.storage import open_storage
from asd.tracking.trials import (
    STUDY_ID_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    WORKER_TAG,
    PrunedError,
    adopt,
    end_lost_runs,
    trial_run,
)

LOWER_IS_BETTER = frozenset({"fit_seconds", "score_seconds"})
_MANY_FAILURES = 5
_POLL_S = 1.0
_NAME_TAG = "mlflow.runName"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What a study is to do."""

    name: str
    storage: str
    """URL of a database; empty for a journal file on this machine."""
    detectors: tuple[str, ...]
    metrics: tuple[str, ...]
    """What is made best: one figure, or two for a Pareto front."""
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


@dataclass(frozen=True)
class Attempt:
    """A trial that is being run."""

    number: int
    values: Mapping[str, Value]
    tracked: TrackedRun
    report: Callable[[int, float], None]
    """Tell the loss of an epoch; ends the trial where it is not worth going on."""


@dataclass(frozen=True)
class Trial:
    """A trial that has come to an end."""

    number: int
    state: str
    values: Mapping[str, Value]
    results: tuple[float, ...]


Objective = Callable[[Attempt], Sequence[float]]


class Study:
    """A study in its storage, made where it is not there yet.

    Parameters
    ----------
    plan : Plan
        What to do.
    run_id : str, optional
        The MLflow run of this process, below which the trials may stand; a helper has none.

    Raises
    ------
    ConfigError
        The study was begun for something else.
    TrackingError
        The storage cannot be used.
    """

    def __init__(self, plan: Plan, run_id: str | None) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.plan = plan
        self._run_id = run_id
        self._tended = False
        self._current = -1
        self._stopped_by: BaseException | None = None
        self._space = plan.space.grid() if plan.sampler == "grid" else plan.space
        self._total = min(plan.trials, plan.space.size() if plan.sampler == "grid" else math.inf)
        self._storage = open_storage(plan.storage, plan.name)
        founded = self._open()
        self._presence = Presence(self._study)
        if founded:
            self._found()
        self._check_identity()
        self._choose_sampler(founded)

    @property
    def tags(self) -> dict[str, str]:
        """What the runs of this process are tagged with."""
        study_id = str(self._attribute("id"))
        worker = self._presence.name
        return {STUDY_TAG: self.plan.name, STUDY_ID_TAG: study_id, WORKER_TAG: worker}

    @contextmanager
    def joined(self) -> Iterator[None]:
        """The time in which this process counts as one that works on the study."""
        with self._presence:
            self._tend()
            yield

    def work(self, objective: Objective, deadline: float = math.inf) -> None:
        """Run trials until there are enough, by whomever, or until `deadline`.

        Parameters
        ----------
        objective : callable
            Gives the figures of a trial in the order of `Plan.metrics`.
        deadline : float
            Time, as of `time.monotonic`, after which no trial is begun or waited for.
        """
        while time.monotonic() < deadline and not self.done():
            self._tend()
            if self._place_left():
                self._run_one(objective)
            else:
                time.sleep(_POLL_S)

    def watch(self, alive: Callable[[], bool], deadline: float = math.inf) -> None:
        """Let others work until there are enough trials, giving back those of the dead.

        Parameters
        ----------
        alive : callable
            Whether there is still somebody to wait for.
        deadline : float
            Time, as of `time.monotonic`, after which nothing is given back any more.
        """
        while alive():
            time.sleep(_POLL_S)
            if time.monotonic() < deadline:
                self._tend()

    def done(self) -> bool:
        """Whether all trials have come to an end."""
        return sum(trial.state.is_finished() for trial in self._counted()) >= self._total

    def leads(self) -> bool:
        """Whether it is for this process to finish the study."""
        if not self._lead():
            return False
        parent, study_id = str(self._attribute("parent")), str(self._attribute("id"))
        adopt(study_id, parent)
        end_lost_runs(study_id, parent, self._presence.dead)
        return True

    def trials(self) -> list[Trial]:
        """All trials that have come to an end, by number."""
        return sorted(map(_plain, self._finished()), key=lambda trial: trial.number)

    def best(self) -> Trial:
        """The trial with the best figure; of equals, that with the better second, then the first.

        Raises
        ------
        TrackingError
            No trial was completed.
        """
        complete = [trial for trial in self._finished() if trial.state == TrialState.COMPLETE]
        if not complete:
            raise TrackingError(
                f"study={self.plan.name}: none of its trials was completed; the last one ended "
                f"with: {self._last_failure()}"
            )

        def rank(trial: Trial) -> tuple[float, ...]:
            return (*map(_cost, self.plan.metrics, trial.results), trial.number)

        return min(map(_plain, complete), key=rank)

    def front(self) -> list[Trial]:
        """The trials that no other beats in all metrics."""
        return sorted(map(_plain, self._study.best_trials), key=lambda trial: trial.number)

    @property
    def outcome(self) -> dict[str, Any] | None:
        """What `conclude` has kept for as many trials as there are now."""
        kept = self._attribute("outcome")
        same = kept is not None and kept["trials"] == len(self._finished())
        return kept["found"] if same else None

    def conclude(self, found: Mapping[str, Any]) -> None:
        """Keep what came out, for whoever gives the same command again."""
        self._study.set_user_attr(
            "outcome", {"trials": len(self._finished()), "found": dict(found)}
        )

    @property
    def optuna_study(self) -> optuna.Study:
        """Optuna's own study, for plots."""
        return self._study

    def _open(self) -> bool:
        directions = [
            "minimize" if name in LOWER_IS_BETTER else "maximize" for name in self.plan.metrics
        ]
        pruner = _PRUNERS[self.plan.pruner if len(directions) == 1 else "none"]()
        try:
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=self.plan.name,
                directions=directions,
                pruner=pruner,
            )
        except DuplicatedStudyError:
            self._study = optuna.load_study(
                storage=self._storage, study_name=self.plan.name, pruner=pruner
            )
            return False
        return True

    def _found(self) -> None:
        """What the process that has made the study does before all others."""
        self._study.set_user_attr("identity", dict(self.plan.identity))
        if self.plan.sampler != "grid":
            for values in self.plan.first[: self.plan.trials]:
                self._study.enqueue_trial(self._space.inside(values))
        self._study.set_user_attr("id", self._presence.name.rpartition("/")[2])

    def _check_identity(self) -> None:
        for _ in range(30):
            if self._attribute("id") is not None:
                break
            time.sleep(_POLL_S)
        else:
            raise TrackingError(
                f"study={self.plan.name}: its first process ended before it had begun; give "
                "another name"
            )
        before, now = self._attribute("identity"), self.plan.identity
        for key in sorted(before | now):
            if before.get(key) != now.get(key):
                raise ConfigError(
                    f"study={self.plan.name}: was begun with {key}={before.get(key)}, not "
                    f"{now.get(key)}; give the same again, or another name"
                )

    def _choose_sampler(self, founded: bool) -> None:
        """Seed it so that no process chooses what another, or an earlier one, has chosen."""
        begun = sum(trial.state != TrialState.WAITING for trial in self._all())
        leader = self._attribute("leader")
        alone = founded or (self._run_id and leader and self._presence.dead(leader))
        own = 0 if alone else zlib.crc32(self._presence.name.encode())
        sequence = np.random.SeedSequence([self.plan.seed, begun, own])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self._study.sampler = _SAMPLERS[self.plan.sampler](int(sequence.generate_state(1)[0]))

    def _lead(self) -> bool:
        """Whether this process leads: the first one does, and when it has died the next."""
        leader = self._attribute("leader")
        if leader == self._presence.name:
            return True
        if self._run_id is None or (leader is not None and not self._presence.dead(leader)):
            return False
        self._study.set_user_attr("parent", self._run_id)
        self._study.set_user_attr("leader", self._presence.name)
        adopt(str(self._attribute("id")), self._run_id)
        return True

    def _tend(self) -> None:
        """Take the lead where nobody has it, and give back the trials of the dead."""
        self._lead()
        lost = [trial for trial in self._all() if self._is_lost(trial)]
        for trial in lost:
            self._give_back(trial)
        parent = self._attribute("parent")
        if parent is not None and (lost or not self._tended):
            end_lost_runs(str(self._attribute("id")), parent, self._presence.dead)
            self._tended = True

    def _is_lost(self, trial: FrozenTrial) -> bool:
        if trial.state != TrialState.RUNNING:
            return False
        # Between its beginning and its first attribute a trial has no worker yet: it is watched
        # under a name of its own.
        return self._presence.dead(trial.user_attrs.get("worker", f"trial {trial.number}"))

    def _give_back(self, trial: FrozenTrial) -> None:
        """End a trial whose process is dead and put it in the queue again, once."""
        try:
            self._storage.set_trial_user_attr(trial._trial_id, "dropped", "lost")
            if not self._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL):
                return
        except UpdateFinishedTrialError:  # somebody else was faster
            return
        number = self._repeat(trial)
        logger.info("trial %d was cut short and is run again", number)

    def _repeat(self, trial: FrozenTrial) -> int:
        number = int(trial.user_attrs.get("number", trial.number))
        kept = {key: trial.user_attrs[key] for key in ("run",) if key in trial.user_attrs}
        # Chosen by hand or by an earlier sampler, its values are to be the same again.
        queued = {k: v for k, v in trial.system_attrs.items() if k == "fixed_params"}
        again = create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs={"number": number, **kept},
            system_attrs=queued,
        )
        self._study.add_trial(again)
        return number

    def _place_left(self) -> bool:
        counted = self._counted()
        waiting = any(trial.state == TrialState.WAITING for trial in counted)
        begun = sum(trial.state != TrialState.WAITING for trial in counted)
        return begun < self._total if waiting else len(counted) < self._total

    def _run_one(self, objective: Objective) -> None:
        def run(trial: optuna.Trial) -> Sequence[float]:
            return self._attempt(trial, objective)

        try:
            self._study.optimize(run, n_trials=1, catch=(AsdError, _DroppedError))
        except ValueError:  # Optuna cannot tell the end of a trial that has one already
            if not self._taken_away():
                raise
            logger.warning("no sign of life for too long: the trial was given to another process")
        if self._stopped_by is not None:
            raise self._stopped_by
        failed = [trial for trial in self._finished() if trial.state == TrialState.FAIL]
        if len(failed) >= _MANY_FAILURES and len(failed) == len(self._finished()):
            self.best()

    def _attempt(self, trial: optuna.Trial, objective: Objective) -> Sequence[float]:
        self._current = trial._trial_id
        trial.set_user_attr("worker", self._presence.name)
        if sum(other.number < trial.number for other in self._counted()) >= self._total:
            trial.set_user_attr("dropped", "surplus")
            raise _DroppedError
        try:
            return self._attempt_counted(trial, objective)
        except PrunedError as error:
            raise optuna.TrialPruned from error
        except AsdError as error:
            trial.set_user_attr("error", str(error))
            raise
        except BaseException as error:
            if self._taken_away():
                raise _DroppedError from error
            # Optuna would let a trial that is ended by SystemExit run for ever.
            self._stopped_by = error
            trial.set_user_attr("dropped", "interrupted")
            self._repeat(self._storage.get_trial(trial._trial_id))
            raise _DroppedError from error

    def _taken_away(self) -> bool:
        """Whether this process was taken for dead in its present trial."""
        return self._storage.get_trial(self._current).user_attrs.get("dropped") == "lost"

    def _attempt_counted(self, trial: optuna.Trial, objective: Objective) -> Sequence[float]:
        number = int(trial.user_attrs.get("number", trial.number))
        values = self._space.suggest(trial)

        def report(step: int, loss: float) -> None:
            if len(self.plan.metrics) > 1:
                return
            sign = 1.0 if self.plan.metrics[0] in LOWER_IS_BETTER else -1.0
            trial.report(sign * loss, step)
            if trial.should_prune():
                raise PrunedError

        tags = {TRIAL_TAG: str(number), _NAME_TAG: f"trial {number}", **self.tags}
        parent = str(self._attribute("parent"))
        with trial_run(parent, tags, trial.user_attrs.get("run")) as tracked:
            trial.set_user_attr("run", tracked.run_id)
            return objective(Attempt(number, values, tracked, report))

    def _attribute(self, key: str) -> Any:
        return self._study.user_attrs.get(key)

    def _all(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _counted(self) -> list[FrozenTrial]:
        """All trials, run or to be run, but for those that others have taken the place of."""
        return [
            trial
            for trial in self._all()
            if not (trial.state == TrialState.FAIL and "dropped" in trial.user_attrs)
        ]

    def _finished(self) -> list[FrozenTrial]:
        return [trial for trial in self._counted() if trial.state.is_finished()]

    def _last_failure(self) -> str:
        reasons = [trial.user_attrs.get("error") for trial in self._finished()]
        return next((str(reason) for reason in reversed(reasons) if reason), "pruned")


class _DroppedError(Exception):
    """The trial does not count: another takes its place."""


def _plain(trial: FrozenTrial) -> Trial:
    number = int(trial.user_attrs.get("number", trial.number))
    complete = trial.state == TrialState.COMPLETE
    results = tuple(trial.values or ()) if complete else ()
    return Trial(number, trial.state.name.lower(), trial.params, results)


def _cost(metric: str, value: float) -> float:
    return value if metric in LOWER_IS_BETTER else -value


_SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    # The lie keeps processes that work at the same time from choosing the same values.
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, constant_liar=True),
    "cmaes": lambda seed: optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "grid": lambda seed: optuna.samplers.BruteForceSampler(seed=seed),
}

_PRUNERS: dict[str, Callable[[], optuna.pruners.BasePruner]] = {
    "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=5),
    "hyperband": lambda: optuna.pruners.HyperbandPruner(min_resource=5),
    "none": optuna.pruners.NopPruner,
}
