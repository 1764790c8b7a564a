"""Recordings of any length and container in, a data set of WAV clips out."""

import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from asd.audio.comparable import Ranges
from asd.audio.decode import MIN_S, probe
from asd.config.steps import CutConfig
from asd.data.conditions import condition_warnings, training_ranges
from asd.data.cut import Cut, Cutter
from asd.data.layouts import Layout, Recording, recognise
from asd.data.made import made_before, mark_of, note_made
from asd.data.manifest import Clip, Dataset, Split, save
from asd.data.output import check_output, whole_folder
from asd.data.sessions import session_warning
from asd.data.sound import Sound, save_sound
from asd.data.split import SIDES, assign
from asd.errors import AudioError, ConfigError, DataError
from asd.parallel import map_recordings
from asd.text import count

_USUAL_RATE = 16000
_LEAST_RATE = 1000

UNITS_FOR_5_PERCENT = 19
"""Normal recordings for a false-alarm rate of 5 %: n of them promise 1 / (n + 1) at best."""

# Bytes of a file name that come from the recording's name; file systems allow 255 in all.
_STEM_BYTES = 150

# Names in a line of the report; all of them are in the report itself.
_LISTED = 10


@dataclass(frozen=True)
class PreprocessReport:
    """What was made of a source."""

    dataset: Dataset
    """The data set."""
    layout: Layout
    """What was recognised in the source."""
    sample_rate: int
    """Of the clips, in Hz."""
    short: tuple[str, ...]
    """Recordings shorter than one clip, kept at their own length."""
    dropped_s: float
    """Seconds at the ends of recordings that filled no clip."""
    skipped: tuple[str, ...]
    """One message for each recording that could not be used (`skip_bad`)."""
    warnings: tuple[str, ...]
    """What limits the use of this data set."""
    again: bool = False
    """The same command had made it before: nothing was done."""

    def lines(self) -> list[str]:
        """The report as lines for the terminal."""
        return [
            *(["made before by the same command; nothing was left to do"] if self.again else []),
            f"layout: {self.layout.note}",
            f"sample rate: {self.sample_rate} Hz",
            *_side_lines(self.dataset),
            *([f"dropped: {self.dropped_s:.1f} s that fill no clip"] if self.dropped_s else []),
            *([f"shorter than a clip: {_some(self.short)}"] if self.short else []),
            *(f"skipped: {message}" for message in self.skipped),
            *(f"warning: {warning}" for warning in self.warnings),
        ]


