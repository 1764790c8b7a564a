"""What is known of a recording before it is cut into clips."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asd.audio.folders import LeftOut
from asd.data.manifest import Domain, Label, Split
from asd.language import tr, trn
from asd.text import count, printable

LayoutKind = Literal["file", "labels.csv", "folders", "dcase", "scripts", "flat"]

_SUFFIXES = 5


@dataclass(frozen=True)
class Recording:
    """One audio or video file with all that its layout says of it."""

    path: Path
    """The file itself."""
    name: str
    """Stable and unique: the path below the source, forward slashes, without suffix."""
    label: Label
    """Ground truth."""
    split: Split | None = None
    """The side that the layout prescribes; None leaves the choice to `asd.data.split`."""
    machine: str = ""
    """Which machine, with its section or id where there is one (``fan/section_00``)."""
    condition: str = ""
    """Fault, operating state or attributes."""
    domain: Domain = "source"
    """`target` for shifted conditions (DCASE)."""
    group: str = ""
    """Files with the same group are parts of one recording; empty for a file of its own."""
    session: str = ""
    """Which session (a flight, a day, a mounting of the microphone) it is of; empty for one of
    its own."""
    pitch_semitones: float = 0.0
    """Semitones by which it was shifted before."""
    noise: str = ""
    """Name of the sound that was laid over it before; empty for none."""
    noise_gain_db: float | None = None
    """Gain at which that sound was laid over, in dB; None for none."""

    @property
    def whole(self) -> str:
        """The recording that the file is a part of: the group, or else the file itself."""
        return self.group or self.name

    @property
    def unit(self) -> str:
        """What must stay on one side of the split: the session, or else the recording."""
        return self.session or self.whole


@dataclass(frozen=True)
class Layout:
    """What was recognised in a source."""

    kind: LayoutKind
    recordings: tuple[Recording, ...]
    found: str
    """What was recognised, for the report."""
    left_out: tuple[LeftOut, ...] = ()
    """What stands in the source and is not used."""
    warnings: tuple[str, ...] = ()
    """What may be about truth or split, and is not used or not certain."""
    root: Path = Path()
    """The source, to which names are relative."""

    @property
    def note(self) -> str:
        """One sentence for the report: what was recognised, and what is not used."""
        groups = grouped(self.left_out, self.root)
        if not groups:
            return self.found
        listed = (tr("{what}, first {first}", what=what, first=first) for what, first, _ in groups)
        return tr("{found}; not used: {listed}", found=self.found, listed="; ".join(listed))


def grouped(left_out: Iterable[LeftOut], source: Path) -> list[tuple[str, str, int]]:
    """How many are left out and why, the name of the first and the number, one entry a reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for left in left_out:
        reasons.setdefault((left.noun, left.why), []).append(below(source, left.path))
    groups = []
    for (noun, why), names in reasons.items():
        suffixes = _suffixes(names) if why == _no_sound() else ""
        what = _counted(len(names), noun)
        text = tr("{files} {why}", files=what, why=why) if why else what
        groups.append((text + suffixes, names[0], len(names)))
    return groups


def _no_sound() -> str:
    return tr("of no suffix of sound or video")


def _counted(n: int, noun: str) -> str:
    """A number of what `asd.audio.folders.LeftOut` knows, for a sentence."""
    words = {
        "file": count(n, "file"),
        "hidden file": count(n, "hidden file"),
        "folder": count(n, "folder"),
        "link": count(n, "link"),
        "entry": trn("{n} entry", "{n} entries", n),
    }
    return words[noun]


def unused(paths: Iterable[Path], why: str) -> tuple[LeftOut, ...]:
    """Files that are not used, with a reason that can be put behind `file` and `files`."""
    return tuple(LeftOut(path, "file", why) for path in paths)


def no_sound(paths: Iterable[Path]) -> tuple[LeftOut, ...]:
    """Files that are not used because of their suffix."""
    return unused(paths, _no_sound())


def unique_names(source: Path, paths: list[Path]) -> dict[Path, str]:
    """Name each file by its path below `source`, without suffix where that is unambiguous."""
    full = {path: below(source, path) for path in paths}
    short = {path: name.removesuffix(printable(path.suffix)) for path, name in full.items()}
    counts = Counter(short.values())
    return {path: name if counts[name] == 1 else full[path] for path, name in short.items()}


def below(source: Path, path: Path) -> str:
    """Name of a file or folder relative to the source, with forward slashes."""
    root = source if source.is_dir() else source.parent
    name = path.relative_to(root) if path.is_relative_to(root) else path
    return printable(name.as_posix())


def _suffixes(names: list[str]) -> str:
    """The suffixes of files, the most frequent first: `` (.au 3, .snd 3)``."""
    counts = Counter(Path(name).suffix.lower() or "none" for name in names)
    listed = [f"{suffix} {n}" for suffix, n in counts.most_common(_SUFFIXES)]
    return f" ({', '.join(listed)}{', ...' if len(counts) > _SUFFIXES else ''})"
