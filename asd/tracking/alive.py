"""No run stays RUNNING without its process: those of the dead become KILLED.

Each process that has runs keeps a file with their ids and a lock on it, below ``.cache/alive``. The
system takes the lock back however the process ends; the next command in the same folder finds
the file without one and ends its runs. Trials of a sweep have a heartbeat of their own, which
reaches as far as their storage.
"""

import atexit
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from asd.locks import hold, release

FOLDER = Path(".cache/alive")

_mine: dict[int, Path] = {}
"""The file of this process, by its number: a fork has none yet."""


def begin() -> Path:
    """Begin the file of this process; it goes after all that is registered at exit from then on.

    Raises
    ------
    OSError
        Nothing can be written there.
    """
    return _mine.get(os.getpid()) or _new_file()


def note_run(run_id: str, uri: str) -> None:
    """Say that a run of the store at `uri` belongs to this process and ends with it."""
    # Where nothing can be written there, the run is as it was before.
    with suppress(OSError), begin().open("a", encoding="utf-8") as file:
        file.write(f"{run_id} {uri}\n")


def leave_behind() -> None:
    """Leave the runs of this process to the next command: one of them could not be ended."""
    if path := _mine.get(os.getpid()):
        atexit.unregister(path.unlink)


def runs_of_the_dead(uri: str) -> list[str]:
    """Ids of the runs of the store at `uri` whose processes have ended; each is named once."""
    found: list[str] = []
    for path in sorted(FOLDER.glob("*")):
        if path == _mine.get(os.getpid()):
            continue
        with suppress(OSError):
            handle = hold(path, surely=True)
            if handle is None:
                continue
            try:
                lines = [line.split(" ", 1) for line in path.read_text("utf-8").splitlines()]
                if all(rest == [uri] for _, *rest in lines):
                    found += [run_id for run_id, *_ in lines]
                    path.unlink()
            finally:
                release(handle)
    return found


def _new_file() -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    while True:
        handle, name = tempfile.mkstemp(dir=FOLDER.absolute())
        path = Path(name)
        held = hold(path)
        os.close(handle)
        if held is not None:
            _mine[os.getpid()] = path
            atexit.register(path.unlink, missing_ok=True)
            return path
