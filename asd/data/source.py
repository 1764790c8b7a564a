"""What stands in a source: recordings, tables, and what is neither."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from asd.audio.folders import AUDIO_SUFFIXES, LeftOut, is_audio, walk
from asd.data.recordings import below, grouped, no_sound
from asd.data.tables import glance
from asd.errors import DataError
from asd.language import tr

_LABELS = re.compile(r"labels?\.(csv|tsv)(\.txt)?", re.IGNORECASE)
_TABLE = re.compile(r".*\.(csv|tsv|csv\.txt|xlsx?|ods)", re.IGNORECASE)
_FILE_COLUMN = re.compile(r"(file|path|name|wav|audio|recording|ファイル|録音).*", re.IGNORECASE)
_LABEL_COLUMN = re.compile(r"labels?|class|truth|state|status|ラベル|正解|判定|状態", re.IGNORECASE)
_MOST_TABLES = 50
"""So many tables are looked into; more of them are no labels."""


@dataclass(frozen=True)
class Source:
    """The files of a folder."""

    root: Path
    recordings: list[Path]
    """Files with a suffix of sound or video, sorted."""
    others: list[Path]
    """All other files, sorted."""
    left_out: tuple[LeftOut, ...]
    """Links, folders and hidden recordings that cannot be used."""

    @classmethod
    def of(cls, root: Path) -> "Source":
        """List a folder.

        Raises
        ------
        DataError
            There is no such folder.
        """
        if not root.is_dir():
            raise DataError(tr("{root}: no such file or folder; check source", root=root))
        found = walk(root)
        left_out = tuple(
            left for left in found.left_out if left.noun != "hidden file" or is_audio(left.path)
        )
        recordings = [path for path in found.files if is_audio(path)]
        others = [path for path in found.files if not is_audio(path)]
        return cls(root, recordings, others, left_out)

    def check_recordings(self) -> None:
        """Raise where there is no recording.

        Raises
        ------
        DataError
            Names what is there instead.
        """
        if not self.recordings:
            groups = grouped((*self.left_out, *no_sound(self.others)), self.root)
            there = "; ".join(
                tr("{what}, first {first}", what=what, first=first) for what, first, _ in groups
            )
            suffixes = " ".join(sorted(AUDIO_SUFFIXES))
            raise DataError(
                tr(
                    "{root}: no recordings in this folder (found: {there}); put files there "
                    "of {suffixes}",
                    root=self.root,
                    there=there or tr("nothing"),
                    suffixes=suffixes,
                )
            )

    def labels_table(self) -> Path | None:
        """The table of labels at the top: ``labels.csv``, or what was meant by that.

        Raises
        ------
        DataError
            There are several, and none is ``labels.csv``.
        """
        tables = [path for path in self._tables_at_top() if _LABELS.fullmatch(path.name)]
        exact = [path for path in tables if path.name == "labels.csv"]
        if len(tables) > 1 and not exact:
            names = " and ".join(path.name for path in tables)
            raise DataError(
                tr(
                    "{root}: {names} are there; call the one to be used labels.csv",
                    root=self.root,
                    names=names,
                )
            )
        return next(iter(exact or tables), None)

    def tables_of_labels(self) -> list[str]:
        """Names of tables, at any depth, that seem to say which recordings are normal."""
        tables = [path for path in self.others if _TABLE.fullmatch(path.name)][:_MOST_TABLES]
        return [below(self.root, path) for path in tables if _seems_of_labels(path)]

    def _tables_at_top(self) -> Iterable[Path]:
        return (path for path in self.others if path.parent == self.root)


def _seems_of_labels(path: Path) -> bool:
    if re.match(r"labels?\b", path.name, re.IGNORECASE):
        return True
    columns = glance(path)
    return any(map(_FILE_COLUMN.fullmatch, columns)) and any(map(_LABEL_COLUMN.fullmatch, columns))
