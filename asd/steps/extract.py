"""Take the sound out of videos."""

from pathlib import Path

from asd.config.steps import ExtractConfig
from asd.data.extract import ExtractReport, extract_all
from asd.tracking.commands import step_command
from asd.tracking.runs import step_run


def run(config: ExtractConfig) -> ExtractReport:
    """Write the sound of each recording of `source` below `output`.

    Raises
    ------
    AsdError
        A recording cannot be used and `skip_bad` is off, or there is none.
    """
    with step_run("extract", config.flat()) as tracked:
        report = extract_all(
            Path(config.source),
            Path(config.output),
            config.format,
            config.stream,
            config.overwrite,
            config.skip_bad,
            config.truncated,
        )
        tracked.log_metrics(
            {
                "files_written": len(report.written),
                "files_kept": len(report.kept),
                "files_skipped": len(report.skipped),
                "audio_seconds": report.seconds,
            }
        )
        after = step_command("preprocess", source=config.output)
        tracked.report(*report.lines(), after=after)
    return report
