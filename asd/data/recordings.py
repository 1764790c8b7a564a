"""What is known of a recording before it is cut into clips."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asd.data.manifest import Domain, Label, Split
from asd.text import count, printable

LayoutKind = Literal["file", "labels.csv", "folders", "dcase", "flat"]


@dataclass(frozen=True)
class Recording:
    """One audio or video file with all that its layout says of it."""

    path: Path
    """The file itself."""
    name: str
    """Stable and unique: the path below the source, forward slashes, without suffix."""
    label: Label
    """Ground truth."""
    split: Split | None = None
    """The side that the layout prescribes; None leaves the choice to `asd.data.split`."""
    machine: str = ""
    """Which machine, with its section or id where there is one (``fan/section_00``)."""
    condition: str = ""
    """Fault, operating state or attributes."""
    domain: Domain = "source"
    """`target` for shifted conditions (DCASE)."""
    group: str = ""
    """Files with the same group are parts of one recording; empty for a file of its own."""

    session: str = ""
    """Which session (a flight, a day, a mounting of the microphone) it is of; empty for one of
    its own."""

    @property
    def whole(self) -> str:
        """The recording that the file is a part of: the group, or else the file itself."""
        return self.group or self.name

    @property
    def unit(self) -> str:
        """What must stay on one side of the split: the session, or else the recording."""
        return self.session or self.whole


@dataclass(frozen=True)
class Layout:
    """What was recognised in a source."""

    kind: LayoutKind
    recordings: tuple[Recording, ...]
    note: str
    """One sentence for the report: what was recognised, and what is not used."""


def unique_names(source: Path, paths: list[Path]) -> dict[Path, str]:
    """Name each file by its path below `source`, without suffix where that is unambiguous."""
    full = {path: _below(source, path) for path in paths}
    short = {path: name.removesuffix(printable(path.suffix)) for path, name in full.items()}
    counts: dict[str, int] = {}
    for name in short.values():
        counts[name] = counts.get(name, 0) + 1
    return {path: name if counts[name] == 1 else full[path] for path, name in short.items()}


def unused(paths: list[Path], source: Path, why: str) -> str:
    """End of a layout's sentence about files that are not used; empty for none."""
    if not paths:
        return ""
    return f"; not used: {count(len(paths), 'file')} {why}, first {_below(source, paths[0])}"


def _below(source: Path, path: Path) -> str:
    root = source if source.is_dir() else source.parent
    below = path.relative_to(root) if path.is_relative_to(root) else path
    return printable(below.as_posix())
