"""What to type next, fit to be pasted into the shell in which the step was started."""

import os
import shlex
import sys
from pathlib import Path

import mlflow
from mlflow.utils.mlflow_tags import MLFLOW_PROJECT_ENV

from asd.config.cli import PROGRAM
from asd.tracking.champions import address
from asd.tracking.store import client

_DEFAULT_MANAGER = "virtualenv"


def step_command(entry: str, **params: object) -> str:
    """The command that runs a step.

    Parameters
    ----------
    entry : str
        Entry point of MLproject.
    **params
        Its parameters; those that are empty are left out.
    """
    given = {key: str(value) for key, value in params.items() if value not in ("", None)}
    if os.environ.get(PROGRAM) == "asd":
        words = ["asd", entry]
        for key, value in given.items():
            words += [f"--{key}", value]
    else:
        words = ["mlflow", "run", ".", "-e", entry, *_manager()]
        for key, value in given.items():
            words += ["-P", f"{key}={value}"]
    return preparation() + shlex.join(words)


def serve_command(name: str) -> str:
    """The command that puts the champion of a machine into service."""
    words = ["mlflow", "models", "serve", "-m", address(name), *_manager(), "-p", "5001"]
    return preparation() + shlex.join(words)


def ui_command() -> str:
    """The command that shows the runs in a browser."""
    return f"{preparation()}mlflow ui --port 5000"


def preparation() -> str:
    """What the shell needs in front of a command; empty where it needs nothing.

    That is the project's folder and the store, where the step was started in another folder; and
    the virtual environment, where it is not activated.
    """
    parts = []
    uri = mlflow.get_tracking_uri()
    if uri.startswith("sqlite:///"):
        store = Path(uri.removeprefix("sqlite:///")).resolve()
        if store != Path.cwd() / "mlflow.db":
            parts += [
                f"cd {shlex.quote(str(Path.cwd()))}",
                f"export MLFLOW_TRACKING_URI={shlex.quote(f'sqlite:///{store}')}",
            ]
    activate = Path(sys.prefix, "bin", "activate")
    active = os.environ.get("VIRTUAL_ENV") == sys.prefix or sys.prefix == sys.base_prefix
    if not (active or _built_by_mlflow()) and activate.is_file():
        here = Path.cwd()
        shown = f"./{activate.relative_to(here)}" if activate.is_relative_to(here) else activate
        parts.append(f". {shlex.quote(str(shown))}")
    return "".join(f"{part} && " for part in parts)


def _manager() -> list[str]:
    """How ``mlflow`` is told where dependencies are: here, or as this step was told."""
    manager = _built_by_mlflow() or "local"
    return [] if manager == _DEFAULT_MANAGER else ["--env-manager", manager]


def _built_by_mlflow() -> str:
    """The manager of the environment that ``mlflow run`` has built for this step, or empty."""
    run_id = os.environ.get("MLFLOW_RUN_ID")
    if not run_id:
        return ""
    return str(client().get_run(run_id).data.tags.get(MLFLOW_PROJECT_ENV, ""))
