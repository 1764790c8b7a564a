"""The trials of a study, counted so that there are neither too few nor too many."""

import logging

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from asd.search.heartbeat import Heartbeat

WORKER = "worker"
"""Attribute of a trial: which process runs it."""
RUN = "run"
"""Attribute of a trial: its MLflow run."""
NUMBER = "number"
"""Attribute of a trial: its number among those that count."""
_AGAIN = "again"
"""Attribute of a trial that takes the place, and the number, of one that was cut short."""
_DROPPED = "dropped"
_LOST = "lost"
_SURPLUS = "surplus"

logger = logging.getLogger(__name__)


class Queue:
    """Who may begin a trial, and what becomes of those that were cut short.

    Optuna gives each trial a number of its own, even where many processes ask at once. A trial
    counts when fewer than `total` that count were begun before it; one that does not is dropped.
    So is one whose process has died, and its values go to the end of the queue.

    Parameters
    ----------
    study : optuna.Study
        Whose trials they are.
    storage : BaseStorage
        Where it is kept.
    heartbeat : Heartbeat
        Who is alive.
    total : int
        How many trials there are to be.
    """

    def __init__(
        self, study: optuna.Study, storage: BaseStorage, heartbeat: Heartbeat, total: int
    ) -> None:
        self._study = study
        self._storage = storage
        self._heartbeat = heartbeat
        self._total = total

    def counted(self) -> list[FrozenTrial]:
        """All trials, run or to be run, but for those that others take the place of."""
        return [
            trial
            for trial in self._study.get_trials(deepcopy=False)
            if not (trial.state == TrialState.FAIL and _DROPPED in trial.user_attrs)
        ]

    def finished(self) -> list[FrozenTrial]:
        """Those of them that have come to an end."""
        return [trial for trial in self.counted() if trial.state.is_finished()]

    def left(self) -> int:
        """How many have not come to an end yet, begun or not."""
        return max(0, self._total - len(self.finished()))

    def place_left(self) -> bool:
        """Whether one more may be begun."""
        counted = self.counted()
        waiting = sum(trial.state == TrialState.WAITING for trial in counted)
        begun = len(counted) - waiting
        return begun < self._total and (waiting > 0 or len(counted) < self._total)

    def begin(self, trial: optuna.Trial) -> int | None:
        """Take a trial for this process.

        Returns
        -------
        int or None
            Its number among those that count, from 0, which it keeps when it is run again; None
            where there are enough already, and it is dropped.
        """
        trial.set_user_attr(WORKER, self._heartbeat.name)
        number = self._number(trial)
        if number >= self._total:
            trial.set_user_attr(_DROPPED, _SURPLUS)
            return None
        trial.set_user_attr(NUMBER, number)
        return number

    def give_back(self, trial: optuna.Trial) -> None:
        """Queue the values of a trial of this process that is interrupted; its end is to follow."""
        trial.set_user_attr(_DROPPED, "interrupted")
        self._repeat(self._storage.get_trial(trial._trial_id))

    def give_back_lost(self) -> bool:
        """End the trials whose processes have died and queue their values; true if any."""
        lost = [trial for trial in self.counted() if self._is_lost(trial)]
        for trial in lost:
            surplus = self._number(trial) >= self._total
            try:
                reason = _SURPLUS if surplus else _LOST
                self._storage.set_trial_user_attr(trial._trial_id, _DROPPED, reason)
                self._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
            except UpdateFinishedTrialError:  # somebody else was faster
                continue
            if not surplus:
                number = self._repeat(trial)
                logger.info("trial %d was cut short and is run again", number)
        return bool(lost)

    def taken_away(self, trial_id: int) -> bool:
        """Whether a trial of this process was given to another, which took this one for dead."""
        return self._reason(trial_id) == _LOST

    def dropped(self, trial_id: int) -> bool:
        """Whether a trial does not count: there were enough, or another has its place."""
        return self._reason(trial_id) is not None

    def _reason(self, trial_id: int) -> str | None:
        reason: str | None = self._storage.get_trial(trial_id).user_attrs.get(_DROPPED)
        return reason

    def _is_lost(self, trial: FrozenTrial) -> bool:
        # Between its beginning and its first attribute a trial has no worker yet: it is watched
        # under a name of its own.
        worker = trial.user_attrs.get(WORKER, f"trial {trial.number}")
        return trial.state == TrialState.RUNNING and self._heartbeat.dead(worker)

    def _number(self, trial: optuna.Trial | FrozenTrial) -> int:
        """A trial's number among those that count.

        One that was cut short keeps its number, which the one in its place has too: neither when
        that is found out nor by whom changes the numbers of the others.
        """
        if NUMBER in trial.user_attrs:
            return int(trial.user_attrs[NUMBER])
        return sum(
            other.number < trial.number
            and _AGAIN not in other.user_attrs
            and other.user_attrs.get(_DROPPED) != _SURPLUS
            for other in self._study.get_trials(deepcopy=False)
        )

    def _repeat(self, trial: FrozenTrial) -> int:
        number = self._number(trial)
        kept = {key: trial.user_attrs[key] for key in (RUN,) if key in trial.user_attrs}
        # What was chosen by hand is to be chosen again, where the trial had not come so far yet.
        queued = {k: v for k, v in trial.system_attrs.items() if k == "fixed_params"}
        again = create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs={NUMBER: number, _AGAIN: True, **kept},
            system_attrs=queued,
        )
        self._study.add_trial(again)
        return number
