"""The same sound in several files: after converting, downloading twice, or `extract`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asd.audio.fingerprint import same_sound
from asd.audio.folders import LeftOut
from asd.data.cut import Cut
from asd.data.recordings import Recording, below
from asd.language import tr
from asd.text import some

_SAME_LENGTH_S = 0.5
"""Copies by lossy codecs are as long as that; what differs more is a part of the other."""


@dataclass(frozen=True)
class Settled:
    """Recordings of which no sound stands on two sides of a split."""

    recordings: tuple[Recording, ...]
    """Those to be used; what is one sound and stays twice has one group."""
    left_out: tuple[LeftOut, ...]
    """Copies."""
    warnings: tuple[str, ...]
    """Which files are copies of which."""


def settle_copies(
    recordings: Sequence[Recording], cuts: Mapping[Path, Cut], source: Path
) -> Settled:
    """Count recordings of the same sound once.

    One file of a sound is used: that with a side, then the one nearest to the top, then that with
    the shortest path. A copy that is labelled otherwise or is longer stays, tied to the other, so
    that both stand on one side, unless their sides are given. One whose side is given is left out
    only where it is the same bit for bit, on the same side.

    Parameters
    ----------
    recordings : sequence of Recording
        Of a source.
    cuts : mapping
        What each was cut into, by path.
    source : Path
        For names in warnings.
    """
    ordered = sorted(recordings, key=_preference)
    kept: dict[Path, Recording] = {r.path: r for r in recordings}
    same: dict[str, list[str]] = defaultdict(list)
    other: list[str] = []
    left_out = []
    for first, copy in _pairs(ordered, cuts):
        original, twin = kept.get(first.path), kept.get(copy.path)
        if original is None or twin is None:
            continue
        sounds = cuts[first.path], cuts[copy.path]
        equal = _digests(sounds[0]) == _digests(sounds[1])
        if _says_the_same(original, twin, equal) and _as_long(*sounds):
            del kept[copy.path]
            left_out.append(LeftOut(copy.path, "file", tr("with the same sound as another")))
            same[below(source, first.path)].append(below(source, copy.path))
        else:
            other.append(f"{_described(original, source)} = {_described(twin, source)}")
            kept[copy.path] = _tied(twin, original)
    return Settled(tuple(kept.values()), tuple(left_out), _warnings(same, other))


def _pairs(
    ordered: Sequence[Recording], cuts: Mapping[Path, Cut]
) -> list[tuple[Recording, Recording]]:
    """Each recording with the first of the same sound, by its digests or by its fingerprint."""
    firsts: dict[tuple[str, ...], int] = {}
    pairs = []
    for i, recording in enumerate(ordered):
        first = firsts.setdefault(_digests(cuts[recording.path]), i)
        if first != i:
            pairs.append((first, i))
    equal = {i for _, i in pairs}
    rest = [i for i in range(len(ordered)) if i not in equal]
    alike = same_sound([cuts[ordered[i].path].fingerprint for i in rest])
    pairs += [(rest[a], rest[b]) for a, b in alike]
    return [(ordered[a], ordered[b]) for a, b in sorted(pairs)]


def _preference(recording: Recording) -> tuple[bool, int, int, str]:
    path = recording.path
    return recording.split is None, len(path.parts), len(str(path)), str(path)


def _digests(cut: Cut) -> tuple[str, ...]:
    return tuple(piece.sha256 for piece in cut.pieces)


def _says_the_same(a: Recording, b: Recording, equal: bool) -> bool:
    facts = [(r.label, r.machine, r.condition, r.domain, r.session) for r in (a, b)]
    return facts[0] == facts[1] and (b.split is None or (equal and b.split == a.split))


def _as_long(a: Cut, b: Cut) -> bool:
    return abs(a.condition.duration_s - b.condition.duration_s) <= _SAME_LENGTH_S


def _tied(recording: Recording, other: Recording) -> Recording:
    """The recording as a part of the other one, where their sides allow it."""
    if recording.split != other.split or recording.session or other.session:
        return recording
    return replace(recording, group=other.whole)


def _described(recording: Recording, source: Path) -> str:
    words = [recording.label, recording.split, recording.machine, recording.condition]
    return f"{below(source, recording.path)} ({', '.join(word for word in words if word)})"


def _warnings(same: Mapping[str, list[str]], other: list[str]) -> tuple[str, ...]:
    warnings = []
    if same:
        listed = [" = ".join([name, *copies]) for name, copies in same.items()]
        warnings.append(
            tr(
                "the same sound in several files, of which the first is used: {listed}",
                listed=some(listed),
            )
        )
    if other:
        warnings.append(
            tr(
                "the same sound, with another length, label or place or a side that is "
                "given: {other}; both are used, on one side of the split unless sides "
                "are given: mend what is not true",
                other=some(other),
            )
        )
    return tuple(warnings)
