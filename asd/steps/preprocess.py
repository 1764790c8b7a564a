"""Cut recordings into a data set of clips."""

from pathlib import Path

from asd.config.steps import CutConfig, PreprocessConfig
from asd.data.manifest import Dataset
from asd.data.preprocess import preprocess, preview
from asd.language import tr
from asd.tracking.commands import step_command
from asd.tracking.runs import step_run
from asd.tracking.tracked import data_params


def run(config: PreprocessConfig) -> Dataset:
    """Cut the recordings of `source` into the data set `output`.

    Raises
    ------
    AsdError
        A recording or its labels cannot be used, or the output exists.
    """
    output = Path(config.output or Path("data") / Path(config.source).resolve().stem)
    if config.dry_run:
        return look(Path(config.source), output, config)
    return cut(Path(config.source), output, config, config.overwrite)


def look(source: Path, output: Path, config: CutConfig) -> Dataset:
    """Report what the step would make of the source, as a run of its own."""
    params = {"source": source, "dry_run": True}
    with step_run("preprocess", params, f"preview {output.name}") as tracked:
        report = preview(source, output, config)
        tracked.report(tr("dry run: nothing is written"), *report.lines())
    return report.dataset


def cut(source: Path, output: Path, config: CutConfig, overwrite: bool) -> Dataset:
    """Do the step, as a run of its own, with the fields that several entry points share."""
    options = config.model_dump(include=set(CutConfig.model_fields))
    params = {"source": source, "output": output, "overwrite": overwrite, **options}
    del params["sample_rate"]  # known in the end
    with step_run("preprocess", params, f"preprocess {output.name}") as tracked:
        report = preprocess(source, output, config, overwrite)
        tracked.log_params(data_params(report.dataset) | {"sample_rate": report.sample_rate})
        for split in ("train", "valid", "test"):
            part = report.dataset.split(split)
            tracked.log_metrics(
                {f"clips_{split}": len(part.clips), f"seconds_{split}": part.seconds()}
            )
        tracked.log_input(report.dataset, "preprocessed")
        tracked.report(*report.lines(), after=step_command("train", data=output))
    return report.dataset
