"""Configuration of the decision threshold."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from asd.config.base import Config
from asd.config.search import Choose, Search
from asd.language import tr

ThresholdMethod = Literal["conformal", "mean_std", "quantile", "gamma", "fixed", "best_f1"]


class ThresholdConfig(Config):
    """How the threshold is fitted on held-out scores of normal clips."""

    method: Annotated[ThresholdMethod, Choose("conformal", "mean_std", "quantile", "gamma")] = (
        "conformal"
    )
    """`conformal` keeps a stated false-alarm rate; `mean_std` is mean + k sigma; `quantile` a
    quantile of the scores; `gamma` the quantile of a fitted gamma distribution (DCASE); `fixed`
    a number of yours; `best_f1` the best F1 on labelled validation clips."""
    false_alarm_rate: Annotated[float, Search(0.01, 0.2, log=True)] = Field(0.05, gt=0, lt=1)
    """Share of normal clips that may raise an alarm (`conformal`)."""
    calibration: Literal["auto", "split", "cross"] = "auto"
    """Which held-out scores it is fitted on: `split`, of the validation side; `cross`, of all
    normal clips, for which the detector is fitted several times; `auto`, cross where fewer than
    ten validation recordings would raise a false alarm and it takes two minutes of processor
    time at most."""
    k: Annotated[float, Search(1.0, 4.0)] = Field(2.0, ge=0)
    """Standard deviations above the mean (`mean_std`)."""
    quantile: Annotated[float, Search(0.8, 0.99)] = Field(0.95, gt=0, lt=1)
    """Quantile of the normal scores (`quantile`, `gamma`)."""
    value: float | None = None
    """The threshold itself (`fixed`)."""

    @model_validator(mode="after")
    def _fixed_needs_value(self) -> "ThresholdConfig":
        if self.method == "fixed" and self.value is None:
            raise ValueError(
                tr("threshold.method=fixed needs threshold.value, the threshold itself")
            )
        return self
