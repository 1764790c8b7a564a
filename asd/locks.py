"""Locks that end with their process, and what processes that were killed have left.

Whatever is being made carries a lock of the system's on the unfinished file or folder itself. The
system takes it back however the process ends: what is unfinished and not locked is left over from
a dead process.
"""

import atexit
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

if sys.platform != "win32":
    import fcntl

PARTIAL = ".partial-"
"""Begins the names of files and folders that are being made."""
_OWN = ".asd-own-"
"""Begins the names of temporary folders of processes: a name that nobody else gives, since those of
the dead are removed wherever temporary files are."""


def hold(path: Path, surely: bool = False) -> int | None:
    """Lock a file or folder until `release`, or until the process ends in whatever way.

    Parameters
    ----------
    path : Path
        What to lock.
    surely : bool
        Give None, too, where the disk knows no locks, and nobody can tell who has it.

    Returns
    -------
    int or None
        What `release` takes; None where another process has it, or it is not there.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    if _locked(handle, surely) and _is_still(handle, path):
        return handle
    os.close(handle)
    return None


def release(handle: int) -> None:
    """Give back what `hold` took."""
    os.close(handle)


def new_file(folder: Path, suffix: str) -> tuple[Path, int]:
    """Make an empty file in a folder, named as unfinished and held; removes what the dead left.

    Returns
    -------
    path : Path
        The file.
    handle : int
        What `release` takes.
    """
    remove_remains(folder.absolute())
    while True:
        handle, name = tempfile.mkstemp(prefix=PARTIAL, suffix=suffix, dir=folder)
        # Another process may have taken it for left over before it was locked.
        if _locked(handle, surely=False) and _is_still(handle, Path(name)):
            return Path(name), handle
        os.close(handle)


def own_folder() -> Path:
    """A folder for what this process puts aside; it goes with it, or with the next command's."""
    folder = os.environ.get("TMPDIR", "/tmp")  # nosec B108
    if not os.access(folder, os.W_OK | os.X_OK):
        folder = tempfile.gettempdir()  # tries by a file, which a kill would leave there
    remove_remains(Path(folder), _OWN)
    while True:
        path = Path(tempfile.mkdtemp(prefix=_OWN, dir=folder))
        if hold(path) is not None:
            atexit.register(shutil.rmtree, path, ignore_errors=True)
            return path


@cache
def remove_remains(folder: Path, prefix: str = PARTIAL) -> None:
    """Remove what dead processes were making in a folder, sub-folders apart; once a process."""
    with suppress(OSError):
        for path in [path for path in folder.iterdir() if path.name.startswith(prefix)]:
            remove_if_left(path)


def remove_if_left(path: Path) -> None:
    """Remove an unfinished file or folder whose process is dead."""
    with suppress(OSError):
        handle = hold(path, surely=True)
        if handle is None:
            return
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        finally:
            release(handle)


def _locked(handle: int, surely: bool) -> bool:
    if sys.platform == "win32":
        return not surely
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a disk without locks
        return not surely
    return True


def _is_still(handle: int, path: Path) -> bool:
    """Whether the path is what was opened: it may have been renamed or removed meanwhile."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
