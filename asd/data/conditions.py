"""What the recordings of a data set are like: the ranges of the training, and odd ones out."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from asd.audio.comparable import Notice, Ranges, Reference
from asd.audio.condition import Condition
from asd.data.manifest import Clip
from asd.data.recordings import Recording

_MIDDLE = 0.5
"""Share of the recordings of a machine that says what is usual there."""
_FEWEST = 4
"""Recordings of a machine from which one can be out of line."""
_LISTED = 5

Conditions = Mapping[str, Condition]
"""One a recording, by its name."""


def training_ranges(
    recordings: Iterable[Recording], conditions: Conditions, clips: Iterable[Clip]
) -> Ranges | None:
    """The ranges over the normal recordings of which clips stand in train or valid."""
    units = {clip.recording for clip in clips if clip.label == "normal" and clip.split != "test"}
    heard = [r for r in recordings if r.whole in units and r.label == "normal"]
    return Ranges.of(conditions[r.name] for r in heard)


def condition_warnings(
    recordings: Iterable[Recording], conditions: Conditions, sample_rate: int, clip_seconds: float
) -> list[str]:
    """Recordings whose channels cancel, odd files, and single ones out of line with the others.

    The others are the recordings of the same machine; the middle half of them says what is usual.
    """
    machines: dict[str, list[str]] = defaultdict(list)
    for recording in recordings:
        machines[recording.machine].append(recording.name)
    fixed = Reference(sample_rate, clip_seconds)
    cancel: dict[str, str] = {}
    odd: dict[str, str] = {}
    files: list[str] = []
    for names in machines.values():
        usual = _usual([conditions[name] for name in names], sample_rate, clip_seconds)
        for name in names:
            noticed = fixed.notices(conditions[name])
            if any(notice.kind == "cancel" for notice in noticed):
                cancel[name] = f"{name} ({conditions[name].cancel_db:.0f} dB)"
            files += [f"{name}: {notice.text}" for notice in noticed if notice.kind == "file"]
            if usual and (texts := _texts(usual.notices(conditions[name]))):
                odd[name] = f"{name}: {texts}"
    warnings = []
    if cancel:
        warnings.append(
            f"channels cancel; give channel=left: their mean is that much weaker in "
            f"{_some(list(cancel.values()))}"
        )
    if odd:
        warnings.append(f"out of line with the other recordings: {_some(list(odd.values()))}")
    if files:
        warnings.append(f"files are not what they state: {_some(files)}")
    return warnings


def _usual(conditions: list[Condition], sample_rate: int, clip_seconds: float) -> Reference | None:
    if len(conditions) < _FEWEST:
        return None
    middle = Ranges.of(conditions, _MIDDLE)
    return Reference(sample_rate, clip_seconds, middle, of_clips=True)


def _texts(notices: list[Notice]) -> str:
    """Those of interest here: length, channels and headers are told of elsewhere."""
    return ", ".join(n.text for n in notices if n.kind not in ("length", "cancel", "file"))


def _some(texts: list[str]) -> str:
    more = f"; and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
    return "; ".join(texts[:_LISTED]) + more
