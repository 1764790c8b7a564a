"""Find the recordings of a folder, links included, and say what cannot be entered or read."""

import errno
import stat
from dataclasses import dataclass, field
from pathlib import Path

from asd.errors import DataError
from asd.language import tr

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".qt", ".mkv", ".avi", ".webm", ".3gp", ".3g2", ".wmv", ".asf"}
) | {".mpg", ".mpeg", ".m2p", ".vob", ".ts", ".mts", ".m2t", ".m2ts", ".flv", ".f4v", ".ogv"}
"""Suffixes of videos, in lower case."""

AUDIO_SUFFIXES = (
    VIDEO_SUFFIXES
    | {".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".mp3", ".mp2", ".mpa", ".m2a", ".mpga"}
    | {".m4a", ".m4b", ".m4r", ".f4a", ".mka", ".weba", ".aac", ".adts", ".ogg", ".oga", ".ogx"}
    | {".opus", ".spx", ".wma", ".aif", ".aiff", ".aifc", ".afc", ".caf", ".amr", ".ac3", ".au"}
    | {".snd", ".voc", ".eac3", ".ec3", ".ape", ".tta", ".wv"}
)
"""Suffixes, in lower case, by which a folder is searched for recordings."""


@dataclass(frozen=True)
class LeftOut:
    """Something that is not used."""

    path: Path
    noun: str
    """What it is, in the singular: `file`, `folder`, `link`."""
    why: str
    """What about it keeps it out, to be put behind the noun."""


@dataclass
class Walk:
    """What stands in a folder and its sub-folders."""

    files: list[Path] = field(default_factory=list)
    """Every regular file, sorted; names that begin with a dot, and what is below them, do not
    count."""
    left_out: list[LeftOut] = field(default_factory=list)
    """Links, folders and hidden files that are not entered or read."""


def walk(root: Path) -> Walk:
    """List all files of a folder.

    Links to folders outside are followed, each of these folders once. A link to a folder that is
    part of the root, or holds it, is not, so that no file is listed twice and no walk is endless.

    Parameters
    ----------
    root : Path
        The folder.
    """
    found = Walk()
    known = [root.resolve()]
    waiting = [root]
    while waiting:
        folder = waiting.pop(0)
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            found.left_out.append(LeftOut(folder, "folder", tr("that cannot be read")))
            continue
        for path in entries:
            problem = _problem(path, known)
            if isinstance(problem, LeftOut):
                found.left_out.append(problem)
            elif problem:
                waiting.append(path)
            elif not path.name.startswith("."):
                found.files.append(path)
    found.files.sort()
    found.left_out.sort(key=lambda left: left.path)
    return found


def is_audio(path: Path) -> bool:
    """Whether a file is a recording by its suffix."""
    return path.suffix.lower() in AUDIO_SUFFIXES


def find_audio(source: Path) -> list[Path]:
    """List the recordings of a source.

    Parameters
    ----------
    source : Path
        A file, taken whatever its suffix, or a folder, searched with all its sub-folders and
        those that it has links to. Names that begin with a dot are passed over, half-written files
        of ours among them.

    Returns
    -------
    list of Path
        Sorted.

    Raises
    ------
    DataError
        There is no such file or folder, or no recording in it.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(tr("{source}: no such file or folder; check source", source=source))
    paths = [path for path in walk(source).files if is_audio(path)]
    if not paths:
        suffixes = " ".join(sorted(AUDIO_SUFFIXES))
        raise DataError(
            tr(
                "{source}: no recordings in this folder; put files there of {suffixes}",
                source=source,
                suffixes=suffixes,
            )
        )
    return paths


def _problem(path: Path, known: list[Path]) -> LeftOut | bool:
    """What keeps an entry out; else whether it is a folder to enter."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        gone = error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR)
        if gone:
            return LeftOut(path, "link", tr("to a file that is not there"))
        return LeftOut(path, "entry", tr("that cannot be read"))
    hidden = path.name.startswith(".")
    if stat.S_ISDIR(mode):
        if path.is_symlink() and not hidden and not _is_new(path, known):
            return LeftOut(path, "link", tr("to a folder that is searched anyway"))
        return not hidden
    if not stat.S_ISREG(mode):
        return LeftOut(path, "entry", tr("that is no regular file"))
    return LeftOut(path, "hidden file", "") if hidden else False


def _is_new(link: Path, known: list[Path]) -> bool:
    """Whether a linked folder shares no file with the known ones; if so it is one of them."""
    target = link.resolve()
    if any(target.is_relative_to(other) or other.is_relative_to(target) for other in known):
        return False
    known.append(target)
    return True
