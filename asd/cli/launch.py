"""Parse the command line, call the step, and turn what happens into an exit code."""

import importlib
import logging
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress

from asd.cli.early import check
from asd.cli.edges import at_hand
from asd.cli.signals import SignalError, end_by_exception
from asd.config import Config
from asd.config.cli import HELP_WORDS, help_text, load
from asd.config.spread import SpreadConfig
from asd.errors import AsdError
from asd.files import is_storage_error, unwritable
from asd.language import tr
from asd.locks import own_folder
from asd.text import printable

USER_ERROR = 2
SIGNALLED = 128
"""Added to the number of the signal that ended a step, as shells do."""

logger = logging.getLogger("asd")


def launch(
    step: str,
    config: type[Config],
    arguments: Sequence[str] | None = None,
    level: int = logging.INFO,
) -> None:
    """Run a step as a program: exit 0, or 2 with one line for an error that a user can mend.

    A bug keeps its traceback. SIGTERM and SIGHUP end a step as Ctrl-C does: what is half made
    goes, the run is KILLED. The step and its libraries are loaded only once the command line has
    been found good.

    Parameters
    ----------
    step : str
        Module of `asd.steps`.
    config : type of Config
        What it can be told.
    arguments : sequence of str, optional
        The command line; that of the process where not given.
    level : int
        What is said, as a level of `logging`: warnings alone, what is done, or with DEBUG what
        libraries say too.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if HELP_WORDS & set(arguments):
        entry = step.removesuffix("_checkpoint")  # `import` alone is no name of a module
        sys.stdout.write(help_text(config, f"mlflow run . -e {entry}"))
        return
    _speak_plainly(level)
    end_by_exception()
    try:
        parsed = load(config, arguments)
        check(parsed)
        _own_what_is_begun()
        with at_hand(parsed) as local, _spread(parsed):
            check(local)
            importlib.import_module(f"asd.steps.{step}").run(local)
    except AsdError as error:
        _fail(str(error))
    except OSError as error:
        if not is_storage_error(error):
            raise
        _fail(str(unwritable(str(error.filename or "the disk"), error)))
    except KeyboardInterrupt as error:
        number = error.number if isinstance(error, SignalError) else signal.SIGINT
        _fail(tr("interrupted ({signal})", signal=signal.Signals(number).name), SIGNALLED + number)


def _spread(config: Config) -> AbstractContextManager[None]:
    """Within the block the work goes where the user wants it done."""
    if isinstance(config, SpreadConfig) and config.backend == "dask":
        from asd.cluster import connected

        return connected(config.scheduler)
    return nullcontext()


def _own_what_is_begun() -> None:
    """Let the next command end MLflow's run and remove temporary files, should this be killed."""
    from asd.tracking.alive import begin, note_run

    if run_id := os.environ.get("MLFLOW_RUN_ID"):
        note_run(run_id, os.environ.get("MLFLOW_TRACKING_URI", ""))
    with suppress(OSError):  # before the folder, so that what tells a kill from an end goes last
        begin()
    folder = str(own_folder())
    os.environ["TMPDIR"] = tempfile.tempdir = folder


def _speak_plainly(level: int) -> None:
    """What a step reports goes to stdout as plain lines; libraries' chatter is held back."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Plain("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    if level > logging.DEBUG:
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")  # importing it sets its level anew
    # It shows the traceback of each error of a database before it raises it.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    # Nor does Dask hold back the traceback of a scheduler that is gone.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    warnings.filterwarnings("ignore", module="mlflow")


class _Plain(logging.Formatter):
    """Messages name files, whose names may hold anything."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """One line without control characters."""
        return printable(super().formatMessage(record))


def _fail(reason: str, code: int = USER_ERROR) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"error: {printable(reason)}\n")
    if "MLFLOW_RUN_ID" in os.environ:
        from asd.tracking.runs import tag_failure

        tag_failure(reason)
    raise SystemExit(code)
