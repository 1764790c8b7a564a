"""A sweep's study: who works on it, who leads, and which trial won.

Any number of processes, on one machine or on many, may work on a study, and any of them may die.
"""

import logging
import math
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from asd.config.recipe import Recipe
from asd.errors import AsdError, TrackingError
from asd.language import tr
from asd.search.founding import check_identity, found, open_study
from asd.search.heartbeat import Heartbeat
from asd.search.plan import LOWER_IS_BETTER, SETTLED, Attempt, Objective, Plan, Trial
from asd.search.queue import RUN, Queue
from asd.search.storage import open_storage
from asd.tracking.models import known
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

_MANY_FAILURES = 5
_POLL_S = 1.0
_NAME_TAG = "mlflow.runName"

logger = logging.getLogger(__name__)


class Study:
    """A study in its storage, made where it is not there yet.

    Parameters
    ----------
    plan : Plan
        What to do.
    run_id : str, optional
        The MLflow run of this process, below which the trials may stand; a helper has none.

    Attributes
    ----------
    plan : Plan
        What to do.
    optuna_study : optuna.Study
        Optuna's own study.

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
        self._tidied = False
        self._current = -1
        self._stopped_by: BaseException | None = None
        storage = open_storage(plan.storage, plan.name)
        self.optuna_study, founder = open_study(plan, storage)
        self._heartbeat = Heartbeat(self.optuna_study)
        self._queue = Queue(self.optuna_study, storage, self._heartbeat, plan.total)
        if founder:
            found(self.optuna_study, plan)
        check_identity(self.optuna_study, plan)
        self.optuna_study.sampler = plan.make_sampler(self._seed(founder))

    @property
    def tags(self) -> dict[str, str]:
        """What the runs of this process are tagged with."""
        worker = self._heartbeat.name
        return {STUDY_TAG: self.plan.name, STUDY_ID_TAG: self._id, WORKER_TAG: worker}

    @contextmanager
    def joined(self) -> Iterator[None]:
        """The time in which this process counts as one that works on the study."""
        with self._heartbeat:
            self._tend()
            yield

    def work(
        self, objective: Objective, deadline: float = math.inf, most: float = math.inf
    ) -> None:
        """Run trials until there are enough, by whomever, or until `deadline`.

        Parameters
        ----------
        objective : callable
            Runs one trial.
        deadline : float
            Time, as of `time.monotonic`, after which no trial is begun or waited for.
        most : float
            How many this process runs to their end.
        """
        run = 0
        while run < most and time.monotonic() < deadline and not self.done():
            self._tend()
            if self._queue.place_left():
                run += self._run_one(objective)
            else:
                time.sleep(_POLL_S)

    def watch(self, alive: Callable[[], bool], deadline: float = math.inf) -> None:
        """Let others work, giving back the trials of those that die.

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
        return not self.left()

    def left(self) -> int:
        """How many trials have not come to an end yet, begun or not."""
        return self._queue.left()

    def leads(self) -> bool:
        """Whether it is for this process to finish the study; if so, all runs are put in order."""
        if not self._lead():
            return False
        adopt(self._id, str(self._attribute("parent")))
        self._tidy()
        return True

    def trials(self) -> list[Trial]:
        """All trials that have come to an end, by number."""
        return sorted(map(Trial.of, self._queue.finished()), key=lambda trial: trial.number)

    def best(self) -> Trial:
        """The first of `ranked`."""
        return self.ranked()[0]

    def ranked(self) -> list[Trial]:
        """Completed trials, best figure first; of equals, the better second, then the earlier.

        Raises
        ------
        TrackingError
            No trial was completed.
        """
        complete = [trial for trial in self.trials() if trial.results]
        if not complete:
            raise TrackingError(
                tr(
                    "study={name}: none of its {n} trials was completed; the last one "
                    "ended with: {last_failure}",
                    name=self.plan.name,
                    n=len(self.trials()),
                    last_failure=self._last_failure(),
                )
            )

        def rank(trial: Trial) -> tuple[float, ...]:
            costs = (
                value if name in LOWER_IS_BETTER else -value
                for name, value in zip(self.plan.metrics, trial.results, strict=True)
            )
            return (*costs, trial.number)

        return sorted(complete, key=rank)

    def front(self) -> list[Trial]:
        """The trials that no other beats in all metrics."""
        best = map(Trial.of, self.optuna_study.best_trials)
        return sorted(best, key=lambda trial: trial.number)

    @property
    def outcome(self) -> Mapping[str, Any] | None:
        """What `conclude` has kept, where there has been no further trial since.

        None as well where this MLflow store does not have its model: it may have been removed.
        """
        kept = self._attribute("outcome")
        if kept is None or kept["trials"] != len(self.trials()):
            return None
        if not known(kept["found"]["model"]):
            logger.warning(
                tr("the model of this study is not in this store; its winner is trained again")
            )
            return None
        return dict(kept["found"])

    def conclude(self, result: Mapping[str, Any]) -> None:
        """Keep what came out, for whoever gives the same command again."""
        outcome = {"trials": len(self.trials()), "found": dict(result)}
        self.optuna_study.set_user_attr("outcome", outcome)

    def _seed(self, founder: bool) -> int:
        """A seed with which no process chooses what another, or an earlier one, has chosen."""
        trials = self.optuna_study.get_trials(deepcopy=False)
        begun = sum(trial.state != TrialState.WAITING for trial in trials)
        leader = self._attribute("leader")
        alone = founder or (self._run_id and leader and self._heartbeat.dead(leader))
        own = 0 if alone else zlib.crc32(self._heartbeat.name.encode())
        return int(np.random.SeedSequence([self.plan.seed, begun, own]).generate_state(1)[0])

    def _lead(self) -> bool:
        """Whether this process leads: the first one does, and when it has died the next."""
        leader = self._attribute("leader")
        if leader == self._heartbeat.name:
            return True
        if self._run_id is None or (leader is not None and not self._heartbeat.dead(leader)):
            return False
        self.optuna_study.set_user_attr("parent", self._run_id)
        self.optuna_study.set_user_attr("leader", self._heartbeat.name)
        adopt(self._id, self._run_id)
        return True

    def _tend(self) -> None:
        """Take the lead where nobody has it, and give back the trials of the dead."""
        self._lead()
        if self._queue.give_back_lost() or not self._tidied:
            self._tidy()

    def _tidy(self) -> None:
        if parent := self._attribute("parent"):
            end_lost_runs(self._id, parent, self._heartbeat.killed)
            self._tidied = True

    def _run_one(self, objective: Objective) -> bool:
        """Run a trial; false where it does not count in the end."""

        def run(trial: optuna.Trial) -> Sequence[float]:
            return self._attempt(trial, objective)

        try:
            self.optuna_study.optimize(run, n_trials=1, catch=(AsdError, _DroppedError))
        except ValueError:  # Optuna cannot tell the end of a trial that has one already
            if not self._queue.taken_away(self._current):
                raise
            logger.warning("no sign of life for too long: the trial was given to another process")
        if self._stopped_by is not None:
            raise self._stopped_by
        ended = self._queue.finished()
        if len(ended) >= _MANY_FAILURES and all(t.state == TrialState.FAIL for t in ended):
            self.best()  # says why there is none
        return not self._queue.dropped(self._current)

    def _attempt(self, trial: optuna.Trial, objective: Objective) -> Sequence[float]:
        self._current = trial._trial_id
        number = self._queue.begin(trial)
        if number is None:
            raise _DroppedError
        try:
            return self._attempt_counted(number, trial, objective)
        except PrunedError as error:
            logger.info("trial %d: pruned", number)
            raise optuna.TrialPruned from error
        except AsdError as error:
            trial.set_user_attr("error", str(error))
            logger.warning("trial %d failed: %s", number, error)
            raise
        except BaseException as error:
            if not self._queue.taken_away(trial._trial_id):
                # Optuna would let a trial that is ended by SystemExit run for ever.
                self._stopped_by = error
                self._queue.give_back(trial)
            raise _DroppedError from error

    def _attempt_counted(
        self, number: int, trial: optuna.Trial, objective: Objective
    ) -> Sequence[float]:
        values = self.plan.searched.suggest(trial)

        def report(step: int, loss: float) -> None:
            if len(self.plan.metrics) > 1:
                return
            # Optuna takes what is reported to be better the same way as the result.
            sign = 1.0 if self.plan.metrics[0] in LOWER_IS_BETTER else -1.0
            trial.report(sign * loss, step)
            if trial.should_prune():
                raise PrunedError

        def settle(recipe: Recipe) -> None:
            trial.set_user_attr(SETTLED, recipe.model_dump(mode="json"))

        tags = {TRIAL_TAG: str(number), _NAME_TAG: f"trial {number}", **self.tags}
        parent = str(self._attribute("parent"))
        with trial_run(parent, tags, trial.user_attrs.get(RUN)) as tracked:
            trial.set_user_attr(RUN, tracked.run_id)
            return objective(Attempt(number, values, tracked, report, settle))

    @property
    def _id(self) -> str:
        return str(self._attribute("id"))

    def _attribute(self, key: str) -> Any:
        return self.optuna_study.user_attrs.get(key)

    def _last_failure(self) -> str:
        reasons = [trial.user_attrs.get("error") for trial in self._queue.finished()]
        return next((str(reason) for reason in reversed(reasons) if reason), "pruned")


class _DroppedError(Exception):
    """The trial does not count: another takes its place."""
