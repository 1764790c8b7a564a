"""Words and tables for people."""

from collections.abc import Iterable, Sequence


def count(number: int, noun: str) -> str:
    """Number and noun for a sentence.

    Examples
    --------
    >>> count(1, "recording"), count(3, "recording")
    ('1 recording', '3 recordings')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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
    widths = [max(3, *(len(row[i]) for row in table)) for i in range(len(columns))]

    def line(row: Sequence[str]) -> str:
        cells = (
            cell.ljust(width) if side == "l" else cell.rjust(width)
            for cell, width, side in zip(row, widths, sides, strict=True)
        )
        return f"| {' | '.join(cells)} |"

    rule = (
        ":" + "-" * (width + 1) if side == "l" else "-" * (width + 1) + ":"
        for width, side in zip(widths, sides, strict=True)
    )
    return [line(table[0]), f"|{'|'.join(rule)}|", *map(line, table[1:])]
