"""docs/benchmarks.md: each benchmark writes its own section, between markers."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "benchmarks.md"
REAL = Path(os.environ.get("ASD_DATA_DIR", PROJECT.parent / "shared" / "data"))
"""Folder of the real recordings."""

Row = tuple[str, str]
"""What was measured, and what came out."""


def write_section(name: str, title: str, lines: Sequence[str], page: Path = PAGE) -> None:
    """Put `lines` between the markers of a section; the rest of the page stays."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    text = page.read_text(encoding="utf-8") if page.is_file() else "# Benchmarks\n"
    if begin not in text:
        text += f"\n## {title}\n\n{begin}\n{end}\n"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(before + "\n".join([begin, "", *lines, "", end]) + after, encoding="utf-8")


def column_table(name: str, column: str, rows: Iterable[Row], page: Path = PAGE) -> list[str]:
    """The table of a section with a column written anew; the other columns stay as they are.

    Parameters
    ----------
    name : str
        The section, whose first table has what was measured in its first column.
    column : str
        Head of the column, as the processor.
    rows : iterable of Row
        What was measured, and the cell.
    page : Path
        Where the section is.
    """
    head, cells = _table(name, page)
    head = [*head, column] if column not in head else head
    for what, told in rows:
        cells.setdefault(what, {})[column] = told
    table = [[what, *(known.get(key, "") for key in head)] for what, known in cells.items()]
    lines = [["what", *head], ["---"] * (1 + len(head)), *table]
    return [f"| {' | '.join(line)} |" for line in lines]


def _table(name: str, page: Path) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Heads of the columns behind the first, and the cells of each row by them."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    section = text.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    if len(table) < 2:
        return [], {}
    head = table[0][1:]
    return head, {row[0]: dict(zip(head, row[1:], strict=True)) for row in table[2:]}
