"""All steps in a row."""

from typing import Any, Literal

from pydantic import Field, model_validator

from asd.config.steps.data import CutConfig
from asd.config.steps.fitting import FitConfig
from asd.config.steps.values import DEMO, MachineName, Numbers, Words
from asd.language import tr


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
            raise ValueError(tr("models must name at least one detector, as in models=auto,knn"))
        return self
