"""Score recordings of any length, window by window."""

import functools
import logging
from collections.abc import Iterable
from pathlib import Path

from asd.audio.decode import find_audio
from asd.config.steps import ScoreConfig
from asd.errors import AudioError
from asd.files import write_csv
from asd.parallel import map_recordings
from asd.pipeline.pipeline import Pipeline
from asd.pipeline.verdict import Verdict
from asd.text import count
from asd.tracking.models import load, resolve
from asd.tracking.runs import step_run

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

logger = logging.getLogger(__name__)


def run(config: ScoreConfig) -> dict[Path, Verdict]:
    """Judge each recording of `source` and write ``files.csv``, ``windows.csv`` and ``events.csv``.

    Raises
    ------
    AsdError
        There is no such model, or a recording cannot be used, or compared where `strict` is on,
        and `skip_bad` is off.
    """
    source, output = Path(config.source), Path(config.output)
    with step_run("score", config.flat(), f"score {source.name}") as tracked:
        model = resolve(config.model_uri)
        pipeline = load(model)
        tracked.log_params({"model": model.uri})
        judge = functools.partial(_judge, pipeline, config.strict)
        results, skipped = map_recordings(judge, find_audio(source), "score", config.skip_bad)
        verdicts = dict(results)
        tables = {
            "files": (FILE_COLUMNS, _file_rows(verdicts)),
            "windows": (WINDOW_COLUMNS, _window_rows(verdicts)),
            "events": (EVENT_COLUMNS, _event_rows(verdicts)),
        }
        for name, (columns, rows) in tables.items():
            write_csv(output / f"{name}.csv", columns, rows)
            tracked.log_files(output / f"{name}.csv")
        alarms = sum(verdict.is_anomaly for verdict in verdicts.values())
        events = sum(len(verdict.events) for verdict in verdicts.values())
        warned = {path: verdict for path, verdict in verdicts.items() if verdict.warnings}
        tracked.log_metrics(
            {
                "files": len(verdicts),
                "files_anomalous": alarms,
                "files_with_warnings": len(warned),
                "events": events,
                "files_skipped": len(skipped),
                "audio_seconds": sum(verdict.duration_s for verdict in verdicts.values()),
            }
        )
        tracked.report(
            f"scored {count(len(verdicts), 'recording')} with {model.name}: {alarms} with an "
            f"alarm, {count(events, 'event')}",
            *_worst(verdicts),
            *_warnings(warned),
            *(f"skipped: {message}" for message in skipped),
            f"written: {output}/files.csv (a row a file), windows.csv (a window), events.csv",
        )
    return verdicts


def _judge(pipeline: Pipeline, strict: bool, path: Path) -> tuple[Path, Verdict]:
    verdict = pipeline.judge(path)
    if strict and verdict.not_comparable:
        reasons = "; ".join(verdict.not_comparable)
        raise AudioError(f"{path}: {reasons} (refused, as strict=true)")
    return path, verdict


def _worst(verdicts: dict[Path, Verdict], most: int = 5) -> list[str]:
    """The recordings with an alarm, the most anomalous first."""
    alarms = [(path, verdict) for path, verdict in verdicts.items() if verdict.is_anomaly]
    ranked = sorted(alarms, key=lambda item: -item[1].anomaly_score)
    lines = [
        f"  {path.name}: score {verdict.anomaly_score:.4g}{_p_text(verdict.p_value)}, highest at "
        f"{verdict.worst.start_s:.1f} s"
        for path, verdict in ranked[:most]
    ]
    more = [f"  and {len(ranked) - most} more in files.csv"] if len(ranked) > most else []
    return lines + more


def _warnings(warned: dict[Path, Verdict], most: int = 5) -> list[str]:
    """The recordings with warnings, apart from the alarms: either says nothing of the other."""
    if not warned:
        return []
    lines = [
        f"  {path.name}{' (alarm)' if verdict.is_anomaly else ''}: {'; '.join(verdict.warnings)}"
        for path, verdict in list(warned.items())[:most]
    ]
    more = [f"  and {len(warned) - most} more in files.csv"] if len(warned) > most else []
    return [f"{count(len(warned), 'recording')} with warnings", *lines, *more]


def _p_text(p_value: float | None) -> str:
    return "" if p_value is None else f" (p-value {p_value:.3g})"


def _window_rows(verdicts: dict[Path, Verdict]) -> Iterable[tuple[object, ...]]:
    for path, verdict in verdicts.items():
        for window in verdict.windows:
            yield (
                path,
                f"{window.start_s:.3f}",
                f"{window.duration_s:.3f}",
                window.anomaly_score,
                int(window.is_anomaly),
                window.p_value,
            )


def _event_rows(verdicts: dict[Path, Verdict]) -> Iterable[tuple[object, ...]]:
    for path, verdict in verdicts.items():
        for event in verdict.events:
            yield (
                path,
                f"{event.start_s:.3f}",
                f"{event.end_s:.3f}",
                f"{event.peak_s:.3f}",
                event.peak_score,
                event.p_value,
                event.expected_by_chance,
            )


def _file_rows(verdicts: dict[Path, Verdict]) -> Iterable[tuple[object, ...]]:
    for path, verdict in verdicts.items():
        yield (
            path,
            f"{verdict.duration_s:.3f}",
            len(verdict.windows),
            sum(window.is_anomaly for window in verdict.windows),
            verdict.anomaly_score,
            verdict.threshold,
            int(verdict.is_anomaly),
            verdict.p_value,
            f"{verdict.worst.start_s:.3f}",
            len(verdict.events),
            "; ".join(verdict.warnings),
        )
