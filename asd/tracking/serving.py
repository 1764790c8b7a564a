"""What ``mlflow models serve`` answers: base64 audio in, a judgement a row out."""

import logging
import math
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel
from mlflow.pyfunc.scoring_server import _SERVER_MODEL_PATH

from asd.errors import AsdError, AudioError
from asd.pipeline.pipeline import Pipeline
from asd.pipeline.verdict import Verdict
from asd.tracking.request import Limits, Work

logger = logging.getLogger(__name__)

_FIELDS = (
    "anomaly_score", "threshold", "is_anomaly", "p_value", "duration_s", "n_windows", "events",
    "warnings", "error",
)  # fmt: skip

Row = dict[str, Any]


class AsdModel(PythonModel):
    """A pipeline behind MLflow's pyfunc interface."""

    def load_context(self, context: Any) -> None:
        """Load the pipeline that was logged with the model."""
        self.pipeline = Pipeline.load(Path(context.artifacts["pipeline"]))
        # Steps that load a model may judge any number of rows for any time.
        served = _SERVER_MODEL_PATH in os.environ
        self.limits = Limits.of_server() if served else Limits()

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[Row]:
        """Judge each row's recording.

        Parameters
        ----------
        context : object
            MLflow's; not used.
        model_input : DataFrame
            Column ``audio``: a file in any audio or video container, as bytes, as base64 in
            either alphabet, or as a data URL. Column ``machine``, if there is one: which machine
            it is of, for the threshold of that machine; the threshold of all machines where it is
            missing. One row of lists, which MLflow makes of ``{"inputs": {"audio": [a, b]}}``, is
            taken for as many rows.
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
        work = Work(self.limits)
        rows = list(_rows(model_input))
        return [
            self._judge(work, sound, machine, (number, len(rows)))
            for number, (sound, machine) in enumerate(rows)
        ]

    def _judge(self, work: Work, sound: object, machine: object, place: tuple[int, int]) -> Row:
        try:
            work.begin(*place)
            if isinstance(sound, AudioError):
                raise sound
            name = machine if isinstance(machine, str) and machine else None
            verdict = self.pipeline.judge(work.content(sound), name, watch=work.watch)
            if not math.isfinite(verdict.anomaly_score):
                raise AudioError("audio: too loud, its score is no finite number; lower the gain")
            return _answer(verdict)
        except AsdError as error:
            return _refusal(str(error))
        except Exception as error:
            # The others are judged all the same, and what went wrong is no business of strangers.
            logger.exception("row %d cannot be judged", place[0] + 1)
            kind = type(error).__name__
            return _refusal(f"audio: cannot be judged ({kind}); the server's log says more")


def _rows(frame: pd.DataFrame) -> Iterator[tuple[object, object]]:
    sounds = list(frame["audio"])
    machines = list(frame["machine"]) if "machine" in frame else [None] * len(sounds)
    if len(sounds) == 1 and _several(sounds[0]):
        sounds, named = list(sounds[0]), machines[0]
        machines = list(named) if isinstance(named, list | tuple) else [named] * len(sounds)
    if len(machines) != len(sounds):
        reason = f"machine: {len(machines)} given for {len(sounds)} recordings; give one each"
        sounds = [AudioError(reason)] * len(sounds)
        machines = [None] * len(sounds)
    yield from zip(sounds, machines, strict=True)


def _several(cell: object) -> bool:
    return isinstance(cell, list | tuple | np.ndarray)


def _answer(verdict: Verdict) -> Row:
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


def _refusal(reason: str) -> Row:
    return dict.fromkeys(_FIELDS) | {"events": [], "warnings": [], "error": reason}
