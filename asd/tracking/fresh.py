"""Scores of a model as a server gives them: loaded anew, in a process of its own."""

import json
import os
import shutil
import subprocess  # nosec B404 # this very Python with a program of this package
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.models.utils import load_serving_example
from mlflow.utils.process import ShellCommandException

from asd.errors import TrackingError
from asd.evaluation import gates
from asd.evaluation.gates import Gate, Probe
from asd.language import tr
from asd.tracking.models import ModelRef, check_files, drop_byte_code
from asd.tracking.store import first_line

TIMEOUT_S = 900.0

_PROGRAM = Path(__file__).with_name("_fresh_process.py")


def reload_gate(model: ModelRef, probe: Probe) -> Gate:
    """Whether a new process gives the scores of this one.

    Parameters
    ----------
    model : ModelRef
        The candidate.
    probe : Probe
        Files, and what this process made of them.
    """
    try:
        return gates.reload(probe, fresh_scores(model, probe.files))
    except TrackingError as error:
        return Gate("reload", False, str(error))


def environment_gate(model: ModelRef) -> Gate:
    """Whether a model answers in an environment built from its requirements alone."""
    try:
        check_environment(model)
    except TrackingError as error:
        return Gate("environment", False, str(error))
    return Gate("environment", True, tr("answers in an environment of its own"))


def fresh_scores(model: ModelRef, files: Sequence[Path]) -> list[float]:
    """Anomaly score of each recording, from a process that shares nothing with this one.

    The model is loaded from the store, with the code that was logged with it.

    Parameters
    ----------
    model : ModelRef
        What to load.
    files : sequence of Path
        Recordings in any audio or video container.

    Raises
    ------
    TrackingError
        The model's files are not those that were logged, or the process fails, takes longer than
        15 minutes, or cannot judge one of the recordings.
    """
    drop_byte_code(check_files(model))
    request = {"model_uri": model.uri, "files": [str(path) for path in files]}
    try:
        done = subprocess.run(  # nosec B603 # no shell; what is asked for goes to its input
            # -P: neither the program's folder nor the present one hides the model's own code.
            [sys.executable, "-P", str(_PROGRAM)],
            input=json.dumps(request),
            env={**os.environ, "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TrackingError(
            tr(
                "{uri}: not loaded and scored in a new process within {timeout_s:.0f} s",
                uri=model.uri,
                timeout_s=TIMEOUT_S,
            )
        ) from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise TrackingError(
            tr("{uri}: cannot be loaded in a new process ({reason})", uri=model.uri, reason=reason)
        )
    rows = json.loads(done.stdout.splitlines()[-1])
    reasons = [row["error"] for row in rows if row["error"]]
    if reasons:
        raise TrackingError(
            tr("{uri}: cannot judge a recording ({reasons})", uri=model.uri, reasons=reasons[0])
        )
    return [float(row["anomaly_score"]) for row in rows]


def check_environment(model: ModelRef) -> None:
    """Let MLflow judge the example of a model in an environment built from its requirements.

    Raises
    ------
    TrackingError
        There is no ``uv`` to build it with, no example, or the model does not answer in it.
    """
    if shutil.which("uv") is None:
        raise TrackingError(tr("uv is not installed, which builds the environment; pip install uv"))
    with tempfile.TemporaryDirectory() as folder:
        request, output = Path(folder) / "request.json", Path(folder) / "answer.json"
        try:
            # As a file: a text given as `input_data` is taken for a recording, not for a request.
            request.write_text(load_serving_example(model.uri), encoding="utf-8")
            mlflow.models.predict(  # type: ignore[no-untyped-call]
                model.uri,
                input_path=str(request),
                output_path=str(output),
                env_manager="uv",
            )
            [row] = json.loads(output.read_text(encoding="utf-8"))["predictions"]
        except (MlflowException, ShellCommandException, OSError, ValueError) as error:
            raise TrackingError(
                tr(
                    "{uri}: does not answer in an environment of its own ({reason})",
                    uri=model.uri,
                    reason=first_line(error),
                )
            ) from error
    if row["error"]:
        raise TrackingError(
            tr("{uri}: cannot judge its example ({error})", uri=model.uri, error=row["error"])
        )
