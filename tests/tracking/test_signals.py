"""A signal that falls into a change of the database still ends the run."""

import atexit
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from sqlalchemy import Engine, event

from asd.cli.signals import SignalError, end_by_exception
from asd.tracking import alive
from asd.tracking.runs import step_run
from asd.tracking.store import client

READS = ("SELECT", "PRAGMA")


class Ender:
    """Sends SIGTERM to this process just before a counted change of the database."""

    def __init__(self) -> None:
        self.at = self.count = 0

    def statement(self, _: object, __: object, text: str, *___: object) -> None:
        if not text.lstrip().upper().startswith(READS):
            self.commit(None)

    def commit(self, _: object) -> None:
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def ender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ender]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr(alive, "_mine", {})
    client()
    ender = Ender()
    names = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = {name: signal.getsignal(name) for name in names}
    event.listen(Engine, "before_cursor_execute", ender.statement)
    event.listen(Engine, "commit", ender.commit)
    yield ender
    event.remove(Engine, "before_cursor_execute", ender.statement)
    event.remove(Engine, "commit", ender.commit)
    for name, handler in before.items():
        signal.signal(name, handler)


def log_something() -> None:
    with step_run("outer", {"a": 1}), step_run("inner", {"b": 2}) as tracked:
        tracked.log_metrics({"m": 1.0})


def test_no_run_stays_running_whichever_change_the_signal_falls_into(ender: Ender) -> None:
    log_something()  # makes what a store has once
    ender.count = 0
    log_something()
    for at in range(1, ender.count, 4):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        end_by_exception()
        ender.at, ender.count = at, 0
        with pytest.raises(SignalError, match="SIGTERM"):
            log_something()
        ender.at = 0
        runs = client().search_runs(["0"], "attributes.status = 'RUNNING'")
        assert (at, runs, mlflow.active_run()) == (at, [], None)


def test_a_run_that_cannot_be_ended_is_left_to_the_next_command(
    ender: Ender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise MlflowException("database is locked")

    forgotten: list[object] = []
    with monkeypatch.context() as patch:
        patch.setattr(atexit, "unregister", forgotten.append)
        patch.setattr(mlflow, "end_run", refuse)
        with pytest.raises(ZeroDivisionError), step_run("outer", {}):
            raise ZeroDivisionError
    mlflow.end_run()
    assert forgotten == [alive._mine[os.getpid()].unlink]
