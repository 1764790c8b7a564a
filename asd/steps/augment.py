"""Shift clips in pitch and lay other sounds over them."""

from pathlib import Path

from asd.config.steps import AugmentConfig
from asd.data.augment import augment
from asd.data.manifest import Dataset
from asd.data.opening import open_dataset
from asd.tracking.commands import step_command
from asd.tracking.runs import step_run
from asd.tracking.tracked import data_params


def run(config: AugmentConfig, dataset: Dataset | None = None) -> Dataset:
    """Make the data set `output` from `data` with pitched and overlaid clips.

    `dataset` is what stands in `data` where that is open already.

    Raises
    ------
    AsdError
        The data set, the sounds or the output cannot be used.
    """
    output = Path(config.output or f"{config.data.rstrip('/')}-augmented")
    with step_run("augment", config.flat(), f"augment {output.name}") as tracked:
        source = open_dataset(dataset or config.data)
        tracked.log_input(source, "source")
        report = augment(source, output, config)
        tracked.log_params(data_params(report.dataset))
        tracked.log_input(report.dataset, "augmented")
        tracked.report(*report.lines(), after=step_command("evaluate", data=output))
    return report.dataset
