"""The way of the sound from a recording to a clip, kept beside the manifest.

It belongs to every model made from the data set: what is scored later has to go the same way.
"""

import json
from collections import Counter
from pathlib import Path

from pydantic import Field

from asd.audio.comparable import Ranges
from asd.audio.decode import probe
from asd.config.base import Config
from asd.data.manifest import Dataset
from asd.errors import DataError
from asd.files import atomic_path
from asd.language import tr

SOUND_NAME = "sound.json"
EARLIER_RESAMPLER = "swr"
"""That of releases which did not note it."""


class Sound(Config):
    """How a recording becomes windows of one channel at one rate."""

    sample_rate: int = Field(ge=1000, le=192000)
    """Sampling rate of the clips in Hz."""
    clip_seconds: float = Field(gt=0)
    """Length of a clip in seconds."""
    channel: int | None = Field(None, ge=0)
    """The channel that is taken, from 0; the mean of all where it is None."""
    stream: int = Field(0, ge=0)
    """The audio track that is taken, from 0."""
    resampler: str = EARLIER_RESAMPLER
    """What brought recordings to the clips' rate."""
    ranges: Ranges | None = None
    """What the normal recordings of train and valid were like; None where they were not measured,
    as in data sets of earlier releases."""


def save_sound(root: Path, sound: Sound) -> None:
    """Write the description beside the manifest in `root`, whole or not at all."""
    with atomic_path(root / SOUND_NAME) as partial:
        partial.write_text(sound.model_dump_json(indent=2) + "\n", encoding="utf-8")


def sound_of(dataset: Dataset) -> Sound:
    """How the clips of a data set were made.

    A data set of an earlier release says nothing of it: then its clips tell rate and length, and
    the channel is the mean of all.

    Raises
    ------
    DataError
        The description cannot be read.
    """
    path = dataset.root / SOUND_NAME
    if path.is_file():
        try:
            return Sound.parse(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise DataError(
                tr("{path}: not a description of sound ({error})", path=path, error=error)
            ) from error
    rate = probe(dataset.file(dataset.clips[0])).sample_rate
    return Sound(sample_rate=rate, clip_seconds=clip_seconds(dataset))


def clip_seconds(dataset: Dataset) -> float:
    """The length of a clip: that which most of the seconds are cut to."""
    lengths = Counter(clip.duration_s for clip in dataset.clips)
    return max(lengths, key=lambda length: (lengths[length] * length, length))
