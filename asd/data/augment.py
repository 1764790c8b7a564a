"""A data set with clips that are shifted in pitch, or have other sounds laid over them."""

import hashlib
import os
import re
import shutil
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from asd.data import audio
from asd.data.encode import write_wav
from asd.data.manifest import Clip, Dataset, Label, Split, file_digest, save
from asd.data.output import check_output, whole_folder
from asd.data.overlay import overlay, snr_gain_db, trim_silence, within_full_scale
from asd.data.parallel import parallel_map
from asd.data.pitch import PitchMethod, shift
from asd.data.recordings import count
from asd.errors import AsdError, AudioError, ConfigError, DataError

MAX_SEMITONES = 24.0
"""Two octaves: beyond, little of a machine's sound is left in the band that is analysed."""

# Bytes of a file name that come from a sound's name; file systems allow 255 in all, of which
# a clip's own name takes up to 170.
_NOISE_NAME_BYTES = 60

Samples = NDArray[np.float32]
Side = Literal["test", "valid", "train", "all"]


@dataclass(frozen=True)
class AugmentReport:
    """What was done to a data set."""

    dataset: Dataset
    """The new data set."""
    carried: int
    """Clips that are the same files as before."""
    pitched: int
    """Clips shifted in pitch, counting those that also have a sound laid over."""
    noised: int
    """Clips with a sound laid over."""
    lowered: int
    """Clips that were turned down as a whole to stay within full scale."""
    headroom_db: float
    """The most that one of them was turned down, in dB."""
    warnings: tuple[str, ...]
    """What limits the use of the new data set."""

    def lines(self) -> list[str]:
        """The report as lines for the terminal."""
        changed = f"{self.pitched} shifted in pitch, {self.noised} with a sound laid over"
        lines = [f"{count(len(self.dataset.clips), 'clip')}: {self.carried} unchanged, {changed}"]
        if self.lowered:
            lines.append(
                f"turned down to stay within full scale: {count(self.lowered, 'clip')}, "
                f"by {self.headroom_db:.1f} dB at most"
            )
        return [*lines, *(f"warning: {warning}" for warning in self.warnings)]


@dataclass(frozen=True)
class _Noise:
    """A sound to lay over clips."""

    name: str
    samples: Samples


@dataclass(frozen=True)
class _Mix:
    """How a sound is laid over a clip: what is drawn, and what it is drawn by."""

    noise: _Noise
    rng: np.random.Generator
    gain_db: tuple[float, float]
    snr_db: tuple[float, float] | None
    label: Label


@dataclass(frozen=True)
class _Piece:
    """One clip of the new data set, before it is made."""

    clip: Clip
    """Its row as far as it is known."""
    file: Path
    """The clip that it is made from."""
    semitones: float = 0.0
    mix: _Mix | None = None


