"""Folders of the original scripts: ``train/ valid/ test/ pitch-train/ noised-pitched-test/ ...``.

The scripts left no table: all is in the names. ``<name>_seg0001.wav`` is a part of the recording
``<name>``; in folders called after pitch, ``<semitones>_`` stands in front; and
``_noisy_<noise>_+6.3dB`` behind where a sound was laid over. A test clip is an anomaly where its
file name has Japanese characters: the foreign sounds had Japanese names, the recordings had not.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asd.audio.noise import noise_kind
from asd.data.manifest import Split
from asd.data.recordings import Layout, Recording, below, unique_names, unused
from asd.data.words import is_japanese, label_of, made_side
from asd.language import tr
from asd.text import count, some

_NOISY = re.compile(r"(?P<clip>.+)_noisy_(?P<noise>.+)_(?P<gain>[+-]?\d+(?:\.\d+)?)dB")
_PITCHED = re.compile(r"(?P<semitones>[+-]?\d{1,2}(?:\.\d+)?)_(?P<clip>.+)")
_SEGMENT = re.compile(r"(?P<name>.+)_seg\d+")
_PITCH_WORDS = {"pitch", "pitched"}


@dataclass(frozen=True)
class _Parts:
    """What the name of a file says."""

    path: Path
    name: str
    """Of the recording."""
    side: Split
    semitones: float = 0.0
    noise: str = ""
    gain_db: float | None = None

    @property
    def condition(self) -> str:
        if self.noise:
            return f"noise_{noise_kind(self.noise)}"
        if self.semitones:
            word = "up" if self.semitones > 0 else "down"
            return f"pitch_{word}_{abs(self.semitones):g}"
        return ""

    def anomalous(self, by_noise_only: bool) -> bool:
        """The rule of the scripts; recordings that are all called in Japanese say nothing."""
        return is_japanese(self.noise if by_noise_only else self.path.name)


def read_scripts(source: Path, paths: list[Path]) -> Layout | None:
    """Read folders that the original scripts made, or that were laid out for them.

    Split, recording and truth are taken from the names. The scripts drew segments at random, so
    that a recording stands on several sides: the sides are obeyed, and a warning says so.

    Parameters
    ----------
    source : Path
        The root.
    paths : list of Path
        Every audio file below it.

    Returns
    -------
    Layout or None
        None where no folder holds files of the scripts.
    """
    placed = {path: parts for path in paths if (parts := _parts(source, path))}
    if not any(_is_made(parts) for parts in placed.values()):
        return None
    names = unique_names(source, list(placed))
    learned = [parts for parts in placed.values() if parts.side == "train"]
    by_noise_only = bool(learned) and all(is_japanese(parts.name) for parts in learned)
    odd = [parts.path for parts in learned if parts.anomalous(by_noise_only)]
    used = [parts for path, parts in placed.items() if path not in odd]
    shared = _shared(used)
    return Layout(
        "scripts",
        tuple(_recording(parts, names[parts.path], by_noise_only, shared) for parts in used),
        _found(used, by_noise_only),
        unused((path for path in paths if path not in placed), tr("outside train, valid and test"))
        + unused(
            odd, tr("of train with Japanese characters in their names: anomalies by that rule")
        ),
        _warnings(shared, odd, source),
    )


def _parts(source: Path, path: Path) -> _Parts | None:
    """What a file's name and folder say; None outside folders of the scripts."""
    folders = Path(below(source, path)).parts[:-1]
    found = made_side(folders[-1]) if folders else None
    if not found or any(label_of(name) for name in folders):
        return None
    side, done = found
    stem, noise, gain = path.stem, "", None
    if match := _NOISY.fullmatch(stem):
        stem, noise, gain = match["clip"], match["noise"], float(match["gain"])
    semitones = 0.0
    if done & _PITCH_WORDS and (match := _PITCHED.fullmatch(stem)):
        stem, semitones = match["clip"], float(match["semitones"])
    segment = _SEGMENT.fullmatch(stem)
    name = "/".join((*folders[:-1], segment["name"] if segment else stem))
    return _Parts(path, name, side, semitones, noise, gain)


def _is_made(parts: _Parts) -> bool:
    """Whether folder or name is one that only the scripts make."""
    return bool(
        parts.semitones
        or parts.noise
        or _SEGMENT.fullmatch(parts.path.stem)
        or "-" in parts.path.parent.name
    )


def _shared(used: Iterable[_Parts]) -> set[str]:
    """Recordings with segments on more than one side."""
    sides: dict[str, set[Split]] = defaultdict(set)
    for parts in used:
        sides[parts.name].add(parts.side)
    return {name for name, found in sides.items() if len(found) > 1}


def _recording(parts: _Parts, name: str, by_noise_only: bool, shared: set[str]) -> Recording:
    recording = Recording(
        path=parts.path,
        name=name,
        label="anomaly" if parts.anomalous(by_noise_only) else "normal",
        split=parts.side,
        machine="/".join(parts.name.split("/")[:-1]),
        condition=parts.condition,
        group=parts.name,
        pitch_semitones=parts.semitones,
        noise=parts.noise,
        noise_gain_db=parts.gain_db,
    )
    if parts.name not in shared:
        return recording
    return replace(recording, group=f"{parts.name} ({parts.side})")


def _found(used: Sequence[_Parts], by_noise_only: bool) -> str:
    recordings = {parts.name for parts in used}
    where = tr("the name of the sound laid over") if by_noise_only else tr("the file name")
    return tr(
        "folders of the original scripts with {clips} of {recordings}; a clip is "
        "an anomaly where {where} has Japanese characters, and normal elsewhere",
        clips=count(len(used), "clip"),
        recordings=count(len(recordings), "recording"),
        where=where,
    )


def _warnings(shared: set[str], odd: list[Path], source: Path) -> tuple[str, ...]:
    warnings = []
    if shared:
        warnings.append(
            tr(
                "{recordings} with segments on several sides, as the scripts drew them: "
                "{shared}; results on new recordings will be worse; preprocess the "
                "recordings themselves to split by recording",
                recordings=count(len(shared), "recording"),
                shared=some(sorted(shared)),
            )
        )
    if odd:
        warnings.append(
            tr(
                "{files} of train with Japanese characters in their names, anomalies by that rule, "
                "first {first}; they are not used; where they are normal, say so in labels.csv",
                files=count(len(odd), "file"),
                first=below(source, odd[0]),
            )
        )
    return tuple(warnings)
