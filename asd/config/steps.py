"""What each entry point can be told: one config class a step."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from asd.config.base import Config, Documented
from asd.config.features import LogMelConfig
from asd.config.recipe import Branch, Fusion, PerMachine
from asd.config.spread import SpreadConfig
from asd.config.threshold import ThresholdConfig


def _split_commas(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _channel(value: object) -> object:
    if not isinstance(value, str):
        return value
    words = {"": None, "mix": None, "left": 0, "right": 1}
    word = value.strip().lower()
    if word not in words and not word.isdecimal():
        raise ValueError("must be left, right, mix or a number from 0")
    return words[word] if word in words else int(word)


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("write the lower number first, as in -10,10")
    return pair


def _checked_features(fields: dict[str, Any]) -> dict[str, Any]:
    """Refuse a wrong field of log-mel at once; those of other front ends wait for their file."""
    if fields.get("name", "logmel") == "logmel":
        LogMelConfig.parse({k: v for k, v in fields.items() if k != "name"}, "features.")
    return fields


FeatureFields = Annotated[
    dict[str, Any], AfterValidator(_checked_features), Documented(LogMelConfig)
]
Truncated = Literal["refuse", "accept"]
Channel = Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(_channel)]
Words = Annotated[tuple[str, ...], BeforeValidator(_split_commas)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_split_commas)]
Range = Annotated[tuple[float, float], BeforeValidator(_split_commas), AfterValidator(_ordered)]
Fractions = Annotated[tuple[float, float, float], BeforeValidator(_split_commas)]

DEMO = "demo"
DEMO_DATA = "data/demo"
MachineName = Annotated[str, Field(pattern=r"^[\w.-]*$")]
"""Name of a registered model: letters and digits of any script, ``_``, ``-`` and ``.``."""


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
                f"split={_commas(self.split)}: train,valid,test must be shares that add up to 1, "
                "train above 0"
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


class FitConfig(SpreadConfig):
    """What a detector is fitted with, apart from its own fields."""

    features: FeatureFields = Field(default_factory=dict)
    """The front end: `name` says which, log-mel where not given; its own fields besides."""
    threshold: ThresholdConfig = ThresholdConfig()
    """The decision threshold."""
    per_machine: PerMachine = "false"
    """A detector for each machine beside the one over all: `auto` for machines whose recordings can
    promise the false-alarm rate asked for."""
    seed: int = Field(42, ge=0)
    """Seed of everything random."""


class TrainConfig(FitConfig):
    """Fit a detector and its threshold on normal sound, and log it as a model."""

    model: str = "auto"
    """Which detector; an unknown word lists them."""
    data: str = DEMO_DATA
    """Folder of the data set; data/demo is made on first use."""
    detector: dict[str, Any] = Field(default_factory=dict)
    """The detector's own fields, as detector.<field>; a wrong one lists them. Of a recipe of
    several branches, detector.<branch>.<field>."""
    label: str = ""
    """Name of the recipe in tables; the model's where not given."""
    branches: tuple[Branch, ...] = ()
    """In a YAML file: front ends and detectors that judge together, instead of `model`."""
    fusion: Fusion = "mean"
    """How the scores of several branches become one: `mean` or `logmeanexp`."""


class TrainMachinesConfig(FitConfig):
    """Fit a detector for each of many machines, and evaluate it where there are test clips."""

    data: Words = Field(min_length=1)
    """Data sets, or folders of data sets; one that holds several machines is taken apart."""
    model: str = "auto"
    """Which detector, or a YAML file as for `train`; an unknown word lists them."""
    detector: dict[str, Any] = Field(default_factory=dict)
    """The detector's own fields, as for `train`."""


class ImportConfig(SpreadConfig):
    """Take over a checkpoint of the original CNN or LSTM as a model like any other."""

    checkpoint: str = Field(min_length=1)
    """The .pth file: a state dict, loaded without unpickling."""
    data: str = DEMO_DATA
    """Folder of the data set whose validation side the threshold is fitted on."""
    threshold: ThresholdConfig = ThresholdConfig()
    """The decision threshold; the detector is as it is, so `calibration` is always `split`."""


