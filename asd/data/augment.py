"""A data set with clips that are shifted in pitch, or have other sounds laid over them."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from asd.audio import decode as audio
from asd.audio.encode import write_wav
from asd.audio.noise import Noise, load_noises
from asd.audio.overlay import within_full_scale
from asd.audio.pitch import PitchMethod, shift
from asd.config.steps import AugmentConfig
from asd.data.made import AGAIN, made_before, mark_of, note_made
from asd.data.manifest import Clip, Dataset, save
from asd.data.mix import Mix, renamed
from asd.data.output import check_output, whole_folder
from asd.data.sound import save_sound, sound_of
from asd.errors import ConfigError, DataError
from asd.files import atomic_path, file_digest
from asd.language import tr
from asd.parallel import parallel_map
from asd.text import count

MAX_SEMITONES = 24.0
"""Two octaves: beyond, little of a machine's sound is left in the band that is analysed."""

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
    """Clips with a sound laid over, counting those that are also shifted."""
    both: int
    """Clips shifted in pitch and with a sound laid over."""
    lowered: int
    """Clips that were turned down as a whole to stay within full scale."""
    headroom_db: float
    """The most that one of them was turned down, in dB."""
    warnings: tuple[str, ...]
    """What limits the use of the new data set."""
    again: bool = False
    """The same command had made it before: nothing was done."""

    def lines(self) -> list[str]:
        """The report as lines for the terminal."""
        parts = [
            (self.carried, tr("unchanged")),
            (self.pitched - self.both, tr("shifted in pitch")),
            (self.noised - self.both, tr("with a sound laid over")),
            (self.both, tr("shifted and with a sound laid over")),
        ]
        listed = ", ".join(tr("{n} {what}", n=n, what=what) for n, what in parts if n)
        lines = [AGAIN] if self.again else []
        lines.append(f"{count(len(self.dataset.clips), 'clip')}: {listed}")
        if self.lowered:
            lines.append(
                tr(
                    "turned down to stay within full scale: {clips}, by {db:.1f} dB at most",
                    clips=count(self.lowered, "clip"),
                    db=self.headroom_db,
                )
            )
        return [*lines, *(tr("warning: {warning}", warning=warning) for warning in self.warnings)]


@dataclass(frozen=True)
class _Piece:
    """One clip of the new data set, before it is made."""

    clip: Clip
    """Its row as far as it is known."""
    file: Path
    """The clip that it is made from."""
    semitones: float = 0.0
    mix: Mix | None = None


def augment(data: Dataset, output: Path, config: AugmentConfig) -> AugmentReport:
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
    config : AugmentConfig
        What is done to which clips. Silence at the ends of sounds is cut off, and a sound that is
        longer than a clip is cut at a random place.

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
    noise = Path(config.noise) if config.noise else None
    _check_pitch(config.pitch, noise)
    sounds = sorted(path for path in noise.rglob("*") if path.is_file()) if noise else []
    mark = mark_of(config, [data.digest, sound_of(data)], sounds)
    if not config.overwrite and (made := made_before(output, mark)):
        return AugmentReport(made[0], **made[1], again=True)
    check = partial(_check_output, output, [data.root, *([noise] if noise else [])], config)
    check()
    chosen = [clip for clip in data.clips if config.split in ("all", clip.split)]
    if not chosen:
        raise DataError(
            tr(
                "split={side}: {data} has no clip there; choose another side",
                side=config.split,
                data=data.root,
            )
        )
    rate = audio.probe(data.file(chosen[0])).sample_rate
    pieces = [_Piece(clip, data.file(clip)) for clip in data.clips]
    pieces += [_pitched(data, clip, semitones) for clip in chosen for semitones in config.pitch]
    _check_paths(data, pieces)
    if noise:
        pieces = _overlaid(pieces, load_noises(noise, rate), config)
    with whole_folder(output, check) as folder:
        make = partial(_make, folder, rate, config.pitch_method)
        written = parallel_map(make, pieces, desc=tr("augment"))
        clips = sorted((clip for clip, _ in written), key=lambda clip: clip.path)
        save(folder, clips)
        save_sound(folder, sound_of(data))
        dataset = Dataset(output, tuple(clips))
        figures = _figures(dataset, pieces, [headroom_db for _, headroom_db in written])
        note_made(folder, mark, figures)
    return AugmentReport(dataset, **figures)


def _overlaid(pieces: list[_Piece], noises: Sequence[Noise], config: AugmentConfig) -> list[_Piece]:
    """The pieces, some of them with a sound: in place of those without, or beside all."""
    drawn = _draw(pieces, config.split, config.noise_count, config.seed)
    draft = partial(
        Mix, gain_db=config.noise_gain_db, snr_db=config.noise_snr_db, label=config.noise_label
    )
    mixes = _mixes(drawn, noises, draft, config.seed)
    if config.noise_count == "all":
        return [*pieces, *mixes]
    replaced = {piece.clip.path for piece in drawn}
    return [*(piece for piece in pieces if piece.clip.path not in replaced), *mixes]


def _check_output(output: Path, sources: Sequence[Path], config: AugmentConfig) -> None:
    for source in sources:
        check_output(output, source, config.overwrite)


