"""Words, names and tables for people."""

import unicodedata
from collections.abc import Iterable, Sequence

from asd.language import tr, trn

_UNPRINTABLE = {
    **{code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))},
    **{0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)},
    **dict.fromkeys((0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"),
    9: "\\t",
    10: "\\n",
    13: "\\r",
}
"""Control characters, bytes of a file name that are no UTF-8 (as Python gives them), and marks that
turn the direction of text."""


def printable(text: str) -> str:
    r"""The text without what no terminal, table or database takes: control characters, other bytes.

    Examples
    --------
    >>> print(printable("pump\n1"), printable("\x1b[31mred"), printable("\udc83|\udc93.wav"))
    pump\n1 \x1b[31mred \x83|\x93.wav
    """
    return text.translate(_UNPRINTABLE).encode(errors="replace").decode()


def printable_lines(text: str) -> str:
    """A text of several lines, each of them printable."""
    return "\n".join(map(printable, text.split("\n")))


def count(number: int, noun: str) -> str:
    """Number and noun for a sentence, in the language of this process.

    The noun is a text to translate, as those of `asd.language.tr`.

    Examples
    --------
    >>> count(1, "recording"), count(3, "recording")
    ('1 recording', '3 recordings')
    """
    return trn("{n} {noun}", "{n} {noun}s", number, noun=tr(noun))


def duration(seconds: float) -> str:
    """A time that work takes, as coarse as people take it.

    Examples
    --------
    >>> duration(8.4), duration(600), duration(9000)
    ('8 s', '10 min', '2.5 h')
    """
    if seconds < 99.5:
        return tr("{n:.0f} s", n=seconds)
    if seconds < 99.5 * 60:
        return tr("{n:.0f} min", n=seconds / 60)
    return tr("{n:.1f} h", n=seconds / 3600)


def some(words: Sequence[str], most: int = 5) -> str:
    """The first words of a list for a sentence, and how many more there are.

    Examples
    --------
    >>> some(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    shown = ", ".join(words[:most])
    if len(words) <= most:
        return shown
    return tr("{shown} and {n} more", shown=shown, n=len(words) - most)


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
