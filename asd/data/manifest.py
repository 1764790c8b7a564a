"""The manifest: what each clip is, kept beside the audio as ``manifest.csv``."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from asd.data.inside import check_inside
from asd.data.tables import read_table
from asd.errors import DataError
from asd.files import plain_text, write_csv
from asd.language import tr
from asd.text import printable

MANIFEST_NAME = "manifest.csv"

Split = Literal["train", "valid", "test"]
Label = Literal["normal", "anomaly", "unknown"]
Domain = Literal["source", "target"]


Text = Annotated[str, AfterValidator(plain_text)]
"""A word of whoever named a recording, as a table can hold it; see `asd.files.cell`."""


def _empty_to_none(value: object) -> object:
    return None if value == "" else value


class Clip(BaseModel):
    """One clip: a row of the manifest."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    path: str = Field(min_length=1)
    """Audio file, relative to the folder of the manifest, with forward slashes."""
    recording: Text = Field(min_length=1)
    """The recording that the clip was cut from; no recording stands on two sides of a split."""
    start_s: float = Field(ge=0)
    """Where the clip begins in its recording, in seconds."""
    duration_s: float = Field(gt=0, le=3600)
    """Length in seconds; `clip_seconds` may be as long."""
    split: Split
    """The side of the split on which the clip stands."""
    label: Label
    """Ground truth; `unknown` takes part in no metric."""
    machine: Text = ""
    """Which machine; empty where there is one only."""
    session: Text = ""
    """Which session (a flight, a day, a mounting of the microphone) the recording is of; empty
    where each recording is one of its own. Sessions are held out whole."""
    domain: Domain = "source"
    """`source` for the conditions trained on, `target` for shifted ones (DCASE)."""
    condition: Text = ""
    """Free word by which metrics are grouped: a fault, a state, what was done to the clip."""
    pitch_semitones: float = 0.0
    """Semitones by which the clip was shifted."""
    noise: Text = ""
    """Name of the sound laid over the clip; empty for none."""
    noise_gain_db: Annotated[float | None, BeforeValidator(_empty_to_none)] = None
    """Gain at which that sound was laid over, in dB; empty for none."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Digest of the audio file's bytes."""


COLUMNS = tuple(Clip.model_fields)
_TOUCHING_S = 1e-3
"""So near each other, clips are neighbours: their times are rounded."""
_ADDED = ("session",)
"""Columns that manifests of earlier releases do not have."""


@dataclass(frozen=True)
class Dataset:
    """A folder of clips with its manifest."""

    root: Path
    clips: tuple[Clip, ...]
    machine: str = ""
    """The machine of all clips, where they are a part of a data set of several machines."""

    @property
    def name(self) -> str:
        """The folder's own name, and the machine's."""
        name = printable(self.root.resolve().name)
        return f"{name}-{printable(self.machine)}" if self.machine else name

    @cached_property
    def digest(self) -> str:
        """Identity of the data: 16 hex digits over all rows, whatever their order."""
        rows = sorted("\x1f".join(_identity(clip)) for clip in self.clips)
        return hashlib.sha256("\x1e".join(rows).encode()).hexdigest()[:16]

    def file(self, clip: Clip) -> Path:
        """The clip's audio file."""
        return self.root / clip.path

    def select(self, keep: Callable[[Clip], bool]) -> "Dataset":
        """The data set of the clips for which `keep` is true; the digest is theirs."""
        return replace(self, clips=tuple(clip for clip in self.clips if keep(clip)))

    def take(self, places: Iterable[int]) -> "Dataset":
        """Some of the clips, in the order of `places`."""
        return replace(self, clips=tuple(self.clips[place] for place in places))

    def split(self, name: Split, label: Label | None = None) -> "Dataset":
        """One side of the split, all labels or one."""
        return self.select(lambda c: c.split == name and (label is None or c.label == label))

    def by_machine(self) -> "list[Dataset]":
        """The data set of each machine; this one, where there is one machine only."""
        names = sorted({clip.machine for clip in self.clips})
        if len(names) == 1:
            return [self]
        parts = {name: self.select(lambda c, name=name: c.machine == name) for name in names}  # type: ignore[misc]
        return [replace(part, machine=name) for name, part in parts.items()]

    def recordings(self) -> set[str]:
        """Names of the recordings that the clips are cut from."""
        return {clip.recording for clip in self.clips}

    def seconds(self) -> float:
        """Total length of the clips in seconds."""
        return sum(clip.duration_s for clip in self.clips)