def _check_pitch(pitch: Sequence[float], noise: Path | None) -> None:
    if not pitch and noise is None:
        raise ConfigError(
            tr("nothing to do: give pitch=<semitones,...> or noise=<folder of sounds>")
        )
    for semitones in pitch:
        if not 0 < abs(semitones) <= MAX_SEMITONES:
            raise ConfigError(
                tr(
                    "pitch={semitones:g}: must be within ±{most:g} semitones and not 0; the "
                    "clips themselves stay anyway",
                    semitones=semitones,
                    most=MAX_SEMITONES,
                )
            )
        if list(pitch).count(semitones) > 1:
            raise ConfigError(
                tr("pitch={semitones:g}: stands twice; give each number once", semitones=semitones)
            )


def _pitched(data: Dataset, clip: Clip, semitones: float) -> _Piece:
    word = f"pitch_{'up' if semitones > 0 else 'down'}_{abs(semitones):g}"
    fault = clip.condition if clip.label == "anomaly" else ""
    changes = {
        "path": renamed(clip, f"_pitch_{semitones:+g}"),
        "pitch_semitones": clip.pitch_semitones + semitones,
        "condition": fault or word,
    }
    return _Piece(clip.model_copy(update=changes), data.file(clip), semitones)


def _check_paths(data: Dataset, pieces: Sequence[_Piece]) -> None:
    seen: set[str] = set()
    for piece in pieces:
        if piece.clip.path in seen:
            raise DataError(
                tr(
                    "{data}: has {clip} already; start from the data set without pitched "
                    "clips or choose other pitches",
                    data=data.root,
                    clip=piece.clip.path,
                )
            )
        seen.add(piece.clip.path)


def _draw(
    pieces: Sequence[_Piece], split: Side, number: int | Literal["all"], seed: int
) -> list[_Piece]:
    """The clips that get a sound; the same ones whatever the order of `pieces`."""
    there = (piece for piece in pieces if split in ("all", piece.clip.split))
    normal = sorted((p for p in there if p.clip.label == "normal"), key=lambda p: p.clip.path)
    if not normal:
        raise DataError(
            tr("split={split}: has no clip labelled normal; choose another side", split=split)
        )
    if number == "all":
        return normal
    if number > len(normal):
        raise ConfigError(
            tr(
                "noise_count={number}: there are {n_normal} clips labelled normal in "
                "split={split}; give at most that, or noise_count=all",
                number=number,
                n_normal=len(normal),
                split=split,
            )
        )
    chosen = _generator(seed, "").choice(len(normal), number, replace=False)
    return [normal[i] for i in chosen]


def _mixes(
    pieces: Sequence[_Piece], noises: Sequence[Noise], draft: Callable[..., Mix], seed: int
) -> list[_Piece]:
    mixes = []
    for piece in pieces:
        rng = _generator(seed, piece.clip.path)
        noise = noises[int(rng.integers(len(noises)))]
        mixes.append(replace(piece, mix=draft(noise=noise, rng=rng)))
    return mixes


def _generator(seed: int, name: str) -> np.random.Generator:
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))


def _make(folder: Path, sample_rate: int, method: PitchMethod, piece: _Piece) -> tuple[Clip, float]:
    """Write one clip; gives its row and by how many dB it was turned down."""
    clip = piece.clip
    if not piece.semitones and not piece.mix:
        with atomic_path(folder / clip.path) as partial_path:
            shutil.copyfile(piece.file, partial_path)
        return clip, 0.0
    samples = audio.read_clip(piece.file, sample_rate)
    samples = shift(samples, sample_rate, piece.semitones, method)
    if piece.mix:
        samples, headroom_db, clip = piece.mix.apply(samples, clip)
    else:
        samples, headroom_db = within_full_scale(samples)
    write_wav(folder / clip.path, samples, sample_rate)
    known = {
        "duration_s": len(samples) / sample_rate,
        "sha256": file_digest(folder / clip.path),
    }
    return clip.model_copy(update=known), headroom_db


def _figures(
    dataset: Dataset, pieces: Sequence[_Piece], headrooms: Sequence[float]
) -> dict[str, Any]:
    """The fields of the report but for the data set."""
    warnings = []
    mixes = [(piece.clip.split, piece.mix.label) for piece in pieces if piece.mix]
    unlearnt = mixes.count(("train", "anomaly"))
    if unlearnt:
        warnings.append(
            tr(
                "{clips} with a sound became anomalies, from which nothing is learned; "
                "noise_label=normal makes detectors used to the sounds",
                clips=count(unlearnt, "training clip"),
            )
        )
    test = {clip.label for clip in dataset.split("test").clips}
    if "anomaly" in test and "normal" not in test:
        warnings.append(tr("test has no normal clip left: AUC and false alarms cannot be measured"))
    return {
        "carried": sum(not piece.semitones and not piece.mix for piece in pieces),
        "pitched": sum(bool(piece.semitones) for piece in pieces),
        "noised": len(mixes),
        "both": sum(bool(piece.semitones and piece.mix) for piece in pieces),
        "lowered": sum(headroom_db > 0 for headroom_db in headrooms),
        "headroom_db": max(headrooms),
        "warnings": tuple(warnings),
    }
