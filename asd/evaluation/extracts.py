"""The sound of events, and pictures of recordings with an alarm, as files."""

from collections.abc import Mapping
from pathlib import Path

from asd.audio.encode import write_wav
from asd.decision.events import Event
from asd.evaluation.plots.timeline import timeline
from asd.evaluation.style import shorten
from asd.files import atomic_path
from asd.language import tr
from asd.pipeline.judge import Judge
from asd.pipeline.verdict import Verdict
from asd.text import count

LONGEST_S = 60.0
"""Of an event, so much is written: around its highest window where it is longer."""
_LONGEST_NAME = 60


def write_extracts(
    judge: Judge,
    verdicts: Mapping[Path, Verdict],
    names: Mapping[Path, str],
    folder: Path,
    most_clips: int,
    most_timelines: int,
) -> list[str]:
    """Write clips to ``events/`` and pictures to ``timelines/`` of a folder.

    The parameters are those of `write_clips` and `write_timelines`.

    Returns
    -------
    list of str
        How many there are, and what was left out, in words.
    """
    events = write_clips(judge, verdicts, names, folder / "events", most_clips)
    alarms = write_timelines(verdicts, names, folder / "timelines", most_timelines)
    lines = []
    if events:
        lines.append(
            tr(
                "sound of {clips} of {events}, at most {seconds:g} s each: {folder} (more with "
                "clips=)",
                clips=min(events, most_clips),
                events=count(events, "event"),
                seconds=LONGEST_S,
                folder=folder / "events",
            )
        )
    if alarms:
        lines.append(
            tr(
                "scores over time of {pictures} of {recordings} with an alarm: {folder} (more "
                "with timelines=)",
                pictures=min(alarms, most_timelines),
                recordings=count(alarms, "recording"),
                folder=folder / "timelines",
            )
        )
    return lines


def write_clips(
    judge: Judge,
    verdicts: Mapping[Path, Verdict],
    names: Mapping[Path, str],
    folder: Path,
    most: int,
) -> int:
    """Write the sound of events, as the detectors heard it; gives how many events there are.

    Parameters
    ----------
    judge : Judge
        What gave the verdicts.
    verdicts : mapping
        By recording.
    names : mapping
        What each recording is called in the names of files; the time of the event is added.
    folder : Path
        Where to.
    most : int
        How many at most, the least likely first.
    """
    events = [(event, path) for path, verdict in verdicts.items() for event in verdict.events]
    events.sort(key=lambda item: (_or_zero(item[0].p_value), -item[0].peak_score))
    spans: dict[Path, list[tuple[float, float]]] = {}
    for event, path in events[:most]:
        spans.setdefault(path, []).append(_span(event))
    for path, parts in judge.parts_of(spans).items():
        for (start_s, end_s), samples in zip(spans[path], parts, strict=True):
            place = folder / f"{_file_name(names[path])}_{clock(start_s)}-{clock(end_s)}.wav"
            write_wav(place, samples, judge.scorer.sample_rate)
    return len(events)


def write_timelines(
    verdicts: Mapping[Path, Verdict], names: Mapping[Path, str], folder: Path, most: int
) -> int:
    """Draw the recordings with an alarm or event; gives how many there are.

    Parameters
    ----------
    verdicts, names, folder
        As of `write_clips`.
    most : int
        How many at most, the most anomalous first.
    """
    alarms = [(path, v) for path, v in verdicts.items() if v.is_anomaly or v.events]
    alarms.sort(key=lambda item: -item[1].anomaly_score)
    for path, verdict in alarms[:most]:
        figure = timeline(verdict, names[path])
        with atomic_path(folder / f"{_file_name(names[path])}.png") as partial:
            figure.savefig(partial, format="png")
    return len(alarms)


def clock(seconds: float) -> str:
    """A time within a recording for the name of a file.

    Examples
    --------
    >>> clock(4325.5)
    '01h12m05.5s'
    """
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}h{minutes:02d}m{rest // 10:02d}.{rest % 10}s"


def _span(event: Event) -> tuple[float, float]:
    if event.end_s - event.start_s <= LONGEST_S:
        return event.start_s, event.end_s
    start = min(max(event.start_s, event.peak_s - LONGEST_S / 2), event.end_s - LONGEST_S)
    return start, start + LONGEST_S


def _file_name(name: str) -> str:
    """A name below a folder; its last part is no longer than file systems take."""
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{shorten(last, _LONGEST_NAME)}"


def _or_zero(p_value: float | None) -> float:
    return 0.0 if p_value is None else p_value
