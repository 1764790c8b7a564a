"""``mlflow run`` in forks of a process that has imported all of it.

What MLflow and the project do is done as from a shell; left out are Python's start and its imports,
most of the time of a small run, and the pictures of single clips, most of the rest.
"""

import os
import runpy
import shlex
import sys
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe, forkserver, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.programs import to_the_end, write_to
from tests.shortcuts import make_little


@dataclass(frozen=True)
class Command:
    """The words of an ``mlflow`` command, and where it is given."""

    words: tuple[str, ...]
    cwd: Path
    environment: dict[str, str]
    stdout: Path
    stderr: Path


def fork_server(environment: dict[str, str]) -> Any:
    """Start the process that is forked, in this environment; its context."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.warm"])
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - environment.keys():
            patch.delenv(name)
        forkserver.ensure_running()
    return context


def run(command: Command) -> None:
    """Do what a shell would; the exit code is that of the process."""
    os.setsid()
    write_to(command.stdout, command.stderr)
    _enter(command.cwd, command.environment)
    sys.argv = list(command.words)

    from mlflow.cli import cli
    from mlflow.projects.backend import local

    entry = _Entry()
    pytest.MonkeyPatch().setattr(local, "subprocess", SimpleNamespace(Popen=entry.start))

    def program() -> None:
        try:
            cli()
        finally:
            entry.end()

    to_the_end(program)


class _Entry:
    """The process of an entry point, forked before MLflow begins: it shares nothing with it.

    It has the methods of a `Popen` that MLflow calls.
    """

    def __init__(self) -> None:
        self._tell, told = Pipe()
        self._process = get_context("fork").Process(target=_entry, args=(told,))
        self._process.start()

    def start(
        self, words: list[str], *, cwd: str, env: dict[str, str], close_fds: bool
    ) -> "_Entry":
        del close_fds
        bash, option, command = words
        assert (bash, option) == ("bash", "-c")
        self._tell.send((command, Path(cwd), env))
        return self

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def end(self) -> None:
        """Let it end, where it has not been started."""
        with suppress(BrokenPipeError):
            self._tell.send(None)


def _entry(told: Connection) -> None:
    task = told.recv()
    if task is None:
        return
    command, cwd, environment = task
    _enter(cwd, environment)
    python, option, module, *sys.argv[1:] = shlex.split(command)
    assert (python, option) == ("python", "-m")
    sys.path.insert(0, str(cwd))
    make_little(pytest.MonkeyPatch())
    to_the_end(lambda: runpy.run_module(module, run_name="__main__"))


def _enter(cwd: Path, environment: dict[str, str]) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
