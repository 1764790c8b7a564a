"""Steps that fit detectors."""

from typing import Any, Literal

from pydantic import Field, model_validator

from asd.config.recipe import Branch, Fusion, PerMachine
from asd.config.spread import SpreadConfig
from asd.config.steps.values import DEMO_DATA, FeatureFields, Words
from asd.config.threshold import ThresholdConfig
from asd.language import tr


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
    """Trials at a time on this machine; on a cluster, one for each thread of its workers."""
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
                tr(
                    "metric must be a figure of detection, and at most one more, as in "
                    "auc,score_seconds"
                )
            )
        if others and self.sampler == "cmaes":
            raise ValueError(tr("sampler=cmaes: knows one metric only; use sampler=tpe"))
        if not self.model:
            raise ValueError(tr("model must name at least one detector, or all"))
        return self

    @model_validator(mode="after")
    def _jobs_of_this_machine(self) -> "SweepConfig":
        if self.backend == "dask" and self.jobs > 1:
            raise ValueError(
                tr(
                    "jobs={jobs} is for backend=loky: on a cluster there is a trial at a time for "
                    "each thread of its workers",
                    jobs=self.jobs,
                )
            )
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
