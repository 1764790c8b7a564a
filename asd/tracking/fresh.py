"""Scores of a model as a server gives them: loaded anew, in a process of its own."""

import json
import os
import subprocess  # nosec B404 # this very Python with a program of this package
import sys
from collections.abc import Sequence
from pathlib import Path

import mlflow

from asd.errors import TrackingError
from asd.tracking.models import ModelRef

TIMEOUT_S = 900.0

_PROGRAM = Path(__file__).with_name("_fresh_process.py")


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
        The process fails, takes longer than 15 minutes, or cannot judge one of the recordings.
    """
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
            f"{model.uri}: not loaded and scored in a new process within {TIMEOUT_S:.0f} s"
        ) from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise TrackingError(f"{model.uri}: cannot be loaded in a new process ({reason})")
    rows = json.loads(done.stdout.splitlines()[-1])
    reasons = [row["error"] for row in rows if row["error"]]
    if reasons:
        raise TrackingError(f"{model.uri}: cannot judge a recording ({reasons[0]})")
    return [float(row["anomaly_score"]) for row in rows]
