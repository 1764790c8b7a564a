"""Score recordings of any length, window by window."""

import csv
import functools
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from asd.audio.decode import find_audio
from asd.config.steps import ScoreConfig
from asd.files import atomic_path
from asd.parallel import map_recordings
from asd.pipeline import Pipeline, Verdict
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
)

logger = logging.getLogger(__name__)


def run(config: ScoreConfig) -> dict[Path, Verdict]:
    """Judge each recording of `source` and write ``windows.csv`` and ``files.csv``.

    Raises
    ------
    AsdError
        There is no such model, or a recording cannot be used and `skip_bad` is off.
    """
    source, output = Path(config.source), Path(config.output)
    with step_run("score", config.flat(), f"score {source.name}") as tracked:
        model = resolve(config.model_uri)
        pipeline = load(model)
        tracked.log_params({"model": model.uri})
        judge = functools.partial(_judge, pipeline)
        results, skipped = map_recordings(judge, find_audio(source), "score", config.skip_bad)
        verdicts = dict(results)
        _write(output / "windows.csv", WINDOW_COLUMNS, _window_rows(verdicts))
        _write(output / "files.csv", FILE_COLUMNS, _file_rows(verdicts))
        tracked.log_files(output / "windows.csv")
        tracked.log_files(output / "files.csv")
        alarms = sum(verdict.worst.is_anomaly for verdict in verdicts.values())
        tracked.log_metrics(
            {
                "files": len(verdicts),
                "files_anomalous": alarms,
                "files_skipped": len(skipped),
                "audio_seconds": sum(verdict.duration_s for verdict in verdicts.values()),
            }
        )
        tracked.report(
            f"scored {len(verdicts)} recordings with {model.name}: {alarms} with an alarm",
            *_worst(verdicts),
            *(f"skipped: {message}" for message in skipped),
            f"written: {output / 'files.csv'} (a row a file), {output / 'windows.csv'} (a window)",
        )
    return verdicts


def _judge(pipeline: Pipeline, path: Path) -> tuple[Path, Verdict]:
    return path, pipeline.judge(path)


def _worst(verdicts: dict[Path, Verdict], most: int = 5) -> list[str]:
    ranked = sorted(verdicts.items(), key=lambda item: -item[1].worst.anomaly_score)
    return [
        f"  {path.name}: score {verdict.worst.anomaly_score:.4g} at {verdict.worst.start_s:.1f} s"
        f" (threshold {verdict.threshold:.4g})"
        for path, verdict in ranked[:most]
        if verdict.worst.is_anomaly
    ]


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


def _file_rows(verdicts: dict[Path, Verdict]) -> Iterable[tuple[object, ...]]:
    for path, verdict in verdicts.items():
        worst = verdict.worst
        yield (
            path,
            f"{verdict.duration_s:.3f}",
            len(verdict.windows),
            sum(window.is_anomaly for window in verdict.windows),
            worst.anomaly_score,
            verdict.threshold,
            int(worst.is_anomaly),
            verdict.p_value,
            f"{worst.start_s:.3f}",
        )


def _write(path: Path, columns: Sequence[str], rows: Iterable[tuple[object, ...]]) -> None:
    with (
        atomic_path(path) as unfinished,
        unfinished.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