class SweepConfig(FitConfig):
    """Search detectors, front ends and thresholds for the best, looking at validation clips only.

    A field that is given a value, as in features.n_mels=64, is not searched.
    """

    model: Words = ("all",)
    """Which detector, several as in knn,cnn, or `all`."""
    data: str = DEMO_DATA
    """Folder of the data set; data/demo is made on first use."""
    trials: int = Field(50, ge=1)
    """How many trials there are to be in the end, counting those of earlier runs."""
    timeout_s: float | None = Field(None, gt=0)
    """Seconds after which no further trial is begun."""
    study: str = Field("", pattern=r"^[\w.-]*$")
    """Name by which a sweep is gone on with; data, model and metric where not given."""
    storage: str = ""
    """Database URL where several machines share a study; .cache/studies/<study>.journal if not."""
    jobs: int = Field(1, ge=1)
    """Trials at a time on this machine."""
    metric: Words = ("auc",)
    """What is made best; two, as in auc,score_seconds, for a Pareto front. `f1` needs labelled
    anomalies on the validation side, and searches the threshold too."""
    max_fpr: float = Field(0.1, gt=0, le=1)
    """Largest false-positive rate that the partial AUC looks at."""
    sampler: Literal["tpe", "cmaes", "random", "grid"] = "tpe"
    """How the next trial is chosen."""
    pruner: Literal["median", "hyperband", "none"] = "median"
    """How trials of networks are given up early, by the validation loss of each epoch."""
    space: dict[str, Any] = Field(default_factory=dict)
    """Ranges to search instead of the declared ones, as space.<key>=low,high or a list."""
    detector: dict[str, Any] = Field(default_factory=dict)
    """The detector's own fields; with several detectors, detector.<model>.<field>."""

    @model_validator(mode="after")
    def _metrics(self) -> "SweepConfig":
        first, *others = self.metric or ("fit_seconds",)
        if first.endswith("_seconds") or len(others) > 1 or first in others:
            raise ValueError(
                "metric must be a figure of detection, and at most one more, as in "
                "auc,score_seconds"
            )
        if others and self.sampler == "cmaes":
            raise ValueError("sampler=cmaes: knows one metric only; use sampler=tpe")
        if not self.model:
            raise ValueError("model must name at least one detector, or all")
        return self


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
    """Language of report.html: English or Japanese; that of ASD_LANG or the locale otherwise."""
    seed: int = Field(42, ge=0)
    """Seed of the bootstrap intervals, and of the changes for `robustness`."""

    @model_validator(mode="after")
    def _noise_is_used(self) -> "EvaluateConfig":
        if self.noise and not self.robustness:
            raise ValueError(f"noise={self.noise} is for robustness=true, which is not set")
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
                f"name={self.name} is not used beside model_uri, which says which model; give one "
                "of them"
            )
        return self


class RecalibrateConfig(UseConfig):
    """Give a model a threshold for another unit of the machine, from a few minutes of it."""

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
            raise ValueError("false_alarm_rate and value cannot both be kept; give one of them")
        return self


class PromoteConfig(SpreadConfig):
    """Make a model the champion when it beats the present one on the same data."""

    model_uri: str = ""
    """The candidate: run id, runs:/ or models:/ address; the newest trained where not given."""
    name: MachineName = ""
    """The machine whose champion it is to be: the registered model; where not given, named after
    the data set that the candidate was made for."""
    data: str = ""
    """Folder of the data set to compare on; the one the candidate was trained on if not given."""
    across_data: bool = False
    """Compare with a champion that was made for other data than that."""
    metric: str = "auc"
    """The figure to compare by; an unknown word lists them."""
    min_gain: float = Field(0.0, ge=0)
    """By how much the candidate has to be better."""
    max_latency_ms: float | None = Field(None, gt=0)
    """Longest processor time to judge a clip, in ms; the clip's own length where not given."""
    environment: bool = False
    """Let the candidate also answer in an environment built from its requirements alone, by uv;
    takes minutes, and a package index."""
    max_fpr: float = Field(0.1, gt=0, le=1)
    """Largest false-positive rate that the partial AUC looks at."""
    seed: int = Field(42, ge=0)
    """Seed of the bootstrap intervals."""


class RollbackConfig(Config):
    """Make the previous champion the champion again."""

    name: MachineName = ""
    """The machine; may be left out where only one has a champion."""


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


class MainConfig(CutConfig, FitConfig):
    """From recordings to a champion: all steps as runs below one parent."""

    source: str = DEMO
    """Recording, folder of recordings, or `demo` for the built-in plant."""
    name: MachineName = ""
    """The machine that the recordings are of: the name of its registered model and of its data
    sets; that of the source where not given."""
    models: Words = ("auto", "knn", "gmm")
    """Detectors to compare: names, or YAML files as for `train`."""
    pitch: Numbers = ()
    """Semitones by which copies of clips are shifted."""
    pitch_split: Literal["test", "all"] = "test"
    """Whether clips are shifted on the test side only, or for training as well."""
    noise: str = ""
    """Folder of foreign sounds laid over test clips, as anomalies."""
    noise_count: int = Field(20, ge=1)
    """How many test clips get a foreign sound; at most half of the normal ones."""
    detector: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Fields of single detectors, as detector.<model>.<field>."""
    metric: str = "auc"
    """The figure by which the champion is chosen; an unknown word lists them."""
    min_gain: float = Field(0.0, ge=0)
    """By how much a new champion has to be better than the present one."""

    @model_validator(mode="after")
    def _some_model(self) -> "MainConfig":
        if not self.models:
            raise ValueError("models must name at least one detector, as in models=auto,knn")
        return self


class CompareConfig(SpreadConfig):
    """Fit many detectors on many data sets, several times each, and set them in one table."""

    models: Words = Field(min_length=1)
    """Detectors, or YAML files with the settings of one, as configs/original-cnn.yaml."""
    data: Words = Field(min_length=1)
    """Folders of data sets made by preprocess."""
    seeds: int = Field(3, ge=1)
    """How often each is fitted; a detector that the seed does not change, twice at most."""
    seed: int = Field(42, ge=0)
    """The first seed; the next ones follow it."""
    features: FeatureFields = Field(default_factory=dict)
    """The front end of detectors that bring no settings of their own."""
    max_fpr: float = Field(0.1, gt=0, le=1)
    """Largest false-positive rate that the partial AUC looks at."""


def _commas(values: Iterable[float]) -> str:
    return ",".join(f"{value:g}" for value in values)
