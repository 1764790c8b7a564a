"""An output folder appears whole or not at all, made by one command at a time."""

import ctypes
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from asd.data import manifest
from asd.data.made import MADE_NAME
from asd.data.manifest import MANIFEST_NAME
from asd.data.sound import SOUND_NAME
from asd.errors import DataError, OutputError
from asd.files import writing
from asd.language import tr
from asd.locks import PARTIAL, hold, release, remove_remains
from asd.text import printable

_OLD = ".old-"
_EXCHANGE = 2
"""RENAME_EXCHANGE of renameat2(2)."""
_HERE = -100
"""AT_FDCWD: paths count from the present folder."""
_OF_SYSTEMS = {".DS_Store", "Thumbs.db", "desktop.ini"}
"""Files that systems put into any folder that is looked at."""


def check_output(output: Path, source: Path, overwrite: bool) -> None:
    """Raise where `output` may not be written.

    Parameters
    ----------
    output : Path
        Folder of the data set to be made.
    source : Path
        What it is made from.
    overwrite : bool
        Whether a data set that stands there may be replaced.

    Raises
    ------
    DataError
        The output is a file, a folder that is not a data set, a data set that may not be
        replaced or in which files of somebody's stand, or overlaps with the source.
    OutputError
        No folder can have that name.
    """
    with writing(f"output={output}"):
        inner, outer = output.resolve(), source.resolve()
        there = output.is_dir() and any(output.iterdir())
        a_file = output.exists() and not output.is_dir()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise DataError(
            tr(
                "output={output}: overlaps with source={source}; choose another folder",
                output=output,
                source=source,
            )
        )
    if a_file:
        raise DataError(tr("output={output}: is a file; choose a folder", output=output))
    if not there:
        return
    if not (output / MANIFEST_NAME).is_file():
        raise DataError(
            tr(
                "output={output}: holds other files, no data set; choose another folder",
                output=output,
            )
        )
    if not overwrite:
        raise DataError(
            tr(
                "output={output}: exists; choose another folder or give overwrite=true "
                "to replace it",
                output=output,
            )
        )
    _check_own(output)


def _check_own(output: Path) -> None:
    """Refuse to replace a folder in which there is anything that does not belong to its data set.

    A manifest that cannot be read does not say what belongs to it; of its kind are WAV files two
    folders deep.
    """
    try:
        clips = {clip.path for clip in manifest.load(output).clips}
    except DataError:
        clips = {path.relative_to(output).as_posix() for path in output.glob("*/*.wav")}
    own = {MANIFEST_NAME, SOUND_NAME, MADE_NAME, *clips}
    folders = {parent.as_posix() for path in own for parent in Path(path).parents}
    for path in sorted(output.rglob("*")):
        name = path.relative_to(output).as_posix()
        known = folders | {"train", "valid", "test"} if path.is_dir() else own
        if name not in known and path.name not in _OF_SYSTEMS:
            raise DataError(
                tr(
                    "output={output}: would be replaced, but holds {name}, which is no part "
                    "of its data set; move that away or choose another folder",
                    output=output,
                    name=printable(name),
                )
            )


@contextmanager
def whole_folder(output: Path, check: Callable[[], None]) -> Iterator[Path]:
    """Give a temporary folder that takes the place of `output` when the block succeeds.

    When the block raises, `output` is as it was. At every moment either what was there or what
    is new stands under the name; what a killed process has left beside it is removed.

    Parameters
    ----------
    output : Path
        The folder.
    check : callable
        Raises where `output` may not be written, as `check_output` does. It is asked when no
        other command can be making the folder any more, and again before what is there goes.

    Raises
    ------
    OutputError
        Another command is making `output` now, or it cannot be written.

    Examples
    --------
    >>> with whole_folder(Path("data/fan"), check) as partial:  # doctest: +SKIP
    ...     (partial / "manifest.csv").write_text("whole or not at all")
    """
    with writing(f"output={output}"):
        place = output.resolve()  # a link stays a link; what it points to is replaced
        place.parent.mkdir(parents=True, exist_ok=True)
        remove_remains(place.parent)
        partial, handle = _claim(place, output)
    try:
        _restore(place)
        check()
        yield partial
        with writing(f"output={output}"):
            umask = os.umask(0)
            os.umask(umask)
            partial.chmod(0o777 & ~umask)
            if place.exists():
                check()
            _put(partial, place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        release(handle)


def _claim(place: Path, output: Path) -> tuple[Path, int]:
    """The folder in which `place` is made, empty, and the lock on it."""
    partial = place.with_name(PARTIAL + _mark(place))
    while True:
        partial.mkdir(exist_ok=True)
        handle = hold(partial)
        if handle is not None:
            break
        if partial.exists():
            raise OutputError(
                tr(
                    "output={output}: another command is making it at this moment; wait "
                    "until it has ended, or choose another folder",
                    output=output,
                )
            )
    for left in partial.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()
    return partial, handle


def _put(partial: Path, place: Path) -> None:
    """Let `partial` take the name of `place`; what stood there goes."""
    if not place.exists():
        partial.replace(place)
        return
    # Held, what goes is left alone by whoever begins to make the same folder anew.
    handle = hold(place)
    try:
        if _exchange(partial, place):
            shutil.rmtree(partial, ignore_errors=True)
        else:  # a disk that cannot exchange names: `_restore` mends a halt in between
            old = place.with_name(_OLD + _mark(place))
            place.replace(old)
            partial.replace(place)
            shutil.rmtree(old, ignore_errors=True)
    finally:
        if handle is not None:
            release(handle)


def _restore(place: Path) -> None:
    """Undo, or finish, an exchange by two renames that was cut short."""
    old = place.with_name(_OLD + _mark(place))
    if old.exists():
        if place.exists():
            shutil.rmtree(old)
        else:
            old.replace(place)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change names in one step; false where the system or the disk cannot."""
    call = getattr(ctypes.CDLL(None), "renameat2", None)
    if call is None:
        return False
    return int(call(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE)) == 0


def _mark(place: Path) -> str:
    """A short name for a folder's name, which may itself be as long as names can be."""
    return hashlib.sha256(os.fsencode(place.name)).hexdigest()[:16]
