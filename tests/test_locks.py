"""A process has a folder of its own, which goes with it however it ends."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asd import locks
from asd.locks import own_folder

PROGRAM = """
import sys
from asd.locks import own_folder

folder = own_folder()
(folder / "figure.png").touch()
print(folder, flush=True)
sys.stdin.read()
"""
"""Has a folder until its input ends."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@contextmanager
def process() -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """A process that has a folder, and the folder; it ends with the block, if not before."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as begun:
        assert begun.stdout is not None
        yield begun, Path(begun.stdout.readline().strip())


def test_it_goes_with_its_process(place: Path) -> None:
    with process() as (_, folder):
        assert folder.parent == place
        assert (folder / "figure.png").exists()
    assert list(place.iterdir()) == []


def test_that_of_a_killed_process_goes_with_the_next_command(place: Path) -> None:
    with process() as (begun, folder):
        begun.send_signal(signal.SIGKILL)
        begun.wait()
        assert folder.is_dir(), "nobody was left to remove it"
    with process() as (_, other):
        assert list(place.iterdir()) == [other]


def test_that_of_a_living_process_is_left_alone(place: Path) -> None:
    with process() as (_, folder), process() as (_, other):
        assert folder != other
        assert set(place.iterdir()) == {folder, other}


@pytest.mark.parametrize("name", ["thesis", "asd", "asd-results", "asd-postgres-x1"])
def test_a_folder_of_somebody_else_is_left_alone_whatever_it_is_called(
    place: Path, name: str
) -> None:
    (place / name).mkdir()
    with process() as (_, folder):
        assert set(place.iterdir()) == {folder, place / name}


@pytest.mark.parametrize("name", ["absent", "shut"])
def test_without_a_folder_to_write_to_it_is_where_python_puts_its_own(
    place: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    locks.remove_remains.cache_clear()
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    monkeypatch.setenv("TMPDIR", str(place / name))
    if name == "shut":
        (place / name).mkdir()
        monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    assert own_folder().parent == elsewhere
