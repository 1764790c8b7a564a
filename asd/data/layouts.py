"""Recognise how a source of recordings is laid out.

In this order: one file; a folder with ``labels.csv``; a DCASE Task 2 tree; folders of the original
scripts; folders named after normal and abnormal, also once for each machine (MIMII); a flat
folder, all normal.
"""

import re
from dataclasses import replace
from pathlib import Path

from asd.audio.folders import LeftOut
from asd.data.dcase import read_dcase
from asd.data.flat import read_flat, truth_warning
from asd.data.label_folders import read_folders
from asd.data.labels import read_labels
from asd.data.recordings import Layout, Recording, no_sound
from asd.data.scripts import read_scripts
from asd.data.source import Source
from asd.language import tr
from asd.text import printable

__all__ = ["Layout", "Recording", "recognise"]

_OF_DCASE = re.compile(r"attributes_.*\.csv")


def recognise(path: Path, flat: bool = False) -> Layout:
    """Find the recordings of a source and what its layout says of them.

    Nothing is decoded: a file that cannot be used is found later.

    Parameters
    ----------
    path : Path
        One audio or video file, or a folder, searched recursively.
    flat : bool
        All recordings are normal and without a side, whatever folders, tables and names say.

    Raises
    ------
    DataError
        The source does not exist or holds no audio, its ``labels.csv`` does not fit, folders
        contradict each other, or sub-folders have a ``labels.csv`` each.
    """
    if path.is_file():
        recordings = (Recording(path, printable(path.stem), "normal"),)
        layout = Layout("file", recordings, tr("one recording, taken as normal"), root=path)
        return replace(layout, warnings=() if flat else truth_warning(path, recordings, [], []))
    source = Source.of(path)
    table = None if flat else source.labels_table()
    if not table:
        source.check_recordings()
    if flat:
        layout = read_flat(source, obey_folders=False)
    elif table:
        layout = read_labels(source, table)
    else:
        layout = (
            read_dcase(path, source.recordings)
            or read_scripts(path, source.recordings)
            or read_folders(path, source.recordings)
            or read_flat(source)
        )
    return _complete(layout, source, table, quiet=flat)


def _complete(layout: Layout, source: Source, table: Path | None, quiet: bool) -> Layout:
    """The layout with all that stands in the source and is not used."""
    used = {table, *(recording.path for recording in layout.recordings)}
    others = [
        path
        for path in source.others
        if path not in used and not (layout.kind == "dcase" and _OF_DCASE.fullmatch(path.name))
    ]
    left_out: tuple[LeftOut, ...] = (*layout.left_out, *source.left_out, *no_sound(others))
    warnings = layout.warnings
    if not quiet and layout.kind not in ("dcase", "flat"):
        tables = [name for name in source.tables_of_labels() if source.root / name != table]
        if tables:
            warnings += (
                tr(
                    "not used, though it may say which recordings are normal: {tables}; only "
                    "labels.csv at the top of the source is read",
                    tables=", ".join(tables),
                ),
            )
    return replace(layout, left_out=left_out, warnings=warnings, root=source.root)
