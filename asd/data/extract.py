"""Take the audio tracks out of recordings, as files of one format."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from asd.audio.completeness import Truncated
from asd.audio.encode import AudioFormat, transcode
from asd.audio.folders import find_audio
from asd.data.labels import carry_labels
from asd.errors import DataError
from asd.files import check_writable
from asd.language import tr
from asd.parallel import map_recordings

_LONGEST_NAME = 255
"""Bytes that file systems allow a name."""


@dataclass(frozen=True)
class ExtractReport:
    """What became of the recordings."""

    written: tuple[Path, ...]
    """Files written."""
    kept: tuple[Path, ...]
    """Files that were there already and stayed as they were."""
    skipped: tuple[str, ...]
    """What is wrong with each recording that was passed over."""
    seconds: float
    """Length of the sound written."""

    def lines(self) -> list[str]:
        """The report as lines for the terminal."""
        return [
            tr(
                "written: {n} files, {seconds:.1f} s of sound",
                n=len(self.written),
                seconds=self.seconds,
            ),
            *([tr("kept: {n} files that were there", n=len(self.kept))] if self.kept else []),
            *(tr("skipped: {reason}", reason=reason) for reason in self.skipped),
        ]


def extract_all(
    source: Path,
    output: Path,
    fmt: AudioFormat,
    stream: int = 0,
    overwrite: bool = False,
    skip_bad: bool = False,
    truncated: Truncated = "refuse",
) -> ExtractReport:
    """Write an audio track of each recording to a folder.

    Sub-folders stay. A file is called as its recording with the suffix of the format; where two
    recordings of a folder differ in their suffix only, that stays in the name (``pump.mp4`` and
    ``pump.mov`` become ``pump.mp4.mp3`` and ``pump.mov.mp3``).

    A ``labels.csv`` of the source, or of a folder in it, is written for the new files, so that the
    output is labelled as the source was. It is the first that is written, and names all files:
    where not all of them are there in the end, whoever reads it is told of the first that is
    missing. The same call goes on where it was stopped. With `skip_bad` the bad ones leave
    the table.

    Parameters
    ----------
    source : Path
        A recording, or a folder of them with sub-folders.
    output : Path
        Folder to write to; where it lies inside `source`, it is not searched.
    fmt : {"mp3", "wav", "flac"}
        Format to write.
    stream : int
        Which audio track, from 0.
    overwrite : bool
        Write files anew that are there already.
    skip_bad : bool
        Go on without recordings that cannot be used.
    truncated : {"refuse", "accept"}
        What becomes of recordings that have lost their end.

    Raises
    ------
    DataError
        There is no recording, `output` is the folder of the source itself, or recordings
        cannot be used.
    OutputError
        The output cannot be written.
    """
    root = source if source.is_dir() else source.parent
    if output.resolve() == root.resolve():
        raise DataError(
            tr("{output}: output is the folder of the source; give another folder", output=output)
        )
    recordings = [path for path in find_audio(source) if not _inside(path, root, output)]
    if not recordings:
        raise DataError(
            tr(
                "{source}: no recordings but those in the output {output}; check source",
                source=source,
                output=output,
            )
        )
    targets = dict(zip(recordings, _targets(recordings, root, output, fmt), strict=True))
    check_writable(output, "output")
    unnamed = _too_long(targets)
    if unnamed and not skip_bad:
        raise DataError(
            tr("{values}; or go on without with skip_bad=true", values="; ".join(unnamed.values()))
        )
    targets = {path: target for path, target in targets.items() if path not in unnamed}
    there = set() if overwrite else {path for path in targets if targets[path].exists()}
    todo = [path for path in targets if path not in there]
    _carry_all_labels(root, output, targets)
    work = partial(_extract_one, targets=targets, fmt=fmt, stream=stream, truncated=truncated)
    done, skipped = map_recordings(work, todo, "extract", skip_bad, done_before=len(there))
    if skipped:
        written = {path: target for path, target in targets.items() if target.exists()}
        _carry_all_labels(root, output, written)
    return ExtractReport(
        written=tuple(target for target, _ in done),
        kept=tuple(targets[path] for path in targets if path in there),
        skipped=(*unnamed.values(), *skipped),
        seconds=sum(seconds for _, seconds in done),
    )


def _extract_one(
    path: Path, targets: dict[Path, Path], fmt: AudioFormat, stream: int, truncated: Truncated
) -> tuple[Path, float]:
    return targets[path], transcode(path, targets[path], fmt, stream, truncated)


def _too_long(targets: dict[Path, Path]) -> dict[Path, str]:
    """What is wrong with each recording whose file could not have its name."""
    return {
        path: tr(
            "{path}: as {suffix} its name is longer than {most} bytes; rename it",
            path=path,
            suffix=target.suffix,
            most=_LONGEST_NAME,
        )
        for path, target in targets.items()
        if len(os.fsencode(target.name)) > _LONGEST_NAME
    }


def _carry_all_labels(root: Path, output: Path, targets: dict[Path, Path]) -> None:
    """Write the tables for all folders that hold recordings, or hold folders that do."""
    folders = {folder for path in targets for folder in path.parents if folder.is_relative_to(root)}
    for folder in sorted(folders):
        below = output / folder.relative_to(root)
        here = {path: target for path, target in targets.items() if path.is_relative_to(folder)}
        carry_labels(folder, below, here)


def _inside(path: Path, root: Path, output: Path) -> bool:
    """Whether a recording is an output of an earlier call, written below the source."""
    folder = output.resolve()
    return folder.is_relative_to(root.resolve()) and path.resolve().is_relative_to(folder)


def _targets(recordings: Sequence[Path], root: Path, output: Path, fmt: str) -> list[Path]:
    short = [path.relative_to(root).with_suffix("") for path in recordings]
    # Some file systems do not tell upper from lower case.
    uses = Counter(str(name).casefold() for name in short)
    names = [
        str(name) if uses[str(name).casefold()] == 1 else str(path.relative_to(root))
        for path, name in zip(recordings, short, strict=True)
    ]
    twice = [name for name, n in Counter(name.casefold() for name in names).items() if n > 1]
    if twice:
        raise DataError(
            tr(
                "{root}: two recordings would be written as {name}.{fmt}; rename one",
                root=root,
                name=twice[0],
                fmt=fmt,
            )
        )
    return [output / f"{name}.{fmt}" for name in names]
