"""Verdicts on recordings as tables and lines."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from asd.files import write_csv
from asd.language import tr
from asd.parquet import write_parquet
from asd.pipeline.verdict import Verdict
from asd.text import count

WINDOW_COLUMNS = ("file", "start_s", "duration_s", "anomaly_score", "is_anomaly", "p_value")
FILE_COLUMNS = (
    "file",
    "duration_s",
    "windows",
    "anomalous_windows",
    "anomaly_score",
    "threshold",
    "is_anomaly",
    "p_value",
    "worst_start_s",
    "events",
    "warnings",
)
EVENT_COLUMNS = (
    "file",
    "start_s",
    "end_s",
    "peak_s",
    "peak_score",
    "p_value",
    "expected_by_chance",
)


def alarm_lines(verdicts: Mapping[Path, Verdict], most: int = 5) -> list[str]:
    """The recordings with an alarm, the most anomalous first."""
    alarms = [(path, verdict) for path, verdict in verdicts.items() if verdict.is_anomaly]
    ranked = sorted(alarms, key=lambda item: -item[1].anomaly_score)
    lines = [
        tr(
            "  {file}: score {score:.4g}{p_value}, highest at {second:.1f} s",
            file=path.name,
            score=verdict.anomaly_score,
            p_value=_p_text(verdict.p_value),
            second=verdict.worst.start_s,
        )
        for path, verdict in ranked[:most]
    ]
    more = [tr("  and {n} more in files.csv", n=len(ranked) - most)] if len(ranked) > most else []
    return lines + more


def warning_lines(verdicts: Mapping[Path, Verdict], most: int = 5) -> list[str]:
    """The recordings with warnings, apart from the alarms: either says nothing of the other."""
    warned = {path: verdict for path, verdict in verdicts.items() if verdict.warnings}
    if not warned:
        return []
    lines = [
        f"  {path.name}{' (alarm)' if verdict.is_anomaly else ''}: {'; '.join(verdict.warnings)}"
        for path, verdict in list(warned.items())[:most]
    ]
    more = [tr("  and {n} more in files.csv", n=len(warned) - most)] if len(warned) > most else []
    return [
        tr("{recordings} with warnings", recordings=count(len(warned), "recording")),
        *lines,
        *more,
    ]


def note_lines(verdicts: Mapping[Path, Verdict]) -> list[str]:
    """What p-values rest on beside the calibration, once for all recordings it is true of."""
    notes = Counter(verdict.note for verdict in verdicts.values() if verdict.note)
    return [f"{count(n, 'recording')}: {note}" for note, n in notes.items()]


def write_tables(
    verdicts: Mapping[Path, Verdict], folder: Path, kind: Literal["csv", "parquet", "both"]
) -> list[Path]:
    """Write the tables `files`, `windows` and `events`; gives the paths."""
    tables = {
        "files": (FILE_COLUMNS, file_rows),
        "windows": (WINDOW_COLUMNS, window_rows),
        "events": (EVENT_COLUMNS, event_rows),
    }
    written = []
    for name, (columns, rows) in tables.items():
        if kind != "parquet":
            written.append(folder / f"{name}.csv")
            write_csv(written[-1], columns, rows(verdicts), bom=True)
        if kind != "csv":
            written.append(folder / f"{name}.parquet")
            write_parquet(written[-1], columns, rows(verdicts))
    return written


def _p_text(p_value: float | None) -> str:
    return "" if p_value is None else tr(" (p-value {p_value:.3g})", p_value=p_value)


def window_rows(verdicts: Mapping[Path, Verdict]) -> Iterator[tuple[object, ...]]:
    """A row a window, under `WINDOW_COLUMNS`."""
    for path, verdict in verdicts.items():
        for window in verdict.windows:
            yield (
                path,
                round(window.start_s, 3),
                round(window.duration_s, 3),
                window.anomaly_score,
                int(window.is_anomaly),
                window.p_value,
            )


def event_rows(verdicts: Mapping[Path, Verdict]) -> Iterator[tuple[object, ...]]:
    """A row an event, under `EVENT_COLUMNS`."""
    for path, verdict in verdicts.items():
        for event in verdict.events:
            yield (
                path,
                round(event.start_s, 3),
                round(event.end_s, 3),
                round(event.peak_s, 3),
                event.peak_score,
                event.p_value,
                event.expected_by_chance,
            )


def file_rows(verdicts: Mapping[Path, Verdict]) -> Iterator[tuple[object, ...]]:
    """A row a recording, under `FILE_COLUMNS`."""
    for path, verdict in verdicts.items():
        yield (
            path,
            round(verdict.duration_s, 3),
            len(verdict.windows),
            sum(window.is_anomaly for window in verdict.windows),
            verdict.anomaly_score,
            verdict.threshold,
            int(verdict.is_anomaly),
            verdict.p_value,
            round(verdict.worst.start_s, 3),
            len(verdict.events),
            "; ".join(verdict.warnings),
        )
