"""One experiment of our own name for all runs, unless the user has named another."""

import os
from functools import cache

from mlflow.exceptions import MlflowException

from asd.tracking.store import client

NAME = "asd"
_DEFAULT_ID = "0"
_DEFAULT_NAME = "Default"
_PROXIED = "mlflow-artifacts:"


@cache
def claim_default() -> None:
    """Call MLflow's Default experiment ``asd`` where nobody else uses it.

    Under ``mlflow run`` the run exists before this program starts, and is in the Default experiment
    unless another was named: a run cannot be moved, an experiment can be renamed. Where other runs
    stand in it already, or the user names an experiment, it stays as it is.
    """
    # `mlflow run` always says which experiment its run is in.
    named = os.environ.get("MLFLOW_EXPERIMENT_NAME") or os.environ.get("MLFLOW_EXPERIMENT_ID")
    if (named or _DEFAULT_ID) != _DEFAULT_ID:
        return
    store = client()
    try:
        default = store.get_experiment(_DEFAULT_ID)
        free = default.name == _DEFAULT_NAME and store.get_experiment_by_name(NAME) is None
        if not free or default.artifact_location.startswith(_PROXIED):
            return
        runs = store.search_runs([_DEFAULT_ID], max_results=2)
        if all(run.info.run_id == os.environ.get("MLFLOW_RUN_ID") for run in runs):
            store.rename_experiment(_DEFAULT_ID, NAME)
    except MlflowException:
        # Another process was quicker, or a server forbids it: the name is a courtesy.
        return