def augment(
    data: Dataset,
    output: Path,
    *,
    pitch: Sequence[float],
    pitch_method: PitchMethod,
    noise: Path | None,
    noise_count: int | Literal["all"],
    noise_gain_db: tuple[float, float],
    noise_snr_db: tuple[float, float] | None,
    noise_label: Literal["anomaly", "normal"],
    split: Side,
    seed: int,
    overwrite: bool,
) -> AugmentReport:
    """Make a data set with pitched copies of clips, then lay sounds over some of the clips.

    Every clip of `split` gets a copy for each pitch, and stays. Then clips are drawn among those
    labelled normal, the pitched ones included; each gets a sound at a random place laid over it,
    and *takes the place* of the clip without. With ``noise_count="all"``, no clip without a sound
    would be left, so there all stay beside. All other clips are carried over as they are.

    A copy belongs to the recording of its clip. Its condition is ``pitch_up_<n>`` or
    ``pitch_down_<n>``, except that an anomaly keeps the name of its fault; a clip with a sound
    has ``noise_<sound>``, where a number at the end of the sound's name does not count. What is
    drawn for a clip depends on the seed and the clip's name only.

    Parameters
    ----------
    data : Dataset
        The data set to start from.
    output : Path
        Folder of the new one; appears whole or not at all.
    pitch : sequence of float
        Semitones, without 0, within ±24.
    pitch_method : {"resample", "preserve"}
        See `asd.data.pitch.shift`.
    noise : Path or None
        Folder of sounds in any container; silence at their ends is cut off, and one that is
        longer than a clip is cut at a random place.
    noise_count : int or "all"
        How many clips get a sound.
    noise_gain_db : (float, float)
        Range of the sound's gain in dB.
    noise_snr_db : (float, float) or None
        Range of the ratio of clip to sound in dB, instead of a gain.
    noise_label : {"anomaly", "normal"}
        What a clip with a sound counts as.
    split : {"test", "valid", "train", "all"}
        Which side is changed.
    seed : int
        Seed of everything random.
    overwrite : bool
        Replace a data set that stands at `output`.

    Raises
    ------
    ConfigError
        There is nothing to do, a pitch is out of range or stands twice, or `noise_count` is
        greater than the number of normal clips.
    DataError
        The side is empty, sounds cannot be used (all of them are named), pitched copies are
        there already, or `output` may not be written.
    AudioError
        A clip cannot be read, or is silent so that no ratio of clip to sound is defined.
    """
    _check_pitch(pitch, noise)
    for source in [data.root, *([noise] if noise else [])]:
        check_output(output, source, overwrite)
    chosen = [clip for clip in data.clips if split in ("all", clip.split)]
    if not chosen:
        raise DataError(f"split={split}: {data.root} has no clip there; choose another side")
    rate = audio.probe(data.file(chosen[0])).sample_rate
    pieces = [_Piece(clip, data.file(clip)) for clip in data.clips]
    pieces += [_pitched(data, clip, semitones) for clip in chosen for semitones in pitch]
    _check_paths(data, pieces)
    if noise:
        noises = _load_noises(noise, rate)
        names = {clip.path for clip in _drawn(pieces, split, noise_count, seed)}
        mixes = []
        for piece in pieces:
            if piece.clip.path in names:
                rng = _generator(seed, piece.clip.path)
                sound = noises[rng.integers(len(noises))]
                mix = _Mix(sound, rng, noise_gain_db, noise_snr_db, noise_label)
                mixes.append(replace(piece, mix=mix))
        # The clip without a sound stays only where none would be left.
        kept = [p for p in pieces if noise_count == "all" or p.clip.path not in names]
        pieces = kept + mixes
    with whole_folder(output) as folder:
        made = parallel_map(partial(_make, folder, rate, pitch_method), pieces, desc="augment")
        clips = sorted((clip for clip, _ in made), key=lambda clip: clip.path)
        save(folder, clips)
    lowered = [headroom_db for _, headroom_db in made if headroom_db > 0]
    return AugmentReport(
        dataset=Dataset(output, tuple(clips)),
        carried=sum(not piece.semitones and not piece.mix for piece in pieces),
        pitched=sum(bool(piece.semitones) for piece in pieces),
        noised=sum(bool(piece.mix) for piece in pieces),
        lowered=len(lowered),
        headroom_db=max(lowered, default=0.0),
        warnings=_warnings(clips, pieces),
    )


def noise_kind(name: str) -> str:
    """The name of a sound without its number, by which metrics are grouped.

    Examples
    --------
    >>> noise_kind("knock_03"), noise_kind("話し声 (2)"), noise_kind("7")
    ('knock', '話し声', '7')
    """
    return re.sub(r"[\s_.-]*[(（]?\d+[)）]?$", "", name) or name


def _check_pitch(pitch: Sequence[float], noise: Path | None) -> None:
    if not pitch and noise is None:
        raise ConfigError("nothing to do: give pitch=<semitones,...> or noise=<folder of sounds>")
    for semitones in pitch:
        if not 0 < abs(semitones) <= MAX_SEMITONES:
            raise ConfigError(
                f"pitch={semitones:g}: must be within ±{MAX_SEMITONES:g} semitones and not 0; the "
                "clips themselves stay anyway"
            )
        if list(pitch).count(semitones) > 1:
            raise ConfigError(f"pitch={semitones:g}: stands twice; give each number once")


def _pitched(data: Dataset, clip: Clip, semitones: float) -> _Piece:
    word = f"pitch_{'up' if semitones > 0 else 'down'}_{abs(semitones):g}"
    fault = clip.condition if clip.label == "anomaly" else ""
    changes = {
        "path": _renamed(clip, f"_pitch_{semitones:+g}"),
        "pitch_semitones": clip.pitch_semitones + semitones,
        "condition": fault or word,
    }
    return _Piece(clip.model_copy(update=changes), data.file(clip), semitones)


def _renamed(clip: Clip, ending: str) -> str:
    path = PurePosixPath(clip.path)
    return str(path.with_name(f"{path.stem}{ending}.wav"))


def _check_paths(data: Dataset, pieces: Sequence[_Piece]) -> None:
    seen: set[str] = set()
    for piece in pieces:
        if piece.clip.path in seen:
            raise DataError(
                f"{data.root}: has {piece.clip.path} already; start from the data set without "
                "pitched clips or choose other pitches"
            )
        seen.add(piece.clip.path)


def _load_noises(folder: Path, sample_rate: int) -> list[_Noise]:
    paths = audio.find_audio(folder)
    loaded = parallel_map(partial(_load_noise, sample_rate), paths, desc="noise")
    bad = [found for found in loaded if isinstance(found, str)]
    if bad:
        raise DataError(
            f"noise={folder}: {len(bad)} of {count(len(paths), 'sound')} cannot be used: "
            f"{'; '.join(bad)}; mend or remove them"
        )
    return [found for found in loaded if isinstance(found, _Noise)]


