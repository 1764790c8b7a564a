"""The runs of many machines, found again when they are done."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from asd.data.manifest import Dataset
from asd.errors import TrackingError
from asd.tracking.models import resolve
from asd.tracking.tasks import finished_runs, with_params
from asd.tracking.tracked import TrackedRun, data_params

STEP = "train machine"
MODEL_URI_TAG = "asd.model_uri"


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
    runs = finished_runs(STEP, tracked.run_id)
    found = {}
    for dataset, params in wanted:
        for run in with_params(runs, params):
            uri = run.data.tags[MODEL_URI_TAG]
            if _is_there(uri):
                found[dataset.name] = Trained(dataset.name, uri, run.data.metrics, again=True)
                break
    return found


def _is_there(model_uri: str) -> bool:
    try:
        resolve(model_uri)
    except TrackingError:  # deleted since
        return False
    return True
