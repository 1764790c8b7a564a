"""Read tables that people make: CSV as spreadsheets and editors leave it."""

import codecs
import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from asd.errors import DataError
from asd.language import tr

_DELIMITERS = ",;\t"
_GLANCE = 4096
"""Bytes at the beginning of a file."""


@dataclass(frozen=True)
class Table:
    """The cells of a CSV file, without rows that are empty."""

    path: Path
    """The file."""
    columns: tuple[str, ...]
    """The cells of the first row that is not empty, without spaces around them."""
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """Line at which each further row ends, from 1, and its cells as they stand."""

    def records(self) -> list[tuple[int, dict[str, str]]]:
        """Line and cells of each row, by the name of their column; missing cells are empty.

        Raises
        ------
        DataError
            A column stands twice, or a row has more cells than there are columns.
        """
        twice = [name for name, n in Counter(self.columns).items() if n > 1 and name]
        if twice:
            raise DataError(
                tr(
                    "{path}: column {twice!r} stands twice; keep one of them",
                    path=self.path,
                    twice=twice[0],
                )
            )
        return [(line, self._record(line, cells)) for line, cells in self.rows]

    def _record(self, line: int, cells: tuple[str, ...]) -> dict[str, str]:
        width = len(self.columns)
        if any(cell.strip() for cell in cells[width:]):
            raise DataError(
                tr(
                    "{path}, line {line}: has {n} cells, the first line {width}; put "
                    "quotes around a value with a separator in it (found: {extra!r} too "
                    "many)",
                    path=self.path,
                    line=line,
                    n=len(cells),
                    width=width,
                    extra=cells[width],
                )
            )
        padded = (*cells, *[""] * (width - len(cells)))
        return dict(zip(self.columns, padded[:width], strict=True))


def read_table(path: Path) -> Table:
    """Read a table of values separated by commas, semicolons or tabs.

    The text is UTF-8, with or without a byte order mark, or UTF-16 with one. What separates
    values is told by the first line. Rows of separators only are passed over.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    DataError
        The file cannot be read, is in another encoding, or its quotes do not fit.
    """
    lines = _text(path)
    first = next((line for line in lines.splitlines() if line.strip(f" {_DELIMITERS}")), "")
    delimiter = max(_DELIMITERS, key=first.count)
    # Strict: a quote that is never closed would swallow all rows behind it.
    reader = csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, tuple[str, ...]]] = []
    begun = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((reader.line_num, tuple(row)))
            begun = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            tr(
                "{path}, line {begun}: not CSV from here on ({error}); close the "
                "quotes and save the table again",
                path=path,
                begun=begun,
                error=error,
            )
        ) from error
    columns = tuple(name.strip() for name in rows[0][1]) if rows else ()
    return Table(path, columns, tuple(rows[1:]))


def glance(path: Path) -> tuple[str, ...]:
    """The names of columns that a table seems to have, for warnings; empty where it is none.

    Only its beginning is read, in UTF-8 or Shift-JIS.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_GLANCE)
    except OSError:
        return ()
    text = raw.decode("utf-8-sig", errors="ignore")
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = raw.decode("utf-16", errors="ignore")
    elif not _is_utf8(raw.partition(b"\n")[0]):
        text = raw.decode("cp932", errors="ignore")
    first = next((line for line in text.splitlines() if line.strip()), "")
    return tuple(cell.strip(' "') for cell in first.split(max(_DELIMITERS, key=first.count)))


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(
            tr(
                "{path}: cannot be read ({reason}); check the file",
                path=path,
                reason=error.strerror,
            )
        ) from error
    marked = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return raw.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = len(raw[: error.start].split(b"\n"))
        raise DataError(
            tr(
                "{path}, line {line}: is not UTF-8 text{guess}; save the table as 'CSV "
                "UTF-8' in the spreadsheet, or convert it",
                path=path,
                line=line,
                guess=_guess(raw),
            )
        ) from error


def _guess(raw: bytes) -> str:
    """Which encoding it may be, for the message; nothing is read by a guess."""
    try:
        raw.decode("cp932")
    except UnicodeDecodeError:
        return ""
    return " (Shift-JIS, as spreadsheets in Japanese save it?)"


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return True
