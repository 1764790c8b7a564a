"""Steps that make data sets."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from asd.config.spread import SpreadConfig
from asd.config.steps.values import DEMO_DATA, Channel, Fractions, Numbers, Range, Truncated
from asd.language import tr


class ExtractConfig(SpreadConfig):
    """Take the sound out of videos and other recordings."""

    source: str = Field(min_length=1)
    """Video or audio file, or a folder searched recursively."""
    output: str = "data/audio"
    """Folder for the audio files."""
    format: Literal["mp3", "wav", "flac"] = "mp3"
    """Format to write; mp3 is written at the highest variable-bit-rate quality."""
    stream: int = Field(0, ge=0)
    """Which audio track to take, from 0."""
    overwrite: bool = False
    """Write again what is already there."""
    truncated: Truncated = "refuse"
    """What becomes of recordings that have lost their end: `refuse`, or `accept` what is there."""
    skip_bad: bool = False
    """Go on without recordings that cannot be used, and report them."""


class CutConfig(SpreadConfig):
    """How recordings become a data set of clips."""

    clip_seconds: float = Field(10.0, gt=0, le=3600)
    """Length of a clip in seconds."""
    sample_rate: int | None = Field(None, ge=1000, le=192000)
    """Sampling rate of the clips in Hz; where not given 16000, or the lowest rate of the
    recordings where that is less."""
    split: Fractions = (0.72, 0.18, 0.10)
    """Shares of train, validation and test, by recording."""
    seed: int = Field(42, ge=0)
    """Seed of everything random."""
    remainder: Literal["drop", "keep"] = "drop"
    """What becomes of the last, partial clip of a recording."""
    channel: Channel = None
    """The channel to take: left, right or a number from 0; `mix`, the mean of all, where not
    given. It belongs to the model: recordings that are scored later go the same way."""
    stream: int = Field(0, ge=0)
    """Which audio track to take, from 0; it belongs to the model too."""
    layout: Literal["auto", "flat"] = "auto"
    """How the source says what is normal: `auto` finds out by tables, folders and names; with
    `flat` all is normal, whatever they say."""
    truncated: Truncated = "refuse"
    """What becomes of recordings that have lost their end: `refuse`, or `accept` what is there."""
    skip_bad: bool = False
    """Go on without recordings that cannot be used, and report them."""

    @model_validator(mode="after")
    def _shares(self) -> "CutConfig":
        if min(self.split) < 0 or abs(sum(self.split) - 1) > 1e-6 or self.split[0] == 0:
            raise ValueError(
                tr(
                    "split={split}: train,valid,test must be shares that add up to 1, "
                    "train above 0",
                    split=_commas(self.split),
                )
            )
        return self


class PreprocessConfig(CutConfig):
    """Cut recordings into clips and split them into train, validation and test."""

    source: str = Field(min_length=1)
    """Recording, or folder of recordings, in any audio or video container."""
    output: str = ""
    """Folder of the new data set; data/<name of the source> where not given."""
    overwrite: bool = False
    """Replace an existing data set."""
    dry_run: bool = False
    """Say what would be taken for what, and write nothing."""


class AugmentConfig(SpreadConfig):
    """Make copies of clips that are shifted in pitch or overlaid with other sounds."""

    data: str = DEMO_DATA
    """Folder of the data set to start from."""
    output: str = ""
    """Folder of the new data set; <data>-augmented where not given."""
    pitch: Numbers = ()
    """Semitones, for example -6,-3,-1,1,3,6."""
    pitch_method: Literal["resample", "preserve"] = "resample"
    """`resample` shifts pitch and speed together; `preserve` keeps the length."""
    noise: str = ""
    """Folder of sounds to lay over clips, in any audio container."""
    noise_count: Annotated[int, Field(ge=1)] | Literal["all"] = 20
    """How many clips get a sound laid over them."""
    noise_gain_db: Range = (-10.0, 10.0)
    """Range of the gain of the sound, in dB."""
    noise_snr_db: Range | None = None
    """Range of the ratio of clip to sound, in dB, instead of a gain."""
    noise_label: Literal["anomaly", "normal"] = "anomaly"
    """What an overlaid clip counts as."""
    split: Literal["test", "valid", "train", "all"] = "test"
    """The side of the split that is changed; the rest is carried over."""
    seed: int = Field(42, ge=0)
    """Seed of everything random."""
    overwrite: bool = False
    """Replace an existing data set."""


def _commas(values: Iterable[float]) -> str:
    return ",".join(f"{value:g}" for value in values)
