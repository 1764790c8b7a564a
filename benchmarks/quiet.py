"""What benchmarks print is their table: libraries are told to be quiet."""

import logging
import os
import sys
import warnings
from pathlib import Path


def say_little() -> None:
    """Hold back what MLflow and others log, warn of and draw, here and in programs begun here."""
    for chatty in ("mlflow", "alembic", "asd"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="mlflow")
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"


def with_tools() -> dict[str, str]:
    """Environment in which the tools beside this Python are found, activated or not.

    MLflow starts its server by name.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path}
