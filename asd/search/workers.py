"""Processes of this machine that share the trials of a sweep."""

import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from asd.config.steps import SweepConfig
from asd.data import manifest
from asd.search.plan import Attempt
from asd.search.study import Study
from asd.search.sweep import Sweep


@contextmanager
def workers(
    config: SweepConfig, study: str, root: Path, deadline: float
) -> Iterator[Callable[[], bool]]:
    """As many processes as `jobs`, each with its share of the processors.

    Parameters
    ----------
    config : SweepConfig
        Of the sweep.
    study : str
        The study's name.
    root : Path
        Folder of the feature store.
    deadline : float
        Time, as of `time.monotonic`, after which no trial is begun.

    Yields
    ------
    callable
        Whether one of them is still alive.
    """
    context = multiprocessing.get_context("spawn")
    left = deadline - time.monotonic()
    wish = config.model_copy(update={"study": study})
    threads = max(1, (os.cpu_count() or 1) // config.jobs)
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(threads)
    processes = [
        context.Process(target=_work, args=(wish, root, left), daemon=True)
        for _ in range(config.jobs)
    ]
    try:
        for process in processes:
            process.start()
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
    try:
        yield lambda: any(process.is_alive() for process in processes)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _work(config: SweepConfig, root: Path, seconds: float) -> None:
    """Run trials until there are enough, or until the process that began the sweep is gone."""
    _report_to_stdout()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parent = multiprocessing.parent_process()
    assert parent is not None  # nosec B101 # this runs in a process started below
    sweep = Sweep(config, manifest.load(Path(config.data)), root)
    study = Study(sweep.plan, None)

    def trial(attempt: Attempt) -> list[float]:
        if not parent.is_alive():
            raise SystemExit(1)
        return sweep.trial(attempt)

    with study.joined():
        study.work(trial, time.monotonic() + seconds)


def _report_to_stdout() -> None:
    """A new process has no handlers: report as the process that began the sweep does."""
    reports = logging.getLogger("asd")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    reports.addHandler(handler)
    reports.setLevel(logging.INFO)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
