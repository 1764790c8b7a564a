"""The store is checked when it is first used, and not each time."""

import sqlite3
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError

from asd.errors import OutputError, TrackingError
from asd.tracking import store


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """What makes MLflow's clients, none of which reaches a database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    maker = MagicMock(side_effect=lambda *_: MagicMock())
    monkeypatch.setattr(store, "MlflowClient", maker)
    monkeypatch.setattr(store, "make_whole", lambda _: None)
    return maker


def test_a_store_is_checked_once(made: MagicMock) -> None:
    first = store.client()
    assert store.client() is first
    assert made.call_count == 1
    assert first.search_experiments.call_count == 1  # type: ignore[attr-defined]


def test_another_address_is_another_store(
    made: MagicMock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store.client()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    assert store.client() is not first
    assert made.call_args.args[0].endswith("/other.db")


def test_a_relative_address_is_another_store_in_another_folder(
    made: MagicMock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    first = store.client()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert store.client() is not first


def test_a_store_that_failed_is_tried_again(made: MagicMock) -> None:
    broken = MagicMock()
    broken.search_experiments.side_effect = MlflowException("no such host")
    made.side_effect = [broken, MagicMock()]
    with pytest.raises(TrackingError, match="no such host"):
        store.client()
    store.client()
    assert made.call_count == 2


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("database or disk is full", "make room, or allow writing there"),
        ("attempt to write a readonly database", "make room, or allow writing there"),
        ("file is not a database", r"move .*mlflow\.db away"),
    ],
)
def test_a_database_is_moved_away_only_where_it_is_the_fault(
    made: MagicMock, reason: str, remedy: str
) -> None:
    made.side_effect = OperationalError("select 1", None, sqlite3.OperationalError(reason))
    with pytest.raises(TrackingError, match=f"{reason}.*{remedy}"):
        store.client()


def test_a_folder_beside_the_database_that_cannot_be_made_is_named(
    made: MagicMock, tmp_path: Path
) -> None:
    (tmp_path / ".cache").write_text("in the way", encoding="utf-8")
    with pytest.raises(OutputError, match=rf"^{tmp_path}/\.cache: cannot be written"):
        store.client()
