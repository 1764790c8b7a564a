"""Score recordings of any length, window by window."""

from collections.abc import Mapping
from pathlib import Path

from asd.audio.folders import find_audio
from asd.config.steps import ScoreConfig
from asd.data.recordings import unique_names
from asd.evaluation import listing
from asd.evaluation.extracts import write_extracts
from asd.evaluation.page import recordings_page
from asd.files import atomic_path, check_writable
from asd.language import chosen, tr
from asd.parallel import map_recordings
from asd.pipeline.judged import Judged, Judging
from asd.pipeline.pipeline import Pipeline
from asd.pipeline.verdict import Verdict
from asd.text import count
from asd.tracking import champions
from asd.tracking.models import load, resolve
from asd.tracking.runs import step_run

_JUDGED = ".judged"


def run(config: ScoreConfig) -> dict[Path, Verdict]:
    """Judge each recording of `source`, and write tables, clips of events and timelines.

    What was judged is kept in the folder `output`: the same command goes on where it was ended.

    Raises
    ------
    AsdError
        There is no such model, or a recording cannot be used, or compared where `strict` is on,
        and `skip_bad` is off.
    """
    source, output = Path(config.source), Path(config.output)
    with step_run("score", config.flat(), f"score {source.name}") as tracked:
        check_writable(output, "output")
        address = champions.chosen(config.model_uri, config.name)
        model = resolve(address)
        pipeline = load(model)
        tracked.log_params({"model": model.uri})
        paths = find_audio(source)
        told = (model.uri, model.digest, config.machine, config.truncated)
        judged = Judged.below(output / _JUDGED, *told)
        judge = Judging(pipeline, judged, config.machine or None, config.truncated, config.strict)
        results, skipped = map_recordings(judge, paths, "score", config.skip_bad)
        verdicts = {path: verdict for path, verdict, _ in results}
        before = sum(known for _, _, known in results)
        for path in listing.write_tables(verdicts, output, config.format):
            tracked.log_files(path)
        extracts = write_extracts(
            pipeline, verdicts, unique_names(source, paths), output, config.clips, config.timelines
        )
        _write_page(pipeline, verdicts, config, tracked.lineage() | {"Model": model.uri})
        tracked.log_files(output / "report.html")
        counts = _counts(verdicts)
        seconds = sum(verdict.duration_s for verdict in verdicts.values())
        more = {"files_skipped": len(skipped), "audio_seconds": seconds}
        tracked.log_metrics({**counts, **more})
        tracked.report(
            tr(
                "scored {recordings} with {model} ({address}): {alarms} with an alarm, {events}",
                recordings=count(len(verdicts), "recording"),
                model=model.name,
                address=address,
                alarms=counts["files_anomalous"],
                events=count(counts["events"], "event"),
            ),
            *_before(before, output),
            *listing.alarm_lines(verdicts),
            *listing.warning_lines(verdicts),
            *listing.note_lines(verdicts),
            *(tr("skipped: {message}", message=message) for message in skipped),
            tr(
                "written: {output}: report.html; tables of files (a row a file), windows (a "
                "window) and events",
                output=output,
            ),
            *extracts,
        )
    return verdicts


def _write_page(
    pipeline: Pipeline,
    verdicts: Mapping[Path, Verdict],
    config: ScoreConfig,
    lineage: dict[str, str],
) -> None:
    language = config.language or chosen()
    page = recordings_page(pipeline, verdicts, config.machine, language, lineage)
    with atomic_path(Path(config.output) / "report.html") as partial:
        partial.write_text(page, encoding="utf-8")


def _counts(verdicts: Mapping[Path, Verdict]) -> dict[str, int]:
    judged = verdicts.values()
    return {
        "files": len(verdicts),
        "files_anomalous": sum(verdict.is_anomaly for verdict in judged),
        "files_with_warnings": sum(bool(verdict.warnings) for verdict in judged),
        "events": sum(len(verdict.events) for verdict in judged),
    }


def _before(known: int, output: Path) -> list[str]:
    if not known:
        return []
    return [tr("judged before: {known}, taken from {folder}", known=known, folder=output / _JUDGED)]
