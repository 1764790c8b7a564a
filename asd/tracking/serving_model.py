"""What ``mlflow models serve`` runs: base64 audio in, a judgement a row out."""

import base64
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from asd.errors import AsdError, AudioError
from asd.pipeline.pipeline import Pipeline

_FIELDS = (
    "anomaly_score", "threshold", "is_anomaly", "p_value", "duration_s", "n_windows", "events",
    "warnings", "error",
)  # fmt: skip


class AsdModel(mlflow.pyfunc.PythonModel):
    """A pipeline behind MLflow's pyfunc interface."""

    def load_context(self, context: Any) -> None:
        """Load the pipeline that was logged with the model."""
        self.pipeline = Pipeline.load(Path(context.artifacts["pipeline"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Judge each row's recording.

        Parameters
        ----------
        context : object
            MLflow's; not used.
        model_input : DataFrame
            Column ``audio``: base64 of a file in any audio or video container. Column
            ``machine``, if there is one: which machine it is of, for the threshold of that
            machine; the threshold of all machines where it is missing.
        params : dict, optional
            MLflow's; not used.

        Returns
        -------
        list of dict
            A row each: ``anomaly_score, threshold, is_anomaly, p_value, duration_s, n_windows,
            events, warnings, error``. ``is_anomaly`` is true exactly when ``p_value`` is at most
            the rate that the model promises. ``events`` are the anomalous parts of a long
            recording; ``warnings`` is a list of sentences on what makes the recording hard to
            compare with those of the training. A row that cannot be judged has its reason in
            ``error``, no events and warnings, and null elsewhere; the others are judged all the
            same.
        """
        del context, params
        sounds = model_input["audio"]
        machines = model_input.get("machine", [None] * len(sounds))
        return [self._judge(*row) for row in zip(sounds, machines, strict=True)]

    def _judge(self, text: str, machine: str | None) -> dict[str, Any]:
        try:
            verdict = self.pipeline.judge(_decode(text), machine or None)
        except AsdError as error:
            return dict.fromkeys(_FIELDS) | {"events": [], "warnings": [], "error": str(error)}
        return {
            "anomaly_score": verdict.anomaly_score,
            "threshold": verdict.threshold,
            "is_anomaly": verdict.is_anomaly,
            "p_value": verdict.p_value,
            "duration_s": verdict.duration_s,
            "n_windows": len(verdict.windows),
            "events": [asdict(event) for event in verdict.events],
            "warnings": list(verdict.warnings),
            "error": None,
        }


def _decode(text: str) -> bytes:
    if not isinstance(text, str):
        raise AudioError("audio: no text; send the file's bytes as base64")
    try:
        # Many programs fold base64 at 76 characters: line breaks are no error.
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise AudioError(f"audio: not base64 ({error}); send the file's bytes as base64") from error


mlflow.models.set_model(AsdModel())
