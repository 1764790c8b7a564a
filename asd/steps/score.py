"""Score recordings of any length, window by window."""

import functools
from pathlib import Path

from asd.audio.decode import find_audio
from asd.config.steps import ScoreConfig
from asd.errors import AudioError
from asd.evaluation import listing
from asd.files import check_writable, write_csv
from asd.language import tr
from asd.parallel import map_recordings
from asd.pipeline.pipeline import Pipeline
from asd.pipeline.verdict import Verdict
from asd.text import count
from asd.tracking import registry
from asd.tracking.models import load, resolve
from asd.tracking.runs import step_run


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
        check_writable(output, "output")
        address = registry.chosen(config.model_uri, config.name)
        model = resolve(address)
        pipeline = load(model)
        tracked.log_params({"model": model.uri})
        judge = functools.partial(_judge, pipeline, config)
        results, skipped = map_recordings(judge, find_audio(source), "score", config.skip_bad)
        verdicts = dict(results)
        tables = {
            "files": (listing.FILE_COLUMNS, listing.file_rows(verdicts)),
            "windows": (listing.WINDOW_COLUMNS, listing.window_rows(verdicts)),
            "events": (listing.EVENT_COLUMNS, listing.event_rows(verdicts)),
        }
        for name, (columns, rows) in tables.items():
            write_csv(output / f"{name}.csv", columns, rows)
            tracked.log_files(output / f"{name}.csv")
        alarms = sum(verdict.is_anomaly for verdict in verdicts.values())
        events = sum(len(verdict.events) for verdict in verdicts.values())
        tracked.log_metrics(
            {
                "files": len(verdicts),
                "files_anomalous": alarms,
                "files_with_warnings": sum(bool(v.warnings) for v in verdicts.values()),
                "events": events,
                "files_skipped": len(skipped),
                "audio_seconds": sum(verdict.duration_s for verdict in verdicts.values()),
            }
        )
        tracked.report(
            tr(
                "scored {recordings} with {model} ({address}): {alarms} with an alarm, {events}",
                recordings=count(len(verdicts), "recording"),
                model=model.name,
                address=address,
                alarms=alarms,
                events=count(events, "event"),
            ),
            *listing.alarm_lines(verdicts),
            *listing.warning_lines(verdicts),
            *listing.note_lines(verdicts),
            *(tr("skipped: {message}", message=message) for message in skipped),
            tr(
                "written: {output}/files.csv (a row a file), windows.csv (a window), events.csv",
                output=output,
            ),
        )
    return verdicts


def _judge(pipeline: Pipeline, config: ScoreConfig, path: Path) -> tuple[Path, Verdict]:
    verdict = pipeline.judge(path, config.machine or None, config.truncated)
    if config.strict and verdict.not_comparable:
        reasons = "; ".join(verdict.not_comparable)
        raise AudioError(
            tr("{path}: {reasons} (refused, as strict=true)", path=path, reasons=reasons)
        )
    return path, verdict
