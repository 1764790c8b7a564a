"""docs/benchmarks.md: each benchmark writes its own section, between markers."""

import os
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "benchmarks.md"
REAL = Path(os.environ.get("ASD_DATA_DIR", PROJECT.parent / "shared" / "data"))
"""Folder of the real recordings."""


def write_section(name: str, title: str, lines: Sequence[str], page: Path = PAGE) -> None:
    """Put `lines` between the markers of a section; the rest of the page stays."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    text = page.read_text(encoding="utf-8") if page.is_file() else "# Benchmarks\n"
    if begin not in text:
        text += f"\n## {title}\n\n{begin}\n{end}\n"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(before + "\n".join([begin, "", *lines, "", end]) + after, encoding="utf-8")
