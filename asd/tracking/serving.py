"""What ``mlflow models serve`` answers: base64 audio in, a judgement a row out."""

import functools
import logging
import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import yaml
from mlflow.pyfunc.model import PythonModel
from mlflow.pyfunc.scoring_server import _SERVER_MODEL_PATH
from mlflow.store.artifact.models_artifact_repo import REGISTERED_MODEL_META_FILE_NAME
from prometheus_client import CollectorRegistry

from asd.errors import AsdError, AudioError
from asd.language import tr
from asd.parallel import in_threads
from asd.pipeline.explain import explain_recording
from asd.pipeline.pipeline import Pipeline
from asd.pipeline.verdict import Verdict
from asd.text import count, printable
from asd.tracking.contract import EXPLANATION, FIELDS, Wishes
from asd.tracking.figures import Figures, told_figures
from asd.tracking.guard import guard_server
from asd.tracking.request import Limits, Work
from asd.tracking.sockets import answer_at_once

logger = logging.getLogger(__name__)

_THRESHOLDS = 8
"""Pipelines with thresholds that requests have asked for, kept for the next ones."""
_LONGEST_NAME = 200

Row = dict[str, Any]


class Cells(NamedTuple):
    """A row of a request."""

    audio: object
    machine: object = None
    id: object = None


