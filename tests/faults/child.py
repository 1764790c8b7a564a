"""A step in a process of its own, as its program would run it, ended at a counted change.

What is on the disk changes only where a file or folder is made, renamed or removed, or a database
is told something. These changes are counted; to be killed just before each of them covers every
state that a kill can leave, whatever the speed of the machine.
"""

import os
import runpy
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from sqlalchemy import Engine, event

from tests.programs import to_the_end, write_to
from tests.shortcuts import make_little, scores_here

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
_READS = ("SELECT", "PRAGMA")


@dataclass(frozen=True)
class Command:
    """A step, where it runs, and at which change it is to be ended by which signal."""

    root: Path
    words: tuple[str, ...]
    log: Path
    jobs: int = 1
    """How many processes may share the work."""
    changes: Path | None = None
    """Where to note how many changes there were."""
    at: int = 0
    signal: int = 0
    reload_apart: bool = False
    """Whether a promotion reloads its model in a process of its own, as it does for users."""


def run(command: Command) -> None:
    """Run a step; its exit code is that of the process."""
    os.setsid()
    os.chdir(command.root)
    os.environ["TMPDIR"] = str(command.root / "tmp")
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{command.root}/mlflow.db"
    os.environ["LOKY_MAX_CPU_COUNT"] = str(command.jobs)
    tempfile.tempdir = None
    write_to(command.log, command.log)
    sys.argv = list(command.words)
    _make_cheap(pytest.MonkeyPatch(), command.reload_apart)
    counter = _Counter(command.at, command.signal)
    sys.addaudithook(counter.audit)
    event.listen(Engine, "before_cursor_execute", counter.statement)
    event.listen(Engine, "commit", counter.commit)
    step = f"entrypoints.{command.words[0]}"
    try:
        to_the_end(lambda: runpy.run_module(step, run_name="__main__"))
    finally:
        counter.off = True
        if command.changes:
            command.changes.write_text(str(counter.count))


def _make_cheap(patch: pytest.MonkeyPatch, reload_apart: bool) -> None:
    """Leave out what costs most of the time, and changes nothing on the disk.

    Pictures are written all the same, and are white.
    """
    make_little(patch)
    patch.setattr(Figure, "draw", lambda *_: None)
    # Else the little work of these tests would never be shared.
    patch.setattr("asd.parallel._LITTLE", 0)
    if not reload_apart:
        patch.setattr("asd.tracking.fresh.fresh_scores", scores_here)


class _Counter:
    def __init__(self, at: int, number: int) -> None:
        self.count = 0
        self.off = False
        self._at, self._signal = at, number

    def audit(self, name: str, args: tuple[Any, ...]) -> None:
        writes = name == "open" and isinstance(args[2], int) and args[2] & _WRITES
        if writes or name in _CHANGES:
            self._change()

    def statement(self, _: object, __: object, text: str, *___: object) -> None:
        if not text.lstrip().upper().startswith(_READS):
            self._change()

    def commit(self, _: object) -> None:
        self._change()

    def _change(self) -> None:
        self.count += not self.off
        if self.count == self._at and not self.off:
            os.kill(os.getpid(), self._signal)
