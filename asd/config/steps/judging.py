"""Steps that judge with a model that was trained."""

from typing import Literal

from pydantic import Field, model_validator

from asd.config.spread import SpreadConfig
from asd.config.steps.values import MachineName, Truncated
from asd.language import tr


class EvaluateConfig(SpreadConfig):
    """Score the test clips of a data set with a trained model."""

    model_uri: str = ""
    """Run id, runs:/ or models:/ address; the newest trained model where not given."""
    data: str = ""
    """Folder of the data set; the one the model was trained on where not given."""
    anomalies: str = ""
    """Folder that gets a copy of each clip judged anomalous."""
    max_fpr: float = Field(0.1, gt=0, le=1)
    """Largest false-positive rate that the partial AUC looks at."""
    robustness: bool = False
    """Score the test clips again under changes of gain, microphone, background and pitch."""
    noise: str = ""
    """Folder of background sounds for `robustness`; pink noise where not given."""
    official: Literal["", "dcase2020", "dcase2023"] = ""
    """Log the official scores of a DCASE Task 2, and write the files of a submission."""
    language: Literal["", "en", "ja"] = ""
    """Language of report.html and of plots: English or Japanese; else ASD_LANG or the locale."""
    seed: int = Field(42, ge=0)
    """Seed of the bootstrap intervals, and of the changes for `robustness`."""

    @model_validator(mode="after")
    def _noise_is_used(self) -> "EvaluateConfig":
        if self.noise and not self.robustness:
            raise ValueError(
                tr("noise={noise} is for robustness=true, which is not set", noise=self.noise)
            )
        return self


class UseConfig(SpreadConfig):
    """Which model is put to use."""

    model_uri: str = ""
    """Run id, runs:/ or models:/ address of the model; the champion where not given."""
    name: MachineName = ""
    """The machine whose champion to take; may be left out where only one machine has one."""

    @model_validator(mode="after")
    def _one_model(self) -> "UseConfig":
        if self.model_uri and self.name:
            raise ValueError(
                tr(
                    "name={name} is not used beside model_uri, which says which model; "
                    "give one of them",
                    name=self.name,
                )
            )
        return self


class RecalibrateConfig(UseConfig):
    """Fit a model to another unit of the machine, from a few minutes of its normal sound."""

    data: str = Field(min_length=1)
    """Folder of a data set of the new unit; its normal training and validation clips are used."""
    false_alarm_rate: float | None = Field(None, gt=0, lt=1)
    """Share of normal clips that may raise an alarm; that of the model where not given."""


class MoveThresholdConfig(UseConfig):
    """Give a model another threshold without training it again, and say what others come to."""

    false_alarm_rate: float | None = Field(None, gt=0, lt=1)
    """Share of normal clips that may raise an alarm."""
    value: float | None = None
    """The threshold itself, in the unit of the scores; instead of a rate."""
    data: str = ""
    """Folder of the data set whose test side is looked at; that of the training where not given."""

    @model_validator(mode="after")
    def _one_wish(self) -> "MoveThresholdConfig":
        if self.value is not None and self.false_alarm_rate is not None:
            raise ValueError(tr("false_alarm_rate and value cannot both be kept; give one of them"))
        return self


class ScoreConfig(UseConfig):
    """Score recordings of any length, window by window."""

    source: str = Field(min_length=1)
    """Audio or video file, or a folder of them."""
    machine: str = ""
    """Which machine the recordings are of, for its threshold; that of all where not given."""
    output: str = "scores"
    """Folder for the tables files, windows and events, and for clips and timelines."""
    format: Literal["csv", "parquet", "both"] = "csv"
    """Of the tables."""
    clips: int = Field(100, ge=0)
    """Most events of which the sound is written, the least likely ones first."""
    timelines: int = Field(20, ge=0)
    """Most recordings with an alarm of which the scores are drawn, the most anomalous first."""
    strict: bool = False
    """Refuse recordings that cannot be compared with those of the training."""
    truncated: Truncated = "refuse"
    """What becomes of recordings that have lost their end: `refuse`, or `accept` what is there."""
    skip_bad: bool = False
    """Go on without recordings that cannot be used, and report them."""
    language: Literal["", "en", "ja"] = ""
    """Language of report.html: English or Japanese; that of ASD_LANG or the locale otherwise."""
