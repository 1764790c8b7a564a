"""Runs go to an experiment of our own name, unless somebody else is there."""

from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from asd.tracking.experiment import claim_default


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Give the name of the Default experiment of a new store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(name, raising=False)
    claim_default.cache_clear()
    return lambda: str(MlflowClient().get_experiment("0").name)


def test_the_default_is_renamed_where_only_this_run_is_in_it(
    store: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = MlflowClient().create_run("0")
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")  # as `mlflow run` does
    claim_default()
    assert store() == "asd"


def test_it_stays_where_others_are_or_another_is_named(
    store: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    MlflowClient().create_run("0")
    claim_default()
    assert store() == "Default"
    claim_default.cache_clear()
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    claim_default()
    assert store() == "Default"
    assert mlflow.get_experiment_by_name("asd") is None
