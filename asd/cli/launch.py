"""Parse the command line, call the step, and turn what happens into an exit code."""

import importlib
import logging
import os
import sys
import warnings
from collections.abc import Sequence

from asd.cli.early import check
from asd.config import Config
from asd.config.cli import HELP_WORDS, help_text, load
from asd.errors import AsdError

USER_ERROR = 2

logger = logging.getLogger("asd")


def launch(step: str, config: type[Config], arguments: Sequence[str] | None = None) -> None:
    """Run a step as a program: exit 0, or 2 with one line for an error that a user can mend.

    A bug keeps its traceback. The step and its libraries are loaded only once the command line
    has been found good.

    Parameters
    ----------
    step : str
        Module of `asd.steps`.
    config : type of Config
        What it can be told.
    arguments : sequence of str, optional
        The command line; that of the process where not given.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if HELP_WORDS & set(arguments):
        entry = step.partition("_")[0]  # `import` alone is no name that a module can have
        sys.stdout.write(help_text(config, f"mlflow run . -e {entry}"))
        return
    _speak_plainly()
    try:
        parsed = load(config, arguments)
        check(parsed)
        importlib.import_module(f"asd.steps.{step}").run(parsed)
    except AsdError as error:
        _fail(str(error))


def _speak_plainly() -> None:
    """What a step reports goes to stdout as plain lines; libraries' chatter is held back."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    warnings.filterwarnings("ignore", module="mlflow")


def _fail(reason: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"error: {reason}\n")
    if "MLFLOW_RUN_ID" in os.environ:
        from asd.tracking.runs import tag_failure

        tag_failure(reason)
    raise SystemExit(USER_ERROR)
