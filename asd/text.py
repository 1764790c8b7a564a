"""Words and tables for people."""

import unicodedata
from collections.abc import Iterable, Sequence


def count(number: int, noun: str) -> str:
    """Number and noun for a sentence.

    Examples
    --------
    >>> count(1, "recording"), count(3, "recording")
    ('1 recording', '3 recordings')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def some(words: Sequence[str], most: int = 5) -> str:
    """The first words of a list for a sentence, and how many more there are.

    Examples
    --------
    >>> some(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def markdown_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], align: str = ""
) -> list[str]:
    r"""A Markdown table whose cells stand below each other in plain text as well.

    Parameters
    ----------
    columns : sequence of str
        The header.
    rows : iterable of sequence of str
        As many cells a row as there are columns.
    align : str
        A letter a column, ``l`` or ``r``; the first is left-aligned and the others right-aligned
        where not given.

    Returns
    -------
    list of str
        The lines.

    Examples
    --------
    >>> print("\n".join(markdown_table(["model", "AUC"], [["knn", "0.98"]])))
    | model |  AUC |
    |:------|-----:|
    | knn   | 0.98 |
    """
    table = [list(columns), *(list(row) for row in rows)]
    sides = align or "l" + "r" * (len(columns) - 1)
    widths = [max(3, *(_width(row[i]) for row in table)) for i in range(len(columns))]

    def line(row: Sequence[str]) -> str:
        cells = []
        for cell, width, side in zip(row, widths, sides, strict=True):
            space = " " * (width - _width(cell))
            cells.append(cell + space if side == "l" else space + cell)
        return f"| {' | '.join(cells)} |"

    rule = (
        ":" + "-" * (width + 1) if side == "l" else "-" * (width + 1) + ":"
        for width, side in zip(widths, sides, strict=True)
    )
    return [line(table[0]), f"|{'|'.join(rule)}|", *map(line, table[1:])]


def _width(text: str) -> int:
    """Columns that a text takes on a terminal; Japanese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
