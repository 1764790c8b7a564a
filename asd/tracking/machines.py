"""The runs of many machines: below one parent, from any process, found again when they are done."""

import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import mlflow

import asd
from asd.data.manifest import Dataset
from asd.errors import TrackingError
from asd.tracking.models import resolve
from asd.tracking.runs import STEP_TAG, VERSION_TAG
from asd.tracking.store import client, find_runs
from asd.tracking.tracked import TrackedRun, as_logged, data_params

STEP = "train machine"
MODEL_URI_TAG = "asd.model_uri"
_DIGEST = "data.digest"
_SHARED = ("ASD_CACHE_DIR",)


@dataclass(frozen=True)
class Place:
    """What a process anywhere has to know to log below a run."""

    parent: str
    environment: Mapping[str, str]
    """Addresses only. Credentials are those of the process itself."""

    @classmethod
    def below(cls, tracked: TrackedRun) -> "Place":
        """The place below a run."""
        return cls(tracked.run_id, _addresses())

    def enter(self) -> None:
        """Let this process log there from now on."""
        warnings.filterwarnings("ignore", module="mlflow")  # as the launcher does
        if _addresses() != self.environment:
            os.environ.update(self.environment)


@dataclass(frozen=True)
class Trained:
    """What became of a machine."""

    name: str
    model_uri: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str = ""
    """Why it has no model."""
    again: bool = False
    """It was done before."""


def _addresses() -> dict[str, str]:
    """What says where this process logs, and where it keeps features."""
    shared = {key: os.environ[key] for key in _SHARED if key in os.environ}
    uris = {
        "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(),
        "MLFLOW_REGISTRY_URI": mlflow.get_registry_uri(),
    }
    return uris | shared


def machine_params(flat: Mapping[str, Any], dataset: Dataset) -> dict[str, Any]:
    """What a machine's run is known by: all settings, and the data."""
    return {**flat, **data_params(dataset)}


def done_before(
    tracked: TrackedRun, wanted: Iterable[tuple[Dataset, Mapping[str, Any]]]
) -> dict[str, Trained]:
    """Machines that this release has done before with the same settings and data, by name.

    Parameters
    ----------
    tracked : TrackedRun
        A run of the experiment that is searched.
    wanted : iterable of (Dataset, mapping)
        The machines, with what `machine_params` says of them.
    """
    experiment = client().get_run(tracked.run_id).info.experiment_id
    wish = f"tags.`{STEP_TAG}` = '{STEP}' and tags.`{VERSION_TAG}` = '{asd.__version__}'"
    runs = find_runs(experiment, f"{wish} and attributes.status = 'FINISHED'")
    found = {}
    for dataset, params in wanted:
        logged = as_logged(params).items()
        for run in runs:
            if logged <= run.data.params.items() and _is_there(run.data.tags[MODEL_URI_TAG]):
                uri, metrics = run.data.tags[MODEL_URI_TAG], run.data.metrics
                found[dataset.name] = Trained(dataset.name, uri, metrics, again=True)
                break
    return found


def _is_there(model_uri: str) -> bool:
    try:
        resolve(model_uri)
    except TrackingError:  # deleted since
        return False
    return True
