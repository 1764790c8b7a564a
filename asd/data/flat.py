"""A folder that says nothing of labels: all its recordings are taken as normal."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from asd.data.label_folders import Folders, doubt_warning, sides_said
from asd.data.recordings import Layout, Recording, below, unique_names
from asd.data.source import Source
from asd.data.words import suspicious
from asd.errors import DataError
from asd.language import tr
from asd.text import count, some


def read_flat(source: Source, obey_folders: bool = True) -> Layout:
    """Take all recordings as normal, and warn of all that may say otherwise.

    Parameters
    ----------
    source : Source
        The folder.
    obey_folders : bool
        Put recordings on the side of the split that their folders name. Where false, nothing but
        the recordings counts, and nothing is warned of.

    Raises
    ------
    DataError
        A sub-folder holds a ``labels.csv``.
    """
    root, paths = source.root, source.recordings
    names = unique_names(root, paths)
    folders = {path: Folders.of(root, path) if obey_folders else None for path in paths}
    recordings = tuple(
        Recording(path, names[path], "normal", found.split if found else None)
        for path, found in folders.items()
    )
    note = tr(
        "flat folder: {recordings}, taken as normal", recordings=count(len(recordings), "recording")
    )
    note += sides_said(recordings)
    if not obey_folders:
        return Layout("flat", recordings, f"{note} (layout=flat)")
    tables = source.tables_of_labels()
    _check_tables(root, tables)
    unsaid = ["/".join((*f.names, *f.inner)) for f in folders.values() if f]
    warnings = truth_warning(root, recordings, unsaid, tables)
    warnings += doubt_warning(found for found in folders.values() if found)
    return Layout("flat", recordings, note, warnings=warnings)


def truth_warning(
    source: Path, recordings: Sequence[Recording], folders: Iterable[str], tables: Sequence[str]
) -> tuple[str, ...]:
    """What speaks against taking all recordings as normal, as one warning, or none.

    Parameters
    ----------
    source : Path
        The source; its own name counts too.
    recordings : sequence of Recording
        Those that are taken as normal.
    folders : iterable of str
        Sub-folders that were not understood, one entry a recording; empty for none.
    tables : sequence of str
        Tables that seem to hold labels.
    """
    signs = []
    unknown = Counter(folder for folder in folders if folder)
    if unknown:
        listed = [f"{name}/ ({n})" for name, n in unknown.items()]
        signs.append(f"{count(len(unknown), 'sub-folder')} {some(listed)}")
    if tables:
        signs.append(f"{count(len(tables), 'table')} {some(list(tables))}")
    names = [f"{source.resolve().name}/{below(source, r.path)}" for r in recordings]
    spoken = {name: word for name in names if (word := suspicious(name.removesuffix("/")))}
    if spoken:
        words = some([f"{word} ({n})" for word, n in Counter(spoken.values()).items()])
        signs.append(f"names with {words}, first {next(iter(spoken))}")
    if not signs:
        return ()
    return (
        tr(
            "all {recordings} are taken as normal, and what may say otherwise is not "
            "used: {signs}; put faults below anomaly/ beside normal/, or list all in "
            "labels.csv; layout=flat says that all are normal",
            recordings=count(len(recordings), "recording"),
            signs="; ".join(signs),
        ),
    )


def _check_tables(root: Path, tables: Sequence[str]) -> None:
    inside = [name for name in tables if name.endswith("/labels.csv")]
    if inside:
        raise DataError(
            tr(
                "{root}: labels.csv stands in a sub-folder ({inside}); give that "
                "folder as source, or one table at the top",
                root=root,
                inside=inside[0],
            )
        )
