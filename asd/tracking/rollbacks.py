"""Rollbacks that were cut short: the command given again finishes one, and begins no other."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.entities import Run

from asd.tracking.registry import Holders
from asd.tracking.runs import KILLED_TAG, STEP_TAG
from asd.tracking.store import recent_runs

_NAME, _BACK, _AWAY = "asd.registered", "asd.champion", "asd.previous"


@dataclass(frozen=True)
class Rollback:
    """Which version of a machine comes back, and which one goes."""

    back: str
    away: str

    def tags(self, name: str) -> dict[str, str]:
        """What its run says, from before it begins."""
        return {_NAME: name, _BACK: self.back, _AWAY: self.away}

    def began(self, seen: Holders) -> bool:
        """Whether these are the holders after a part of it, or all of it."""
        return seen.champion == self.back and seen.previous in (self.back, self.away)


def cut_short(name: str, seen: Holders, present_run: str) -> Rollback | None:
    """The newest rollback of a machine where it had begun, and nobody was told of its end.

    Parameters
    ----------
    name : str
        The machine.
    seen : Holders
        Who holds its aliases now.
    present_run : str
        Id of the run that asks.
    """
    runs = recent_runs(f"tags.`{STEP_TAG}` = 'rollback' and tags.`{_NAME}` = '{name}'", 2)
    newest = next((run for run in runs if run.info.run_id != present_run), None)
    if newest is None or _came_to_its_end(newest):
        return None
    begun = _of(newest.data.tags)
    return begun if begun.began(seen) else None


def _came_to_its_end(run: Run) -> bool:
    return run.info.status == "FINISHED" and KILLED_TAG not in run.data.tags


def _of(tags: Mapping[str, str]) -> Rollback:
    return Rollback(tags.get(_BACK, ""), tags.get(_AWAY, ""))
