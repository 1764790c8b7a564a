"""Work on many files at once: the one place from which processes are started.

They are processes of this machine, by joblib; within `asd.cluster.connected` the same calls run on
the workers of a cluster.
"""

import gc
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, suppress
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from asd import cluster
from asd.errors import AsdError, AudioError, DataError, OutputError, WorkerError
from asd.language import tr
from asd.progress import ProgressBar

T = TypeVar("T")
R = TypeVar("R")

_QUIET_UP_TO = 3
"""So few items need no progress bar."""
_LITTLE = 16 * 2**20
"""Bytes of recordings that take about as long as the start of a process: some minutes of sound."""
_AT_ONCE = 16
"""Most items that a thread takes at a time: to hand over each would take about as long as a short
clip."""
_LOOK_S = 1.0
"""How often a worker looks whether the process that it works for is still there."""


def parallel_map(
    function: Callable[[T], R],
    items: Sequence[T],
    desc: str,
    jobs: int | None = None,
    at_once: int = 64,
    threads: bool = False,
) -> list[R]:
    """Call a function on each item, on all cores or on a cluster.

    Parameters
    ----------
    function : callable
        Runs in other processes: it gets a copy of its item, and its result is copied back.
    items : sequence
        What to work on.
    desc : str
        Shown before the progress bar, which goes to a terminal only.
    jobs : int, optional
        Number of processes; all cores where not given, and a cluster has as many as it has. With
        one job or one item, the work is done in this process.
    at_once : int
        The most items that are handed to a worker of a cluster together: one where they are long
        work, so that little is lost with the worker.
    threads : bool
        Use threads of this process, not processes of their own: for work that leaves the
        interpreter to others, where loading libraries again would take longer than it.

    Returns
    -------
    list
        The results, in the order of the items. The first exception ends the work.

    Raises
    ------
    WorkerError
        One of the processes was ended from outside.
    """
    hide = len(items) <= _QUIET_UP_TO
    if cluster.is_connected() and jobs != 1 and len(items) > 1:
        parts = cluster.results(function, items, desc, at_once)
        return _in_order(parts, ProgressBar(total=len(items), desc=desc, disable=hide))
    n_jobs = min(joblib.effective_n_jobs(-1 if jobs is None else jobs), len(items))
    if n_jobs <= 1:
        return [function(item) for item in ProgressBar(items, desc=desc, disable=hide)]
    if threads:
        size = min(_AT_ONCE, -(-len(items) // (4 * n_jobs)))

        def call(start: int) -> tuple[int, list[R]]:
            return start, [function(item) for item in items[start : start + size]]

        parts = in_threads(call, range(0, len(items), size), n_jobs)
        return _in_order(parts, ProgressBar(total=len(items), desc=desc, disable=hide))
    here, me = Path.cwd(), os.getpid()
    calls = (joblib.delayed(_call)(me, here, function, item) for item in items)
    try:
        results = joblib.Parallel(n_jobs, return_as="generator")(calls)
        return list(ProgressBar(results, total=len(items), desc=desc, disable=hide))
    except TerminatedWorkerError as error:
        raise WorkerError(
            tr(
                "{desc}: a process that did part of the work was killed, mostly "
                "because memory ran out; give the command again, with "
                "LOKY_MAX_CPU_COUNT=1 for one process at a time",
                desc=desc,
            )
        ) from error


def _in_order(parts: Iterable[tuple[int, list[R]]], bar: ProgressBar) -> list[R]:
    """Results that come in parts, each with its place."""
    done: dict[int, list[R]] = {}
    with bar:
        for start, results in parts:
            done[start] = results
            bar.update(len(results))
    return [result for start in sorted(done) for result in done[start]]


def _call(caller: int, folder: Path, function: Callable[[T], R], item: T) -> R:
    """Call in the caller's folder: worker processes outlive a change of it."""
    # Threads are not this process's to end.
    own = multiprocessing.current_process().name.startswith("LokyProcess")
    if own:
        _end_with(caller)
    # A process is one of as many as there are to be: none below it.
    with chdir(folder), joblib.parallel_config(backend="sequential"):
        result = function(item)
    if own:
        _keep(len(sys.modules))
    return result


@cache
def _keep(n_modules: int) -> None:  # noqa: ARG001 - called again where there are more of them
    """Spare the garbage collector what libraries hold, which stays as long as the process.

    Where psutil is not there, joblib collects once a second in each worker: with torch and MLflow
    loaded that takes a seventh of it.
    """
    gc.freeze()


@cache
def _end_with(parent: int) -> None:
    """From now on, let this process end when `parent` does: nobody waits for its work then."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def in_threads(
    function: Callable[[T], R], items: Sequence[T], jobs: int | None = None
) -> Iterator[R]:
    """Call a function on each item, in threads of this process.

    For work that mostly leaves the interpreter to others, on what is too large to be copied.

    Parameters
    ----------
    function : callable
        Changes nothing that another call looks at.
    items : sequence
        What to work on.
    jobs : int, optional
        Number of threads; as many as there are cores where not given, one in processes of
        `parallel_map`.

    Yields
    ------
    object
        The results, in the order of the items. The first exception ends the work.
    """
    n_jobs = min(joblib.effective_n_jobs(-1 if jobs is None else jobs), len(items))
    if n_jobs <= 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(n_jobs)
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)


def jobs_for(paths: Sequence[Path]) -> int | None:
    """One job where recordings are done before processes for them would have started; else None.

    None as well where there is a cluster, whose workers have started.

    Parameters
    ----------
    paths : sequence of Path
        All that is to be read.
    """
    if cluster.is_connected():
        return None
    total = 0
    for path in paths:
        with suppress(OSError):
            total += path.stat().st_size
        if total > _LITTLE:
            return None
    return 1


def map_recordings(
    function: Callable[[Path], R],
    paths: Sequence[Path],
    desc: str,
    skip_bad: bool,
    jobs: int | None = None,
    done_before: int = 0,
) -> tuple[list[R], list[str]]:
    """Call a function on each recording, and gather the bad ones instead of ending at the first.

    Parameters
    ----------
    function : callable
        Takes a path; an `AsdError` from it marks the recording as bad, except for one that says
        nothing of the recording: a place that cannot be written ends the work.
    paths : sequence of Path
        The recordings.
    desc : str
        Shown before the progress bar.
    skip_bad : bool
        Go on without the bad ones.
    jobs : int, optional
        Number of processes, as in `parallel_map`; `jobs_for` says it where not given.
    done_before : int
        Good recordings besides `paths`, which need no work any more: they, too, are something
        to go on with.

    Returns
    -------
    list
        Results of the good recordings, in order.
    list of str
        What is wrong with each bad one; empty unless `skip_bad`.

    Raises
    ------
    DataError
        Some are bad and `skip_bad` is false, or all are. Lists every one, in one line.
    OutputError
        Results cannot be written.
    """
    outcomes = parallel_map(partial(_attempt, function), paths, desc, jobs or jobs_for(paths))
    bad = [str(outcome) for outcome in outcomes if isinstance(outcome, AsdError)]
    results = [outcome for outcome in outcomes if not isinstance(outcome, AsdError)]
    total = len(paths) + done_before
    if bad and total == 1:
        raise AudioError(bad[0])
    if bad and (len(bad) == total or not skip_bad):
        remedy = tr("mend or remove them")
        if len(bad) < total:
            remedy = tr("mend or remove them, or go on without them with skip_bad=true")
        raise DataError(
            tr(
                "{n} of {total} recordings cannot be used: {bad}; {remedy}",
                n=len(bad),
                total=total,
                bad="; ".join(bad),
                remedy=remedy,
            )
        )
    return results, bad


def _attempt(function: Callable[[Path], R], path: Path) -> R | AsdError:
    try:
        return function(path)
    except (OutputError, WorkerError):
        raise
    except AsdError as error:
        return error
