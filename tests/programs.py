"""A program in a fork of this process, as a shell and Python would run it."""

import atexit
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

_ANEW = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_APPEND
"""Both may go to one file: each then writes behind the other."""


def write_to(stdout: Path, stderr: Path) -> None:
    """Let this process and those below it write to files, each begun anew."""
    for standard, path in ((1, stdout), (2, stderr)):
        os.dup2(os.open(path, _ANEW), standard)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115


def to_the_end(program: Callable[[], object]) -> None:
    """Run a program, and then what Python does at the end of one."""
    try:
        program()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]  # a program's own order
        atexit._run_exitfuncs()
        sys.stdout.flush()
