"""Who runs the trials of a sweep: this process, others of this machine, or workers of a cluster."""

import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from asd import cluster
from asd.language import tr
from asd.parallel import parallel_map
from asd.search.plan import Attempt
from asd.search.study import Study
from asd.search.sweep import Sweep
from asd.tracking.tasks import Place
from asd.tracking.tracked import TrackedRun


def run_trials(sweep: Sweep, study: Study, tracked: TrackedRun, deadline: float) -> None:
    """Run trials until there are enough, where the user wants it done.

    Parameters
    ----------
    sweep : Sweep
        Whose trials they are.
    study : Study
        Its study, which this process has joined.
    tracked : TrackedRun
        Its run.
    deadline : float
        Time, as of `time.monotonic`, after which no trial is begun.
    """
    if cluster.is_connected():
        # What a monotonic clock shows means nothing on another machine.
        until = time.time() + deadline - time.monotonic()
        task = partial(_one_trial, sweep, Place.below(tracked), until)
        parallel_map(task, range(study.left()), tr("trials"), at_once=1)
    elif sweep.config.jobs == 1:
        study.work(sweep.trial, deadline)
    else:
        with _processes(sweep, deadline) as alive:
            study.watch(alive, deadline)


def _one_trial(sweep: Sweep, place: Place, until: float, _: int) -> None:
    """Run one trial on a worker: whichever the study has for it, one of a dead worker too."""
    place.enter()
    study = Study(sweep.plan, None)
    with study.joined():
        study.work(sweep.trial, time.monotonic() + until - time.time(), most=1)


@contextmanager
def _processes(sweep: Sweep, deadline: float) -> Iterator[Callable[[], bool]]:
    """As many processes as `jobs`, each with its share of the processors.

    Yields
    ------
    callable
        Whether one of them is still alive.
    """
    context = multiprocessing.get_context("spawn")
    left, jobs = deadline - time.monotonic(), sweep.config.jobs
    threads = max(1, (os.cpu_count() or 1) // jobs)
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(threads)
    processes = [
        context.Process(target=_work, args=(sweep, left), daemon=True) for _ in range(jobs)
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


def _work(sweep: Sweep, seconds: float) -> None:
    """Run trials until there are enough, or until the process that began the sweep is gone."""
    _report_to_stdout()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parent = multiprocessing.parent_process()
    assert parent is not None  # nosec B101 # this runs in a process started above
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