def preprocess(
    source: Path, output: Path, config: CutConfig, overwrite: bool = False
) -> PreprocessReport:
    """Cut recordings into mono 16-bit WAV clips on three sides of a split.

    Clip k of a recording is samples ``[k * n, (k + 1) * n)`` of the resampled stream. A
    recording is read in blocks, so its length does not matter. With ``remainder=keep`` the end
    that does not fill a clip is kept, at its own length, if it lasts 0.5 s or more; a recording
    shorter than one clip is always kept.

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
    if config.clip_seconds < MIN_S:
        raise ConfigError(f"clip_seconds={config.clip_seconds:g}: must be at least {MIN_S:g}")
    layout = recognise(source)
    paths = sorted(recording.path for recording in layout.recordings)
    mark = mark_of(config, [source, *layout.recordings], filter(Path.exists, paths))
    if not overwrite and (made := made_before(output, mark)):
        return PreprocessReport(made[0], layout, **made[1], again=True)
    check = partial(check_output, output, source, overwrite)
    check()
    if not any(r.label == "normal" and r.split in (None, "train") for r in layout.recordings):
        raise _nothing_to_train_on(source, layout)
    with whole_folder(output, check) as folder:
        cuts, rate, skipped = _cut(layout, folder / "pieces", config)
        used = [recording for recording in layout.recordings if recording.path in cuts]
        lengths = {r.name: [piece.duration_s for piece in cuts[r.path].pieces] for r in used}
        assignment = assign(used, lengths, config.split, config.seed)
        clips = _place(folder, used, cuts, assignment.sides)
        if not any(clip.split == "train" for clip in clips):
            raise _nothing_to_train_on(source, layout)
        shutil.rmtree(folder / "pieces")
        save(folder, clips)
        conditions = {r.name: cuts[r.path].condition for r in used}
        ranges = training_ranges(used, conditions, clips)
        save_sound(folder, _sound(config, rate, ranges))
        dataset = Dataset(output, tuple(clips))
        seconds = {name: sum(pieces) for name, pieces in lengths.items()}
        figures: dict[str, Any] = {
            "sample_rate": rate,
            "short": tuple(r.name for r in used if cuts[r.path].short),
            "dropped_s": sum(cut.dropped_s for cut in cuts.values()),
            "skipped": tuple(skipped),
            "warnings": (
                *assignment.warnings,
                *_warnings(dataset),
                *filter(None, [session_warning(used, seconds)]),
                *condition_warnings(used, conditions, rate, config.clip_seconds),
            ),
        }
        note_made(folder, mark, figures)
    return PreprocessReport(dataset, layout, **figures)


def _cut(layout: Layout, pieces: Path, config: CutConfig) -> tuple[dict[Path, Cut], int, list[str]]:
    """Cut all recordings: what came of each, the rate in Hz, and what was left out and why."""
    pieces.mkdir()
    paths = [recording.path for recording in layout.recordings]
    rate = config.sample_rate or usual_rate(paths, config.stream)
    size = round(config.clip_seconds * rate)
    cutter = Cutter(pieces, size, rate, config.remainder, config.channel, config.stream)
    results, skipped = map_recordings(cutter, paths, desc="preprocess", skip_bad=config.skip_bad)
    return {cut.path: cut for cut in results}, rate, skipped


def _sound(config: CutConfig, rate: int, ranges: Ranges | None) -> Sound:
    return Sound(
        sample_rate=rate,
        clip_seconds=config.clip_seconds,
        channel=config.channel,
        stream=config.stream,
        ranges=ranges,
    )


def usual_rate(paths: Iterable[Path], stream: int = 0) -> int:
    """16 kHz, or the lowest rate of the recordings in Hz where that is less.

    Above half of a recording's own rate there is nothing to be heard; bands up there would be
    empty in some recordings or in all. Files that cannot be read have no say.
    """
    rates = [_USUAL_RATE]
    for path in paths:
        with suppress(AudioError):
            rates.append(probe(path, stream).sample_rate)
    return max(min(rates), _LEAST_RATE)


def _nothing_to_train_on(source: Path, layout: Layout) -> DataError:
    return DataError(
        f"{source}: nothing to train on ({layout.note}); add recordings labelled normal, not all "
        "of them in test"
    )


def _place(
    folder: Path,
    recordings: Iterable[Recording],
    cuts: Mapping[Path, Cut],
    sides: Mapping[str, tuple[Split | None, ...]],
) -> list[Clip]:
    """Move the pieces to their sides under readable names; those without a side stay behind."""
    for side in SIDES:
        (folder / side).mkdir()
    ordered = sorted(recordings, key=lambda recording: recording.name)
    stems = _stems([recording.name for recording in ordered])
    clips: list[Clip] = []
    for recording in ordered:
        pieces = cuts[recording.path].pieces
        for piece, place in zip(pieces, sides[recording.name], strict=True):
            if place is None:
                continue
            path = f"{place}/{stems[recording.name]}_{_start(piece.start_s)}.wav"
            piece.file.rename(folder / path)
            clips.append(
                Clip(
                    path=path,
                    recording=recording.whole,
                    session=recording.session,
                    start_s=piece.start_s,
                    duration_s=piece.duration_s,
                    split=place,
                    label=recording.label,
                    machine=recording.machine,
                    domain=recording.domain,
                    condition=recording.condition,
                    sha256=piece.sha256,
                )
            )
    return clips


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


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{count(len(names), 'recording')}, {', '.join(names[:_LISTED])}{more}"


def _side_lines(dataset: Dataset) -> list[str]:
    lines = []
    for side in SIDES:
        for label in sorted({clip.label for clip in dataset.split(side).clips}, reverse=True):
            part = dataset.split(side, label)
            recordings = part.recordings()
            lines.append(
                f"{side} {label}: {part.seconds():.1f} s in {count(len(part.clips), 'clip')} of "
                f"{count(len(recordings), 'recording')}"
            )
    return lines


def _warnings(dataset: Dataset) -> list[str]:
    warnings = []
    normal = dataset.select(lambda clip: clip.split != "test" and clip.label == "normal")
    units = len({clip.session or clip.recording for clip in normal.clips})
    if units < UNITS_FOR_5_PERCENT:
        noun = "session" if any(clip.session for clip in normal.clips) else "recording"
        warnings.append(
            f"{count(units, f'normal {noun}')} to train and calibrate on can promise a false-alarm "
            f"rate of {1 / (units + 1):.0%} at best; 5 % takes {UNITS_FOR_5_PERCENT}: record more"
        )
    if not dataset.split("test", "normal").clips:
        warnings.append("test has no normal clip: AUC and false alarms cannot be measured")
    return warnings
