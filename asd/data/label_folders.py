"""Folders that are named after what their recordings are: ``normal/`` beside ``abnormal/``."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from asd.data.manifest import Label, Split
from asd.data.recordings import Layout, Recording, below, unique_names, unused
from asd.data.words import label_of, split_of
from asd.errors import DataError
from asd.language import tr
from asd.text import count, some

_LABEL_NAMES: dict[Label, str] = {"normal": "normal", "anomaly": "anomalies", "unknown": "unknown"}


@dataclass(frozen=True)
class Folders:
    """What the folders that lead to a file say of it."""

    label: Label | None
    split: Split | None
    names: tuple[str, ...]
    """Other folders above the one that names the label, or else the side."""
    inner: tuple[str, ...]
    """Other folders below it."""
    word: str
    """The folder that names the label, or else the side; empty for none."""
    doubt: str
    """Folders that name different sides, of which the inner one counts; empty for none."""

    @classmethod
    def of(cls, source: Path, path: Path) -> "Folders":
        """Read the folders between the source and a file.

        Raises
        ------
        DataError
            They name two labels, or an anomaly stands on the train side.
        """
        folders = Path(below(source, path)).parts[:-1]
        labels = {i: label for i, name in enumerate(folders) if (label := label_of(name))}
        sides = {i: side for i, name in enumerate(folders) if (side := split_of(name))}
        if len(set(labels.values())) > 1:
            words = " and ".join(repr(folders[i]) for i in labels)
            raise DataError(
                tr(
                    "{path}: its folders {words} contradict each other; rename one, or say "
                    "what holds in labels.csv",
                    path=path,
                    words=words,
                )
            )
        label = next(iter(labels.values()), None)
        split = sides[max(sides)] if sides else None
        if split == "train" and label not in ("normal", None):
            raise DataError(
                tr(
                    "{path}: an anomaly below train/; training takes normal recordings only, "
                    "move it to test/",
                    path=path,
                )
            )
        doubt = "/".join(folders[i] for i in sides) if len(set(sides.values())) > 1 else ""
        mark = max(labels or sides, default=-1)
        rest = [i for i in range(len(folders)) if i not in labels and i not in sides]
        return cls(
            label=label,
            split=split,
            names=tuple(folders[i] for i in rest if i < mark),
            inner=tuple(folders[i] for i in rest if i > mark),
            word=folders[mark] if mark >= 0 else "",
            doubt=doubt,
        )


def doubt_warning(folders: Iterable[Folders]) -> tuple[str, ...]:
    """Say where folders name two sides of the split."""
    doubts = list(dict.fromkeys(found.doubt for found in folders if found.doubt))
    if not doubts:
        return ()
    return (
        tr(
            "folders name two sides, of which the inner one is taken: {doubts}", doubts=some(doubts)
        ),
    )


def read_folders(source: Path, paths: list[Path]) -> Layout | None:
    """Read a tree with folders named after normal, abnormal or unknown, in any spelling.

    Folders named after a side of the split, above or below these, are obeyed; what stands on the
    train side without a label is normal. Other folders above name the machine, those below the
    condition.

    Parameters
    ----------
    source : Path
        The root.
    paths : list of Path
        Every audio file below it.

    Returns
    -------
    Layout or None
        None where no folder is named in this way.

    Raises
    ------
    DataError
        Folders contradict each other, or an anomaly stands on the train side.
    """
    folders = {path: Folders.of(source, path) for path in paths}
    if not any(found.label for found in folders.values()):
        return None
    names = unique_names(source, paths)
    recordings = tuple(
        _recording(source, path, names[path], found)
        for path, found in folders.items()
        if found.label or found.split == "train"
    )
    taken = {recording.path for recording in recordings}
    outside = [path for path in paths if path not in taken]
    return Layout(
        "folders",
        recordings,
        _found(recordings, folders),
        unused(outside, tr("outside these folders")),
        _outside_warning(source, outside) + doubt_warning(folders.values()),
    )


def _found(recordings: tuple[Recording, ...], folders: dict[Path, Folders]) -> str:
    words: dict[str, dict[str, None]] = {}
    for recording in recordings:
        names = words.setdefault(_LABEL_NAMES[recording.label], {})
        names[f"{folders[recording.path].word}/"] = None
    taken = ", ".join(
        tr("{names} taken as {label}", names=some(list(names)), label=label)
        for label, names in words.items()
    )
    machines = {recording.machine for recording in recordings}
    of = tr(" of {machines}", machines=count(len(machines), "machine")) if machines != {""} else ""
    obeyed = sides_said(recordings)
    return tr(
        "folders with {recordings}{of}, {taken}{obeyed}",
        recordings=count(len(recordings), "recording"),
        of=of,
        taken=taken,
        obeyed=obeyed,
    )


def sides_said(recordings: Iterable[Recording]) -> str:
    """Which sides of the split folders have given, as the end of a sentence; empty for none."""
    given = {recording.split for recording in recordings}
    named = [side for side in get_args(Split) if side in given]
    return tr("; sides as the folders say: {sides}", sides=", ".join(named)) if named else ""


def _outside_warning(source: Path, outside: list[Path]) -> tuple[str, ...]:
    """Folders whose names are no known words: the user meant something by them."""
    places = Counter(below(source, path.parent) for path in outside)
    if not places:
        return ()
    listed = [f"{tr('the top') if name == '.' else name + '/'} ({n})" for name, n in places.items()]
    return (
        tr(
            "{recordings} not used, for no folder says whether they are normal: "
            "{listed}; put them below normal/ or anomaly/, or list them in labels.csv",
            recordings=count(len(outside), "recording"),
            listed=some(listed),
        ),
    )


def _recording(source: Path, path: Path, name: str, folders: Folders) -> Recording:
    machine, setting = _machine(source, list(folders.names))
    return Recording(
        path=path,
        name=name,
        label=folders.label or "normal",
        split=folders.split,
        machine=machine,
        condition="/".join([*setting, *folders.inner]),
    )


def _machine(source: Path, folders: list[str]) -> tuple[str, list[str]]:
    """Machine, and the folders above it, from the folders that lead to a label folder.

    MIMII trees end in ``<machine>/<id>``, and stand below one folder for each noise level
    (``-6_dB_fan/fan/id_00``): that folder is a condition, not a machine. Where the source is
    the machine's or the id's own folder, the missing words are those of the source's path.
    """
    whole = [*source.resolve().parts, *folders]
    if whole[-1].startswith("id_") and whole[-1][3:].isdigit() and len(whole) > 2:
        return "/".join(whole[-2:]), folders[:-2]
    return "/".join(folders), []
