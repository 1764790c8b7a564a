"""Recognise how a source of recordings is laid out.

In this order: one file; a folder with ``labels.csv``; a DCASE Task 2 tree; ``normal/`` beside
``abnormal/`` or ``anomaly/``, also once for each machine (MIMII); a flat folder, all normal.
"""

from pathlib import Path
from typing import cast, get_args

from asd.audio.decode import find_audio
from asd.data.dcase import read_dcase
from asd.data.labels import LABELS_NAME, read_labels
from asd.data.manifest import Label, Split
from asd.data.recordings import Layout, Recording, unique_names, unused
from asd.errors import DataError
from asd.text import count, printable

__all__ = ["Layout", "Recording", "recognise"]

_LABEL_FOLDERS: dict[str, Label] = {
    "normal": "normal",
    "abnormal": "anomaly",
    "anomaly": "anomaly",
}


def recognise(source: Path) -> Layout:
    """Find the recordings of a source and what its layout says of them.

    Nothing is decoded: a file that cannot be used is found later.

    Parameters
    ----------
    source : Path
        One audio or video file, or a folder, searched recursively.

    Raises
    ------
    DataError
        The source does not exist or holds no audio, its ``labels.csv`` does not fit, or the
        folder holds sub-folders with a ``labels.csv`` each.
    """
    if source.is_file():
        recording = Recording(source, printable(source.stem), "normal")
        return Layout("file", (recording,), "one recording, taken as normal")
    if (source / LABELS_NAME).is_file():
        return read_labels(source)
    paths = find_audio(source)
    return read_dcase(source, paths) or _read_folders(source, paths) or _read_flat(source, paths)


def _read_folders(source: Path, paths: list[Path]) -> Layout | None:
    names = unique_names(source, paths)
    placed = {path: _in_label_folder(source, path, names[path]) for path in paths}
    recordings = tuple(recording for recording in placed.values() if recording)
    if not recordings:
        return None
    machines = {recording.machine for recording in recordings}
    note = f"folders normal and abnormal with {count(len(recordings), 'recording')}"
    if machines != {""}:
        note += f" of {count(len(machines), 'machine')}"
    outside = [path for path, recording in placed.items() if recording is None]
    return Layout("folders", recordings, note + unused(outside, source, "outside these folders"))


def _in_label_folder(source: Path, path: Path, name: str) -> Recording | None:
    folders = path.relative_to(source).parts[:-1]
    marks = [i for i, folder in enumerate(folders) if folder.lower() in _LABEL_FOLDERS]
    if not marks:
        return None
    above, below = list(folders[: marks[-1]]), folders[marks[-1] + 1 :]
    label = _LABEL_FOLDERS[folders[marks[-1]].lower()]
    split = next((word for word in above if word in get_args(Split)), None)
    if split == "train" and label != "normal":
        raise DataError(f"{path}: an anomaly below train/; training takes normal recordings only")
    machine, setting = _machine(source, [word for word in above if word != split])
    return Recording(
        path=path,
        name=name,
        label=label,
        split=cast(Split | None, split),
        machine=machine,
        condition="/".join([*setting, *below]),
    )


def _machine(source: Path, folders: list[str]) -> tuple[str, list[str]]:
    """Machine, and the folders above it, from the folders that lead to a label folder.

    MIMII trees end in ``<machine>/<id>``, and stand below one folder for each noise level
    (``-6_dB_fan/fan/id_00``): that folder is a condition, not a machine. Where the source is
    the machine's or the id's own folder, the missing words are those of the source's path.
    """
    root = source.resolve()
    whole = [*root.parts, *folders]
    if whole[-1].startswith("id_") and whole[-1][3:].isdigit() and len(whole) > 2:
        return "/".join(whole[-2:]), folders[:-2]
    return "/".join(folders), []


def _read_flat(source: Path, paths: list[Path]) -> Layout:
    tables = sorted(source.rglob(LABELS_NAME))
    if tables:
        raise DataError(
            f"{source}: {LABELS_NAME} stands in a sub-folder ({tables[0]}); give that folder as "
            "source, or one table at the top"
        )
    names = unique_names(source, paths)
    recordings = tuple(Recording(path, names[path], "normal") for path in paths)
    note = f"flat folder: {count(len(recordings), 'recording')}, taken as normal"
    return Layout("flat", recordings, note)