class AsdModel(PythonModel):
    """A pipeline behind MLflow's pyfunc interface."""

    def load_context(self, context: Any) -> None:
        """Load the pipeline that was logged with the model."""
        folder = Path(context.artifacts["pipeline"])
        self.use(Pipeline.load(folder), _version(folder.parents[1]))
        # Steps that load a model may judge any number of rows for any time.
        if _SERVER_MODEL_PATH in os.environ:
            self.limits, self.figures = Limits.of_server(), told_figures()
            import torch  # noqa: F401 - the first request would wait for it

            self.share(joblib.cpu_count())
            guard_server()
            answer_at_once()

    def use(self, pipeline: Pipeline, version: str) -> None:
        """Judge by a pipeline, without limits.

        Parameters
        ----------
        pipeline : Pipeline
            What judges.
        version : str
            What it is called in answers.
        """
        self.pipeline, self.version, self.limits = pipeline, version, Limits()
        self.figures = Figures(CollectorRegistry())
        self._cores = 1
        self._turns: AbstractContextManager[Any] = nullcontext()
        self._moved = functools.lru_cache(_THRESHOLDS)(
            lambda rate, threshold: Wishes(rate, threshold).moved(pipeline)
        )

    def share(self, cores: int) -> None:
        """Judge so many rows at once, of one request or of several; the others wait their turn."""
        self._cores, self._turns = cores, BoundedSemaphore(cores)

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
            missing. Column ``id``, if there is one: what the row is called in the answer. One row
            of lists, which MLflow makes of ``{"inputs": {"audio": [a, b]}}``, is taken for as many
            rows.
        params : dict, optional
            `Wishes`: ``false_alarm_rate`` or ``threshold`` to judge by, ``explain``, ``windows``.

        Returns
        -------
        list of dict
            A row each, with the keys `FIELDS`. ``is_anomaly`` is true exactly when ``p_value`` is
            at most the rate that the model promises, or that was asked for. ``events`` are the
            anomalous parts of a long recording; ``warnings`` is a list of sentences on what makes
            the recording hard to compare with those of the training. ``windows`` and
            ``explanation`` are null unless they were asked for. A row that cannot be judged has
            its reason in ``error``, no events and warnings, and null elsewhere; the others are
            judged all the same.
        """
        del context
        wishes = Wishes.of(params)
        work = Work(self.limits)
        rows = list(_rows(model_input))
        named = "id" in model_input

        def answer(number: int) -> Row:
            cells = rows[number]
            with self._turns, self.figures.row() as row:
                row |= self._judge(work, cells, wishes, (number, len(rows)))
            return {"id": _id(cells.id), **row} if named else row

        return list(in_threads(answer, range(len(rows)), self._cores))

    def _judge(self, work: Work, cells: Cells, wishes: Wishes, place: tuple[int, int]) -> Row:
        try:
            work.begin(*place)
            if isinstance(cells.audio, AudioError):
                raise cells.audio
            machine = _name(cells.machine)
            pipeline = self._moved(wishes.false_alarm_rate, wishes.threshold)
            sound = work.content(cells.audio)
            verdict = pipeline.judge(sound, machine, watch=work.watch)
            if not math.isfinite(verdict.anomaly_score):
                raise AudioError(
                    tr("audio: too loud, its score is no finite number; lower the gain")
                )
            row = self._answer(verdict)
            if wishes.windows:
                row["windows"] = [asdict(window) for window in verdict.windows]
            if wishes.explain:
                told = explain_recording(pipeline, sound, verdict, machine, watch=work.watch)
                row["explanation"] = {key: getattr(told, key) for key in EXPLANATION}
            return row
        except AsdError as error:
            return self._refusal(str(error))
        except Exception as error:
            # The others are judged all the same, and what went wrong is no business of strangers.
            logger.exception("row %d cannot be judged", place[0] + 1)
            kind = type(error).__name__
            return self._refusal(
                tr("audio: cannot be judged ({kind}); the server's log says more", kind=kind)
            )

    def _answer(self, verdict: Verdict) -> Row:
        return dict.fromkeys(FIELDS) | {
            "anomaly_score": verdict.anomaly_score,
            "threshold": verdict.threshold,
            "is_anomaly": verdict.is_anomaly,
            "p_value": verdict.p_value,
            "duration_s": verdict.duration_s,
            "n_windows": len(verdict.windows),
            "events": [asdict(event) for event in verdict.events],
            "warnings": list(verdict.warnings),
            "model_version": self.version,
        }

    def _refusal(self, reason: str) -> Row:
        told = {"events": [], "warnings": [], "model_version": self.version, "error": reason}
        return dict.fromkeys(FIELDS) | told


def _version(folder: Path) -> str:
    """The address of a model: of its registered version, where it was loaded by that."""
    meta = folder / REGISTERED_MODEL_META_FILE_NAME
    if meta.is_file():
        known = yaml.safe_load(meta.read_text(encoding="utf-8"))
        return f"models:/{known['model_name']}/{known['model_version']}"
    model = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
    return f"models:/{model['model_id']}"


def _rows(frame: pd.DataFrame) -> Iterator[Cells]:
    sounds = list(frame["audio"])
    several = len(sounds) == 1 and _several(sounds[0])
    if several:
        sounds = list(sounds[0])
    columns = []
    for key in ("machine", "id"):
        cells: list[Any] = list(frame[key]) if key in frame else [None] * len(sounds)
        if several and len(cells) == 1:
            cells = list(cells[0]) if _several(cells[0]) else cells * len(sounds)
        if len(cells) != len(sounds):
            reason = tr(
                "{key}: {given} given for {recordings}; give one each",
                key=key,
                given=len(cells),
                recordings=count(len(sounds), "recording"),
            )
            yield from [Cells(AudioError(reason))] * len(sounds)
            return
        columns.append(cells)
    yield from map(Cells, sounds, *columns)


def _several(cell: object) -> bool:
    return isinstance(cell, list | tuple | np.ndarray)


def _name(cell: object) -> str | None:
    """The machine that a cell names; None where it is empty."""
    if not isinstance(cell, str) or not cell:
        return None
    if len(cell) > _LONGEST_NAME:
        raise AudioError(
            tr(
                "machine: {length} characters long, a name has {most} at most",
                length=len(cell),
                most=_LONGEST_NAME,
            )
        )
    return printable(cell)


def _id(cell: object) -> str | None:
    return printable(cell)[:_LONGEST_NAME] if isinstance(cell, str) else None
