"""Runs of tasks that any process may do: below one parent, and found again when they are done."""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlflow
from mlflow.entities import Run

import asd
from asd.language import VARIABLE, chosen
from asd.tracking.runs import STEP_TAG, VERSION_TAG
from asd.tracking.store import client, find_runs
from asd.tracking.tracked import TrackedRun, as_logged

_SHARED = ("ASD_CACHE_DIR",)


@dataclass(frozen=True)
class Place:
    """What a process anywhere has to know to log below a run."""

    parent: str
    environment: Mapping[str, str]
    """Addresses and the language only. Credentials are those of the process itself."""

    @classmethod
    def below(cls, tracked: TrackedRun) -> "Place":
        """The place below a run."""
        return cls(tracked.run_id, _environment())

    def enter(self) -> None:
        """Let this process log there from now on."""
        warnings.filterwarnings("ignore", module="mlflow")  # as the launcher does
        if _environment() != self.environment:
            os.environ.update(self.environment)


def _environment() -> dict[str, str]:
    """What says where this process logs and keeps features, and which language it speaks."""
    shared = {key: os.environ[key] for key in _SHARED if key in os.environ}
    uris = {
        "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(),
        "MLFLOW_REGISTRY_URI": mlflow.get_registry_uri(),
    }
    return {**uris, **shared, VARIABLE: chosen()}


def finished_runs(step: str, beside: str) -> list[Run]:
    """Runs of a step that this release has finished, the newest first.

    Parameters
    ----------
    step : str
        Name of the step.
    beside : str
        Id of a run of the experiment that is searched.
    """
    experiment = client().get_run(beside).info.experiment_id
    wish = f"tags.`{STEP_TAG}` = '{step}' and tags.`{VERSION_TAG}` = '{asd.__version__}'"
    return find_runs(experiment, f"{wish} and attributes.status = 'FINISHED'")


def with_params(runs: Sequence[Run], params: Mapping[str, Any]) -> Iterator[Run]:
    """Those of some runs that have logged all of these params."""
    logged = as_logged(params).items()
    return (run for run in runs if logged <= run.data.params.items())
