"""Trees of DCASE Challenge Task 2, 2020 to 2026, told by their file names.

The names are those of the task descriptions and of the official baseline
(nttcslab/dcase2023_task2_baseline_ae, README):

- 2020: ``<machine>/{train,test}/{normal,anomaly}_id_00_00000000.wav``; the evaluation test set
  has no label in its names;
- 2021 to 2026: ``<machine>/{train,test}/section_00_{source,target}_{train,test}_{normal,anomaly}_
  0000_<attributes>.wav``, in 2021 also in folders ``source_test`` and ``target_test``; evaluation
  test sets leave out the label and, from 2022, the domain; ``attributes_00.csv`` beside the
  folders gives each file's attributes as pairs of columns ``d1p,d1v,d2p,d2v,...``;
- ``supplemental/`` (from 2025) holds clean machine sound or noise alone;
- from 2026 files have two channels, the microphone near the machine first, then one far from it.
"""

import re
from pathlib import Path
from typing import cast

from asd.data.manifest import Domain, Label, Split
from asd.data.recordings import Layout, Recording, unique_names, unused
from asd.data.tables import read_table
from asd.language import tr
from asd.text import count

_NAME_2020 = re.compile(r"(?:(?P<label>normal|anomaly)_)?(?P<section>id_\d+)_\d+")
_NAME = re.compile(
    r"(?P<section>section_\d+)(?:_(?P<domain>source|target))?_(?P<split>train|test)"
    r"(?:_(?P<label>normal|anomaly))?_\d+(?:_(?P<attributes>.*))?"
)
_NO_ATTRIBUTES = ("", "noAttribute")
_SUPPLEMENTAL = "supplemental"


def read_dcase(source: Path, paths: list[Path]) -> Layout | None:
    """Read a DCASE Task 2 tree: one machine, or many below one root.

    Machine and section become ``machine`` (``fan/section_00``, ``fan/id_00``), attributes
    become the condition (``vel_6_loc_A``). Supplemental files are left out: clean sound or noise
    alone is not what the machine sounds like in its place.

    Parameters
    ----------
    source : Path
        The root, for names relative to it.
    paths : list of Path
        Every audio file below the root.

    Returns
    -------
    Layout or None
        None where no file is named in this way.
    """
    names = unique_names(source, paths)
    attributes = _Attributes()
    placed = {path: _recording(path, names[path], attributes) for path in paths}
    recordings = tuple(recording for recording in placed.values() if recording)
    if not recordings:
        return None
    left = [path for path, recording in placed.items() if recording is None]
    extra = [path for path in left if path.parent.name == _SUPPLEMENTAL]
    other = [path for path in left if path.parent.name != _SUPPLEMENTAL]
    machines = {recording.machine for recording in recordings}
    note = tr(
        "DCASE Task 2 tree with {sections} and {recordings}",
        sections=count(len(machines), "machine section"),
        recordings=count(len(recordings), "recording"),
    )
    left_out = unused(extra, tr("of supplemental sound")) + unused(other, tr("named otherwise"))
    return Layout("dcase", recordings, note, left_out)


class _Attributes:
    """The attribute tables of all machines, each read once."""

    def __init__(self) -> None:
        self._tables: dict[Path, dict[str, str]] = {}

    def of(self, path: Path, in_name: str | None) -> str:
        machine = path.parent.parent
        if machine not in self._tables:
            self._tables[machine] = _read_attributes(machine)
        listed = self._tables[machine].get(path.stem)
        if listed is not None:
            return listed
        return "" if in_name is None or in_name in _NO_ATTRIBUTES else in_name.strip("_")


def _read_attributes(machine: Path) -> dict[str, str]:
    table: dict[str, str] = {}
    for path in sorted(machine.glob("attributes_*.csv")):
        for _, row in read_table(path).rows:
            name, *cells = (cell.strip() for cell in row)
            # Some years list the file with folder and suffix, some without either.
            stem = name.rsplit("/", 1)[-1].removesuffix(".wav")
            pairs = zip(cells[::2], cells[1::2], strict=False)
            words = [word for pair in pairs if pair[0] not in _NO_ATTRIBUTES for word in pair]
            table[stem] = "_".join(word for word in words if word)
    return table


def _recording(path: Path, name: str, attributes: _Attributes) -> Recording | None:
    folder = path.parent.name
    match = _NAME.fullmatch(path.stem) or _NAME_2020.fullmatch(path.stem)
    if match is None or folder == _SUPPLEMENTAL:
        return None
    part = match.groupdict()
    split = part.get("split") or ("train" if folder == "train" else "test")
    label = part["label"] or ("normal" if split == "train" else "unknown")
    return Recording(
        path=path,
        name=name,
        label=cast(Label, label),
        split=cast(Split, split),
        machine=f"{path.resolve().parent.parent.name}/{part['section']}",
        condition=attributes.of(path, part.get("attributes")),
        domain=cast(Domain, part.get("domain") or "source"),
    )
