"""Files that appear whole or not at all, their digests, and tables as CSV."""

import csv
import hashlib
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path


class atomic_path:  # noqa: N801 - used as a verb, like a function
    """Context manager: a temporary path that takes the name of `target` only on success.

    The folder of `target` is made where it is missing. When the block raises, nothing is left.

    Examples
    --------
    >>> with atomic_path(Path("out.csv")) as partial:  # doctest: +SKIP
    ...     partial.write_text("whole or not at all")
    """

    def __init__(self, target: Path) -> None:
        self.target = target

    def __enter__(self) -> Path:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=".partial-", suffix=self.target.suffix, dir=self.target.parent
        )
        os.close(handle)
        self._partial = Path(name)
        return self._partial

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            umask = os.umask(0)
            os.umask(umask)
            self._partial.chmod(0o666 & ~umask)
            self._partial.replace(self.target)
        else:
            self._partial.unlink(missing_ok=True)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table as CSV in UTF-8, whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    columns : sequence of str
        The header.
    rows : iterable of sequence
        As many cells a row as there are columns; None becomes an empty cell.
    """
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
