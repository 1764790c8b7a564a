"""What ``mlflow models serve`` runs: base64 audio in, a judgement a row out."""

import base64
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from asd.errors import AsdError, AudioError
from asd.pipeline.pipeline import Pipeline

_FIELDS = ("anomaly_score", "threshold", "is_anomaly", "p_value", "duration_s", "warnings", "error")


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
            Column ``audio``: base64 of a file in any audio or video container.
        params : dict, optional
            MLflow's; not used.

        Returns
        -------
        list of dict
            A row each: ``anomaly_score, threshold, is_anomaly, p_value, duration_s, warnings,
            error``. ``warnings`` is a list of sentences on what makes the recording hard to
            compare with those of the training. A row that cannot be judged has its reason in
            ``error``, no warnings and null elsewhere; the others are judged all the same.
        """
        del context, params
        return [self._judge(text) for text in model_input["audio"]]

    def _judge(self, text: str) -> dict[str, Any]:
        try:
            verdict = self.pipeline.judge(_decode(text))
        except AsdError as error:
            return dict.fromkeys(_FIELDS) | {"warnings": [], "error": str(error)}
        values = (verdict.anomaly_score, verdict.threshold, verdict.is_anomaly)
        row = (*values, verdict.p_value, verdict.duration_s, list(verdict.warnings), None)
        return dict(zip(_FIELDS, row, strict=True))


def _decode(text: str) -> bytes:
    if not isinstance(text, str):
        raise AudioError("audio: no text; send the file's bytes as base64")
    try:
        # Many programs fold base64 at 76 characters: line breaks are no error.
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise AudioError(f"audio: not base64 ({error}); send the file's bytes as base64") from error


mlflow.models.set_model(AsdModel())
