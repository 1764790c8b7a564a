"""What was taken for what, and what was left out: one table for the eye."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asd.audio.folders import LeftOut
from asd.data.manifest import Split
from asd.data.recordings import Recording, below, grouped
from asd.data.split import SIDES
from asd.language import tr
from asd.text import markdown_table

_MOST_ROWS = 16

Sides = Mapping[str, Sequence[tuple[Split | None, float]]]
"""Side and seconds of each clip of a recording, by the recording's name."""


@dataclass
class _Row:
    recordings: dict[Split, set[str]] = field(default_factory=lambda: defaultdict(set))
    seconds: dict[Split, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, recording: str, clips: Sequence[tuple[Split | None, float]]) -> None:
        for side, seconds in clips:
            if side:
                self.recordings[side].add(recording)
                self.seconds[side] += seconds

    def cells(self) -> list[str]:
        return [
            tr("{n} ({seconds:.1f} s)", n=len(self.recordings[side]), seconds=self.seconds[side])
            if self.recordings[side]
            else "-"
            for side in SIDES
        ]


def overview(
    recordings: Sequence[Recording], clips: Sides, left_out: Sequence[LeftOut], source: Path
) -> list[str]:
    """A table of recordings and seconds by folder, label and side, and of what is left out.

    Parameters
    ----------
    recordings : sequence of Recording
        Those that are used.
    clips : mapping
        What became of each.
    left_out : sequence of LeftOut
        What is not used.
    source : Path
        For names of folders.

    Returns
    -------
    list of str
        What the figures are, and the lines of a Markdown table.
    """
    rows: dict[tuple[str, str], _Row] = defaultdict(_Row)
    total = _Row()
    shown = _depth(recordings, source)
    for recording in recordings:
        for row in (rows[_folder(source, recording.path, shown), recording.label], total):
            row.add(recording.whole, clips[recording.name])
    table = [[folder, label, *row.cells()] for (folder, label), row in sorted(rows.items())]
    table.append([tr("all that is used"), "", *total.cells()])
    for what, first, n in grouped(left_out, source):
        table.append([f"{first}{' ...' if n > 1 else ''}", tr("not used: {what}", what=what)])
    filled = [[*row, *[""] * (len(SIDES) + 2 - len(row))] for row in table]
    lines = markdown_table([tr("found in"), tr("taken as"), *SIDES], filled, "llrrr")
    return [tr("recordings (and seconds) on each side of the split:"), *lines]


def _depth(recordings: Sequence[Recording], source: Path) -> int:
    """How many folders deep the table goes without becoming too long."""
    depth = 8
    while depth and len({(_folder(source, r.path, depth), r.label) for r in recordings}) > (
        _MOST_ROWS
    ):
        depth -= 1
    return depth


def _folder(source: Path, path: Path, depth: int) -> str:
    folders = Path(below(source, path)).parts[:-1]
    if not folders:
        return tr("(top)") if source.is_dir() else path.name
    if not depth:
        return tr("(all folders)")
    return "/".join(folders[:depth]) + ("/" if len(folders) <= depth else "/...")
