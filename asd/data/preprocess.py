"""Recordings of any length and container in, a data set of WAV clips out."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from asd.audio.comparable import Ranges
from asd.audio.decode import MIN_S
from asd.audio.resample import RESAMPLER
from asd.config.steps import CutConfig
from asd.data.conditions import condition_warnings, training_ranges
from asd.data.copies import settle_copies
from asd.data.cut import Cut, Cutter, Piece
from asd.data.layouts import Layout, Recording, recognise
from asd.data.made import made_before, mark_of, note_made
from asd.data.manifest import Clip, Dataset, save
from asd.data.output import check_output, whole_folder
from asd.data.overview import overview
from asd.data.preprocess_report import PreprocessReport, dataset_warnings
from asd.data.rates import rate_warnings, rates_of, usual_rate
from asd.data.recordings import unused
from asd.data.sessions import session_warning
from asd.data.sound import Sound, save_sound
from asd.data.split import SIDES, Assignment, assign
from asd.errors import ConfigError, DataError
from asd.language import tr
from asd.parallel import map_recordings

# Bytes of a file name that come from the recording's name; file systems allow 255 in all.
_STEM_BYTES = 150


@dataclass(frozen=True)
class _Work:
    """All that is known of a source once it is cut."""

    layout: Layout
    """With the copies among what is left out."""
    used: tuple[Recording, ...]
    cuts: Mapping[Path, Cut]
    assignment: Assignment
    rate: int
    skipped: tuple[str, ...]
    warnings: tuple[str, ...]
    """On rates and copies."""

    @property
    def lengths(self) -> dict[str, list[float]]:
        """Seconds of each clip, by recording."""
        return _lengths(self.used, self.cuts)


def preprocess(
    source: Path, output: Path, config: CutConfig, overwrite: bool = False
) -> PreprocessReport:
    """Cut recordings into mono 16-bit WAV clips on three sides of a split.

    Clip k of a recording is samples ``[k * n, (k + 1) * n)`` of the resampled stream. A
    recording is read in blocks, so its length does not matter. With ``remainder=keep`` the end
    that does not fill a clip is kept, at its own length, if it lasts 0.5 s or more; a recording
    shorter than one clip is always kept. The same sound in several files is one recording.

    Parameters
    ----------
    source : Path
        An audio or video file, or a folder in one of the layouts of `asd.data.layouts`.
    output : Path
        Folder of the data set; appears whole or not at all.
    config : CutConfig
        How recordings are cut and split; the sample rate is that of `usual_rate` where it is not
        given.
    overwrite : bool
        Replace a data set that stands at `output`. One that the same command has made of the
        same recordings is reported as done where this is not given.

    Raises
    ------
    ConfigError
        `clip_seconds` is out of range.
    DataError
        The source's layout does not fit, recordings cannot be used (all of them are named),
        there is nothing to train on, or `output` may not be written.
    NotEnoughClipsError
        The only recording is too short to be cut into sides.
    """
    layout = _recognise(source, config)
    paths = sorted(recording.path for recording in layout.recordings)
    mark = mark_of(config, [source, *layout.recordings], filter(Path.exists, paths))
    if not overwrite and (made := made_before(output, mark)):
        return PreprocessReport(made[0], layout, **made[1], again=True)
    check = partial(check_output, output, source, overwrite)
    check()
    with whole_folder(output, check) as folder:
        (folder / "pieces").mkdir()
        work = _cut(layout, folder / "pieces", config)
        placed = _placed(work)
        for side in SIDES:
            (folder / side).mkdir()
        for piece, clip in placed:
            if piece.file:
                piece.file.rename(folder / clip.path)
        shutil.rmtree(folder / "pieces")
        clips = [clip for _, clip in placed]
        save(folder, clips)
        conditions = {r.name: work.cuts[r.path].condition for r in work.used}
        ranges = training_ranges(work.used, conditions, clips)
        save_sound(folder, _sound(config, work.rate, ranges))
        dataset = Dataset(output, tuple(clips))
        figures = _figures(work, dataset, config)
        note_made(folder, mark, figures)
    return PreprocessReport(dataset, work.layout, **figures)


def preview(source: Path, output: Path, config: CutConfig) -> PreprocessReport:
    """Say what `preprocess` would make of a source; all is decoded, and nothing written.

    The parameters and errors are those of `preprocess`. The data set of the report is not there:
    its clips say what they would be.
    """
    work = _cut(_recognise(source, config), None, config)
    dataset = Dataset(output, tuple(clip for _, clip in _placed(work)))
    return PreprocessReport(dataset, work.layout, **_figures(work, dataset, config))


def _recognise(source: Path, config: CutConfig) -> Layout:
    if config.clip_seconds < MIN_S:
        raise ConfigError(
            tr(
                "clip_seconds={seconds:g}: must be at least {least:g}",
                seconds=config.clip_seconds,
                least=MIN_S,
            )
        )
    layout = recognise(source, flat=config.layout == "flat")
    if not any(r.label == "normal" and r.split in (None, "train") for r in layout.recordings):
        raise _nothing_to_train_on(layout)
    return layout


def _cut(layout: Layout, pieces: Path | None, config: CutConfig) -> _Work:
    """Cut all recordings, count each sound once, and find a side for each recording."""
    paths = [recording.path for recording in layout.recordings]
    rates = {} if config.sample_rate else rates_of(paths, config.stream)
    rate = config.sample_rate or usual_rate(rates)
    size = round(config.clip_seconds * rate)
    way = (config.channel, config.stream, config.truncated)
    cutter = Cutter(pieces, size, rate, config.remainder, *way)
    results, skipped = map_recordings(
        cutter, paths, desc=tr("preprocess"), skip_bad=config.skip_bad
    )
    cuts = {cut.path: cut for cut in results}
    read = [recording for recording in layout.recordings if recording.path in cuts]
    broken = unused((path for path in paths if path not in cuts), tr("that cannot be used"))
    settled = settle_copies(read, cuts, layout.root)
    used = settled.recordings
    return _Work(
        layout=replace(layout, left_out=(*broken, *settled.left_out, *layout.left_out)),
        used=used,
        cuts=cuts,
        assignment=assign(used, _lengths(used, cuts), config.split, config.seed),
        rate=rate,
        skipped=tuple(skipped),
        warnings=rate_warnings(rates, layout.root) + settled.warnings,
    )


def _lengths(used: tuple[Recording, ...], cuts: Mapping[Path, Cut]) -> dict[str, list[float]]:
    return {r.name: [piece.duration_s for piece in cuts[r.path].pieces] for r in used}


def _figures(work: _Work, dataset: Dataset, config: CutConfig) -> dict[str, Any]:
    """The fields of the report but for data set and layout."""
    sides = work.assignment.sides
    clips = {n: list(zip(sides[n], seconds, strict=True)) for n, seconds in work.lengths.items()}
    conditions = {r.name: work.cuts[r.path].condition for r in work.used}
    seconds = {name: sum(lengths) for name, lengths in work.lengths.items()}
    sessions = session_warning(work.used, seconds)
    return {
        "table": tuple(overview(work.used, clips, work.layout.left_out, work.layout.root)),
        "sample_rate": work.rate,
        "short": tuple(r.name for r in work.used if work.cuts[r.path].short),
        "dropped_s": sum(work.cuts[r.path].dropped_s for r in work.used),
        "skipped": work.skipped,
        "warnings": (
            *work.layout.warnings,
            *work.warnings,
            *work.assignment.warnings,
            *dataset_warnings(dataset),
            *([sessions] if sessions else []),
            *condition_warnings(work.used, conditions, work.rate, config.clip_seconds),
        ),
    }


def _sound(config: CutConfig, rate: int, ranges: Ranges | None) -> Sound:
    return Sound(
        sample_rate=rate,
        clip_seconds=config.clip_seconds,
        channel=config.channel,
        stream=config.stream,
        resampler=RESAMPLER,
        ranges=ranges,
    )


def _nothing_to_train_on(layout: Layout) -> DataError:
    return DataError(
        tr(
            "{root}: nothing to train on ({note}); add recordings labelled normal, "
            "not all of them in test; layout=flat takes all as normal",
            root=layout.root,
            note=layout.note,
        )
    )


def _placed(work: _Work) -> list[tuple[Piece, Clip]]:
    """The pieces that have a side, with their rows under readable names."""
    ordered = sorted(work.used, key=lambda recording: recording.name)
    stems = _stems([recording.name for recording in ordered])
    placed: list[tuple[Piece, Clip]] = []
    for recording in ordered:
        pieces = work.cuts[recording.path].pieces
        for piece, side in zip(pieces, work.assignment.sides[recording.name], strict=True):
            if side is None:
                continue
            clip = Clip(
                path=f"{side}/{stems[recording.name]}_{_start(piece.start_s)}.wav",
                recording=recording.whole,
                session=recording.session,
                start_s=piece.start_s,
                duration_s=piece.duration_s,
                split=side,
                label=recording.label,
                machine=recording.machine,
                domain=recording.domain,
                condition=recording.condition,
                pitch_semitones=recording.pitch_semitones,
                noise=recording.noise,
                noise_gain_db=recording.noise_gain_db,
                sha256=piece.sha256,
            )
            placed.append((piece, clip))
    if not any(clip.split == "train" for _, clip in placed):
        raise _nothing_to_train_on(work.layout)
    return placed


def _start(start_s: float) -> str:
    """Start of a clip for its file name: ``0010.0s``, with more digits where they are needed."""
    tenths = f"{start_s:06.1f}"
    return f"{tenths}s" if abs(float(tenths) - start_s) < 1e-6 else f"{start_s:08.3f}s"


def _stems(names: list[str]) -> dict[str, str]:
    """File name of each recording: folders joined by ``_``, unique, not too long.

    Compared without case: some file systems do not tell ``A`` from ``a``.
    """
    stems: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = re.sub(r'[\\/:*?"<>|\x00-\x1f]+', "_", name).lstrip("._ ") or "recording"
        short = plain.encode()[:_STEM_BYTES].decode(errors="ignore")
        stem, number = short, 2
        while stem.lower() in taken:
            stem, number = f"{short}~{number}", number + 1
        taken.add(stem.lower())
        stems[name] = stem
    return stems