def load(root: Path) -> Dataset:
    """Read the manifest of a data set.

    Parameters
    ----------
    root : Path
        Folder that holds ``manifest.csv``.

    Raises
    ------
    DataError
        The folder or manifest is missing or empty, a row does not fit, a path stands twice or
        leads out of the folder, neighbouring clips of a recording stand on two sides, or a listed
        file is missing.
    """
    path = root / MANIFEST_NAME
    if not path.is_file():
        raise DataError(
            tr(
                "{root}: no data set here (no {name}); make one with preprocess",
                root=root,
                name=MANIFEST_NAME,
            )
        )
    table = read_table(path)
    missing = [c for c in COLUMNS if c not in table.columns and c not in _ADDED]
    if missing:
        raise DataError(
            tr(
                "{path}: missing columns {missing}; name them in its first line again, "
                "or run preprocess again",
                path=path,
                missing=", ".join(missing),
            )
        )
    clips = tuple(_row(path, line, row) for line, row in table.records())
    _check(path, clips)
    check_inside(root, [clip.path for clip in clips], path)
    absent = [clip.path for clip in clips if not (root / clip.path).is_file()]
    if absent:
        raise DataError(
            tr(
                "{path}: {n} listed files are missing, first {first}",
                path=path,
                n=len(absent),
                first=absent[0],
            )
        )
    return Dataset(root, clips)


def save(root: Path, clips: Iterable[Clip]) -> Dataset:
    """Write the manifest whole or not at all, and give back the data set.

    Raises
    ------
    DataError
        There is no clip, a path stands twice, or neighbouring clips of a recording stand on two
        sides.
    """
    rows = tuple(clips)
    path = root / MANIFEST_NAME
    _check(path, rows)
    write_csv(path, COLUMNS, map(_cells, rows))
    return Dataset(root, rows)


def _row(path: Path, number: int, row: dict[str, str]) -> Clip:
    try:
        return Clip.model_validate({column: row[column] for column in COLUMNS if column in row})
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        where = f"{path}, line {number}, {key}={row.get(key)!r}"
        raise DataError(f"{where}: {problem['msg']}") from error


def _check(path: Path, clips: tuple[Clip, ...]) -> None:
    if not clips:
        raise DataError(tr("{path}: lists no clip; there is nothing to work on", path=path))
    seen: set[str] = set()
    for clip in clips:
        if clip.path in seen:
            raise DataError(
                tr(
                    "{path}: {clip} stands twice; each file may be listed once",
                    path=path,
                    clip=clip.path,
                )
            )
        seen.add(clip.path)
    _check_apart(path, clips)


def _check_apart(path: Path, clips: tuple[Clip, ...]) -> None:
    """Refuse neighbouring clips of a recording on two sides: one would tell of the other.

    The only recording of a machine may stand on several sides, in blocks with a gap between them.
    """
    told = sorted(((_source(clip), clip) for clip in clips), key=lambda t: (t[0], t[1].start_s))
    for (source, one), (other_source, other) in pairwise(told):
        gap_s = other.start_s - one.start_s - one.duration_s
        is_neighbour = source == other_source and gap_s <= _TOUCHING_S
        if is_neighbour and one.split != other.split:
            raise DataError(
                tr(
                    "{path}: {one} ({side}) and {other} ({other_side}) are neighbours in the "
                    "recording {recording}; give all clips of a recording one side, or run "
                    "preprocess again",
                    path=path,
                    one=one.path,
                    side=one.split,
                    other=other.path,
                    other_side=other.split,
                    recording=one.recording,
                )
            )


def _source(clip: Clip) -> tuple[str, str, str]:
    """What the clip's time counts in: of a recording in several files, the name tells which."""
    return clip.machine, clip.recording, PurePosixPath(clip.path).stem.rpartition("_")[0]


def _identity(clip: Clip) -> list[str]:
    """The cells that tell clips apart; data sets without sessions keep the digest they had."""
    cells = dict(zip(COLUMNS, _cells(clip), strict=True))
    return [text for name, text in cells.items() if text or name not in _ADDED]


def _cells(clip: Clip) -> list[str]:
    return ["" if value is None else str(value) for value in clip.model_dump().values()]
