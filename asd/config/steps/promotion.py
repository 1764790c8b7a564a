"""Steps that choose the champion of a machine."""

from pydantic import Field

from asd.config.base import Config
from asd.config.spread import SpreadConfig
from asd.config.steps.values import MachineName


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
