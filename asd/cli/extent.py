"""How much a step would do, as far as that is known before it is done."""

import os
from pathlib import Path
from typing import Any

from asd.config.base import Config
from asd.config.steps import DEMO, CompareConfig, MainConfig, SweepConfig
from asd.data import manifest
from asd.language import tr
from asd.text import count, duration


def extent(step: str, config: Config) -> list[str]:
    """What a step would work on, how often it would fit, and how long it takes, a line each.

    Nothing is decoded and nothing is written. The time is that of the newest run of the step in
    the store of the present folder, in proportion to the length of the sound; without such a run,
    or without a manifest, nothing is said of it.

    Parameters
    ----------
    step : str
        The entry point.
    config : Config
        What it would be told.
    """
    values = {name: getattr(config, name) for name in type(config).model_fields}
    seconds = {folder: _seconds(folder) for folder in _folders(values.get("data"))}
    lines = [
        tr("{folder}: {clips}, {minutes:.1f} minutes of sound",
           folder=folder, clips=count(clips, "clip"), minutes=length / 60)
        for folder, (clips, length) in seconds.items()
    ]  # fmt: skip
    lines += [*_recordings(values.get("source")), *_fits(config)]
    total = sum(length for _, length in seconds.values())
    return [*lines, *_time(step, total)] if total else lines


def _folders(value: Any) -> list[str]:
    several = value if isinstance(value, tuple) else (value,)
    return [one for one in several if one and (Path(one) / manifest.MANIFEST_NAME).is_file()]


def _seconds(folder: str) -> tuple[int, float]:
    """Number of clips and their length together."""
    dataset = manifest.load(Path(folder))
    return len(dataset.clips), dataset.seconds()


def _recordings(source: str | None) -> list[str]:
    if not source or source == DEMO:
        return []
    from asd.audio.folders import find_audio

    files = find_audio(Path(source))
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    return [
        tr(
            "{source}: {recordings}, {megabytes:.1f} MB",
            source=source,
            recordings=count(len(files), "recording"),
            megabytes=megabytes,
        )
    ]


def _fits(config: Config) -> list[str]:
    """How often detectors would be fitted."""
    if isinstance(config, CompareConfig):
        fits = len(config.models) * len(config.data) * config.seeds
        return [tr("at most {fits}", fits=count(fits, "fit"))]
    if isinstance(config, MainConfig):
        return [count(len(config.models), "fit")]
    if isinstance(config, SweepConfig):
        trials = count(config.trials, "trial")
        if config.timeout_s is None:
            return [trials]
        return [tr("{trials}, within {seconds:.0f} s", trials=trials, seconds=config.timeout_s)]
    return []


def _time(step: str, seconds: float) -> list[str]:
    """How long the step would take, told from the newest such run."""
    if not (Path("mlflow.db").is_file() or "MLFLOW_TRACKING_URI" in os.environ):
        return []  # a store would be made, only to find nothing in it
    from asd.tracking.overview import newest_pace

    pace = newest_pace(step)
    if pace is None:
        return []
    taken, sound = pace
    return [
        tr(
            "about {estimate}, as the newest {step} took {taken} for {minutes:.1f} "
            "minutes of sound",
            estimate=duration(taken * seconds / sound),
            step=step,
            taken=duration(taken),
            minutes=sound / 60,
        )
    ]
