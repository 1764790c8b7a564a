"""Shift clips in pitch and lay other sounds over them."""

from pathlib import Path

from asd.config.steps import AugmentConfig
from asd.data.augment import augment
from asd.data.manifest import Dataset
from asd.data.opening import open_dataset
from asd.tracking.runs import data_params, step_run


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
        report = augment(
            source,
            output,
            pitch=config.pitch,
            pitch_method=config.pitch_method,
            noise=Path(config.noise) if config.noise else None,
            noise_count=config.noise_count,
            noise_gain_db=config.noise_gain_db,
            noise_snr_db=config.noise_snr_db,
            noise_label=config.noise_label,
            split=config.split,
            seed=config.seed,
            overwrite=config.overwrite,
        )
        tracked.log_params(data_params(report.dataset))
        tracked.log_input(report.dataset, "augmented")
        tracked.report(*report.lines(), after=f"mlflow run . -e evaluate -P data={output}")
    return report.dataset
