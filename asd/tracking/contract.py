"""What a server is asked and what it answers: the signature of every model, and an example."""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
import soundfile
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array, Object, Property

from asd.errors import ConfigError
from asd.language import tr
from asd.pipeline.pipeline import Pipeline

_MAY_BE_NULL = ("p_value", "expected_by_chance")


def _objects(numbers: Iterable[str], *others: Property) -> Array:
    rows = [Property(n, DataType.double, required=n not in _MAY_BE_NULL) for n in numbers]
    return Array(Object([*rows, *others]))


_EVENTS = _objects(("start_s", "end_s", "peak_s", "peak_score", "p_value", "expected_by_chance"))
_WINDOWS = _objects(
    ("start_s", "duration_s", "anomaly_score", "p_value"),
    Property("is_anomaly", DataType.boolean),
)
_SPANS = Array(Array(DataType.double))
_EXPLANATION = Object(
    [
        Property("bands_hz", _SPANS),
        Property("times_s", _SPANS),
        Property("sentence", DataType.string),
    ]
)
EXPLANATION = tuple(part.name for part in _EXPLANATION.properties)
"""Of each explanation."""

SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            ColSpec("string", "audio"),
            ColSpec("string", "id", required=False),
            ColSpec("string", "machine", required=False),
        ]
    ),
    outputs=Schema(
        [
            ColSpec("string", "id", required=False),
            ColSpec("double", "anomaly_score", required=False),
            ColSpec("double", "threshold", required=False),
            ColSpec("boolean", "is_anomaly", required=False),
            ColSpec("double", "p_value", required=False),
            ColSpec("double", "duration_s", required=False),
            ColSpec("long", "n_windows", required=False),
            ColSpec(_EVENTS, "events"),
            ColSpec(_WINDOWS, "windows", required=False),
            ColSpec(Array(DataType.string), "warnings"),
            ColSpec(_EXPLANATION, "explanation", required=False),
            ColSpec("string", "model_version"),
            ColSpec("string", "error", required=False),
        ]
    ),
    params=ParamSchema(
        [
            ParamSpec("false_alarm_rate", "double", None),
            ParamSpec("threshold", "double", None),
            ParamSpec("explain", "boolean", False),
            ParamSpec("windows", "boolean", False),
        ]
    ),
)
FIELDS = tuple(name for name in SIGNATURE.outputs.input_names() if name != "id")
"""Of each answer, in this order; `id` stands before them where the request has that column."""


@dataclass(frozen=True)
class Wishes:
    """The params of a request."""

    false_alarm_rate: float | None = None
    """Judge by the threshold that promises this rate, instead of the model's own."""
    threshold: float | None = None
    """Judge by this score, instead of the model's own threshold."""
    explain: bool = False
    """Say where in each recording, and at which frequencies, its most unusual sound is."""
    windows: bool = False
    """Tell the judgement of each window."""

    @classmethod
    def of(cls, params: dict[str, Any] | None) -> Self:
        """What was asked for; null is as good as nothing."""
        return cls(**{key: value for key, value in (params or {}).items() if value is not None})

    def moved(self, pipeline: Pipeline) -> Pipeline:
        """The pipeline with the threshold asked for.

        Raises
        ------
        ConfigError
            Both a rate and a threshold are given, or one that is no possible value.
        NotEnoughClipsError
            The model has no calibration, or too little for the rate.
        """
        if self.false_alarm_rate is not None and self.threshold is not None:
            raise ConfigError(
                tr("params: false_alarm_rate and threshold cannot both be kept; give one of them")
            )
        if self.false_alarm_rate is not None:
            if not 0 < self.false_alarm_rate < 1:
                raise ConfigError(tr("params: false_alarm_rate must lie between 0 and 1"))
            rate = self.false_alarm_rate
            return pipeline.with_threshold(method="conformal", false_alarm_rate=rate)
        if self.threshold is not None:
            if not np.isfinite(self.threshold):
                raise ConfigError(tr("params: threshold must be a finite number"))
            return pipeline.with_threshold(method="fixed", value=self.threshold)
        return pipeline


def example(sample_rate: int) -> pd.DataFrame:
    """A request of one row, a second of a hum, to be logged with a model.

    Parameters
    ----------
    sample_rate : int
        Of the model, in Hz.
    """
    time = np.arange(sample_rate) / sample_rate
    noise = np.random.default_rng(0).standard_normal(sample_rate)
    file = io.BytesIO()
    hum = 0.2 * np.sin(2 * np.pi * 100 * time) + 0.01 * noise
    soundfile.write(file, hum, sample_rate, format="FLAC", subtype="PCM_16")
    audio = base64.b64encode(file.getvalue()).decode()
    return pd.DataFrame({"audio": [audio], "id": ["example"]})
