"""Tables as Parquet, for programs that read many of them."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from asd.files import atomic_path
from asd.text import printable


def write_parquet(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table as Parquet, whole or not at all; numbers stay numbers.

    Parameters
    ----------
    path : Path
        The file.
    columns : sequence of str
        The names.
    rows : iterable of sequence
        As many cells a row as there are columns, of one type a column; None is null.
    """
    cells = [[_plain(value) for value in row] for row in rows]
    table = pa.table({name: [row[at] for row in cells] for at, name in enumerate(columns)})
    with atomic_path(path) as partial:
        parquet.write_table(table, partial)


def _plain(value: object) -> object:
    return printable(str(value)) if isinstance(value, (str, os.PathLike)) else value
