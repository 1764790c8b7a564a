"""What `main` does before it trains: from recordings to a data set, a run a step."""

from pathlib import Path
from typing import Any

from asd.audio.folders import VIDEO_SUFFIXES, find_audio
from asd.config.steps import DEMO, AugmentConfig, ExtractConfig, MainConfig
from asd.data.manifest import Dataset
from asd.data.opening import demo_source, foreign_sounds
from asd.data.sources import folder_name
from asd.steps import augment, extract, preprocess
from asd.tracking.champions import machine_name

WORK = Path("data/main")


def machine_of(config: MainConfig) -> str:
    """The machine, after which data sets and registered model are named."""
    if config.name:
        return config.name
    demo = config.source == DEMO
    source = DEMO if demo else str(Path(config.source).resolve())
    return folder_name(WORK, source, DEMO if demo else machine_name(Path(source).stem))


def prepare(config: MainConfig, name: str) -> Dataset:
    """Extract, preprocess and augment the recordings of a machine.

    The data sets in between are made anew below ``data/main/<name>``.

    Raises
    ------
    AsdError
        What the steps raise.
    """
    demo = config.source == DEMO
    source = demo_source() / "recordings" if demo else Path(config.source)
    # Extracted, a track is the only one of its file; the data set has to know which it was.
    first = config.stream == 0
    if first and any(path.suffix.lower() in VIDEO_SUFFIXES for path in find_audio(source)):
        audio = WORK / f"{name}-audio"
        wish = {"source": str(source), "output": str(audio), "format": "flac", "overwrite": True}
        alike = {"skip_bad": config.skip_bad, "truncated": config.truncated}
        extract.run(ExtractConfig.parse({**wish, **alike}))
        source = audio
    clips = preprocess.cut(source, WORK / name, config, overwrite=True)
    noise = config.noise or (str(demo_source() / "noise") if demo else foreign_sounds(clips))
    if config.pitch:
        clips = _augment(
            clips, f"{name}-pitched", config, pitch=config.pitch, split=config.pitch_split
        )
    if noise:
        # At most half of the normal test clips.
        most = max(1, len(clips.split("test", "normal").clips) // 2)
        number = min(config.noise_count, most)
        clips = _augment(clips, f"{name}-noised", config, noise=noise, noise_count=number)
    return clips


def _augment(clips: Dataset, name: str, config: MainConfig, **changes: Any) -> Dataset:
    return augment.run(
        AugmentConfig(
            data=str(clips.root),
            output=str(WORK / name),
            seed=config.seed,
            overwrite=True,
            **changes,
        ),
        clips,
    )
