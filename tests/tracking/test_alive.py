"""Runs of processes that were killed are ended by the next command."""

import os
import signal
from pathlib import Path

import pytest

from asd import locks
from asd.cli.signals import end_by_exception
from asd.tracking import alive

HERE, ELSEWHERE = "sqlite:///mlflow.db", "http://tracking:5000"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(alive, "_mine", {})


def left_by_a_dead_process(*runs: str, uri: str = HERE) -> Path:
    alive.FOLDER.mkdir(parents=True, exist_ok=True)
    path = alive.FOLDER / f"dead-{len(list(alive.FOLDER.iterdir()))}"
    path.write_text("".join(f"{run} {uri}\n" for run in runs), encoding="utf-8")
    return path


def test_runs_of_the_dead_are_named_once() -> None:
    left_by_a_dead_process("a", "b")
    left_by_a_dead_process("c")
    assert sorted(alive.runs_of_the_dead(HERE)) == ["a", "b", "c"]
    assert alive.runs_of_the_dead(HERE) == []
    assert list(alive.FOLDER.iterdir()) == []


def test_runs_of_the_living_are_left_alone() -> None:
    alive.note_run("mine", HERE)
    other = left_by_a_dead_process("another's")
    handle = locks.hold(other)
    assert handle is not None
    assert alive.runs_of_the_dead(HERE) == []
    locks.release(handle)
    assert alive.runs_of_the_dead(HERE) == ["another's"]


def test_runs_of_another_store_wait_for_a_command_that_uses_it() -> None:
    left_by_a_dead_process("a", uri=ELSEWHERE)
    assert alive.runs_of_the_dead(HERE) == []
    assert alive.runs_of_the_dead(ELSEWHERE) == ["a"]


def test_a_folder_that_cannot_be_written_keeps_nothing_from_working(tmp_path: Path) -> None:
    (tmp_path / ".cache").touch()
    alive.note_run("mine", HERE)
    assert alive.runs_of_the_dead(HERE) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_step_as_ctrl_c_does(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_DFL)
    try:
        end_by_exception()
        with pytest.raises(KeyboardInterrupt, match=number.name):
            os.kill(os.getpid(), number)
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        end_by_exception()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