def _load_noise(sample_rate: int, path: Path) -> _Noise | str:
    """The sound, or what is wrong with it."""
    try:
        samples, _ = audio.read(path, sample_rate)
    except AsdError as error:
        return str(error)
    # Some file systems take names apart (か and two dots for が); one word is one condition.
    name = unicodedata.normalize("NFC", path.stem)
    return _Noise(name, trim_silence(samples, sample_rate))


def _drawn(
    pieces: Sequence[_Piece], split: Side, number: int | Literal["all"], seed: int
) -> list[Clip]:
    """The clips that get a sound; the same ones whatever the order of `pieces`."""
    clips = [piece.clip for piece in pieces if split in ("all", piece.clip.split)]
    normal = sorted((c for c in clips if c.label == "normal"), key=lambda clip: clip.path)
    if not normal:
        raise DataError(f"split={split}: has no clip labelled normal to lay sounds over")
    if number == "all":
        return normal
    if number > len(normal):
        raise ConfigError(
            f"noise_count={number}: there are {len(normal)} clips labelled normal in "
            f"split={split}; give at most that, or noise_count=all"
        )
    chosen = _generator(seed, "").choice(len(normal), number, replace=False)
    return [normal[i] for i in chosen]


def _generator(seed: int, name: str) -> np.random.Generator:
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))


def _make(folder: Path, sample_rate: int, method: PitchMethod, piece: _Piece) -> tuple[Clip, float]:
    """Write one clip; gives its row and by how many dB it was turned down."""
    if not piece.semitones and not piece.mix:
        _carry(piece.file, folder / piece.clip.path)
        return piece.clip, 0.0
    samples = audio.read_clip(piece.file, sample_rate)
    samples = shift(samples, sample_rate, piece.semitones, method)
    changes: dict[str, Any] = {"duration_s": len(samples) / sample_rate}
    if piece.mix:
        samples, headroom_db, mixed = _mixed(samples, piece.clip, piece.mix)
        changes |= mixed
    else:
        samples, headroom_db = within_full_scale(samples)
    file = folder / changes.get("path", piece.clip.path)
    write_wav(file, samples, sample_rate)
    changes["sha256"] = file_digest(file)
    return Clip.model_validate(piece.clip.model_dump() | changes), headroom_db


def _carry(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Clips are never changed in place, so that one file can serve two data sets.
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _mixed(samples: Samples, clip: Clip, mix: _Mix) -> tuple[Samples, float, dict[str, Any]]:
    event = mix.noise.samples
    if len(event) > len(samples):
        begin = int(mix.rng.integers(len(event) - len(samples) + 1))
        event = event[begin : begin + len(samples)]
    position = int(mix.rng.integers(len(samples) - len(event) + 1))
    gain_db = _gain_db(samples, event, clip, mix)
    mixed, headroom_db = overlay(samples, event, position, gain_db)
    short = mix.noise.name.encode()[:_NOISE_NAME_BYTES].decode(errors="ignore")
    changes = {
        "path": _renamed(clip, f"_noisy_{short}_{gain_db:+.1f}dB"),
        "label": mix.label,
        "condition": f"noise_{noise_kind(mix.noise.name)}",
        "noise": mix.noise.name,
        "noise_gain_db": gain_db,
    }
    return mixed, headroom_db, changes


def _gain_db(samples: Samples, event: Samples, clip: Clip, mix: _Mix) -> float:
    """The gain in whole tenths, so that file name, manifest and sound agree."""
    if mix.snr_db is None:
        gain_db = float(mix.rng.uniform(*mix.gain_db))
    else:
        try:
            gain_db = snr_gain_db(samples, event, float(mix.rng.uniform(*mix.snr_db)))
        except AudioError as error:
            raise AudioError(f"{clip.path}: {error}") from error
    return round(gain_db, 1) + 0.0  # -0.0 becomes 0.0


def _warnings(clips: Sequence[Clip], pieces: Sequence[_Piece]) -> tuple[str, ...]:
    found = []
    unlearnt = sum(p.mix is not None and _is_lost(p.clip.split, p.mix.label) for p in pieces)
    if unlearnt:
        found.append(
            f"{count(unlearnt, 'training clip')} with a sound became anomalies, from which nothing "
            "is learned; noise_label=normal makes detectors used to the sounds"
        )
    test = {clip.label for clip in clips if clip.split == "test"}
    if "anomaly" in test and "normal" not in test:
        found.append("test has no normal clip left: AUC and false alarms cannot be measured")
    return tuple(found)


def _is_lost(split: Split, label: Label) -> bool:
    return split == "train" and label == "anomaly"
