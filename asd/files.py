"""Files that appear whole or not at all, their digests, and tables as CSV."""

import csv
import errno
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeGuard

from asd.errors import OutputError
from asd.language import tr
from asd.locks import new_file, release
from asd.text import printable

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_STORAGE = (
    *_NO_ROOM,
    *(errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENAMETOOLONG, errno.ENOTDIR),
    *(errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.EMFILE, errno.ENFILE, errno.ESTALE),
)
"""What a system says where it is the place, and not the program, that is wrong."""

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""Begins a cell that a spreadsheet would run, or one that was guarded against that."""


class atomic_path:  # noqa: N801 - used as a verb, like a function
    """Context manager: a temporary path that takes the name of `target` only on success.

    The folder of `target` is made where it is missing. When the block raises, nothing is left;
    what a killed process has left there is removed. Where the place cannot be written, it is an
    `OutputError` that names `target`.

    Examples
    --------
    >>> with atomic_path(Path("out.csv")) as partial:  # doctest: +SKIP
    ...     partial.write_text("whole or not at all")
    """

    def __init__(self, target: Path) -> None:
        self.target = target

    def __enter__(self) -> Path:
        with writing(self.target):
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self._partial, self._handle = new_file(self.target.parent, self.target.suffix)
        return self._partial

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        try:
            if error is None:
                with writing(self.target):
                    umask = os.umask(0)
                    os.umask(umask)
                    self._partial.chmod(0o666 & ~umask)
                    self._partial.replace(self.target)
            elif isinstance(error, OSError) and self._is_about_writing(error):
                with writing(self.target):
                    raise error
        finally:
            self._partial.unlink(missing_ok=True)
            release(self._handle)

    def _is_about_writing(self, error: OSError) -> bool:
        """Whether it was the file itself; the block may have read others."""
        ours = {None, str(self._partial)}
        return error.errno in _NO_ROOM or error.filename in ours or error.filename2 in ours - {None}


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn what the system says against writing there into one line.

    Parameters
    ----------
    path : Path or str
        What is being written, named in the message; as ``output=data/fan`` where the user named
        it so.

    Raises
    ------
    OutputError
        The place is full, read-only, no folder, has too long a name, or the like.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (*_STORAGE, errno.ENOENT):
            raise
        raise unwritable(path, error) from error
    except (ValueError, RuntimeError) as error:
        # What pathlib says of a NUL in a name, and of links that lead round in a circle.
        if not str(error).startswith(("embedded null", "Symlink loop")):
            raise
        raise OutputError(
            tr("{path}: no name for a file ({error})", path=printable(str(path)), error=error)
        ) from error


def unwritable(path: Path | str, error: OSError) -> OutputError:
    """The line about a place that cannot be written: path, reason and remedy."""
    remedy = "choose another place, or allow writing there"
    if error.errno in _NO_ROOM:
        remedy = "make room on that disk, or choose another"
    elif error.errno == errno.ENAMETOOLONG:
        remedy = "choose a shorter name"
    reason = error.strerror or str(error)
    return OutputError(
        tr(
            "{path}: cannot be written ({reason}); {remedy}",
            path=printable(str(path)),
            reason=reason,
            remedy=remedy,
        )
    )


def is_storage_error(error: object) -> TypeGuard[OSError]:
    """Whether an exception says that a place cannot be written, and nothing about its content."""
    return isinstance(error, OSError) and error.errno in _STORAGE


def check_writable(folder: Path, key: str) -> None:
    """Try to write in a folder; one that is not there yet is not there afterwards.

    Parameters
    ----------
    folder : Path
        Where a step is going to write, so that this is known before the work.
    key : str
        The parameter that names it, as ``output``.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    with writing(f"{key}={folder}"):
        new = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        path, handle = new_file(folder, "")
        try:
            path.write_bytes(bytes(4096))
        finally:
            path.unlink()
            release(handle)
            for made in new:
                made.rmdir()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_csv(
    path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]], bom: bool = False
) -> None:
    """Write a table as CSV in UTF-8, whole or not at all.

    Texts are written as `cell` gives them.

    Parameters
    ----------
    path : Path
        The file.
    columns : sequence of str
        The header.
    rows : iterable of sequence
        As many cells a row as there are columns; None becomes an empty cell.
    bom : bool
        Begin with the mark by which Excel knows UTF-8; it takes Japanese for other letters without.
    """
    encoding = "utf-8-sig" if bom else "utf-8"
    with atomic_path(path) as partial, partial.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([cell(value) for value in row] for row in rows)


def cell(value: object) -> object:
    """A value as it stands in a table: printable, and no formula for a spreadsheet to run.

    Names of files come from whoever made them. An apostrophe before what would begin a formula
    makes it a text; numbers stay numbers.

    Examples
    --------
    >>> cell("=1+1"), cell("-6_dB"), cell("pump"), cell("-3.5"), cell(-3.5)
    ("'=1+1", "'-6_dB", 'pump', '-3.5', -3.5)
    """
    if not isinstance(value, (str, os.PathLike)):
        return value
    text = printable(str(value))
    return f"'{text}" if _FORMULA.match(text) and not _is_number(text) else text


def plain_text(text: str) -> str:
    """A text as `cell` has kept it, without the apostrophe that guards it.

    Examples
    --------
    >>> plain_text("'=1+1"), plain_text("'quoted'")
    ('=1+1', "'quoted'")
    """
    return printable(text[1:] if text.startswith("'") and _FORMULA.match(text) else text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
