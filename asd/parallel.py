"""Work on many files at once: the one place from which processes are started.

It goes through joblib, so a cluster can be put under it without touching a step: inside
``with joblib.parallel_config(backend="dask")`` the same calls run there.
"""

from collections.abc import Callable, Sequence
from contextlib import chdir
from functools import partial
from pathlib import Path
from typing import TypeVar

import joblib

from asd.errors import AsdError, AudioError, DataError
from asd.progress import ProgressBar

T = TypeVar("T")
R = TypeVar("R")

_QUIET_UP_TO = 3
"""So few items need no progress bar."""


def parallel_map(
    function: Callable[[T], R], items: Sequence[T], desc: str, jobs: int | None = None
) -> list[R]:
    """Call a function on each item, on all cores.

    Parameters
    ----------
    function : callable
        Runs in other processes: it gets a copy of its item, and its result is copied back.
    items : sequence
        What to work on.
    desc : str
        Shown before the progress bar, which goes to a terminal only.
    jobs : int, optional
        Number of processes; all cores where not given. With one job or one item, the work is
        done in this process.

    Returns
    -------
    list
        The results, in the order of the items. The first exception ends the work.
    """
    n_jobs = min(joblib.effective_n_jobs(-1 if jobs is None else jobs), len(items))
    hide = len(items) <= _QUIET_UP_TO
    if n_jobs <= 1:
        return [function(item) for item in ProgressBar(items, desc=desc, disable=hide)]
    here = Path.cwd()
    calls = (joblib.delayed(_call)(here, function, item) for item in items)
    results = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(calls)
    return list(ProgressBar(results, total=len(items), desc=desc, disable=hide))


def _call(folder: Path, function: Callable[[T], R], item: T) -> R:
    """Call in the caller's folder: worker processes outlive a change of it."""
    with chdir(folder):
        return function(item)


def map_recordings(
    function: Callable[[Path], R],
    paths: Sequence[Path],
    desc: str,
    skip_bad: bool,
    jobs: int | None = None,
) -> tuple[list[R], list[str]]:
    """Call a function on each recording, and gather the bad ones instead of ending at the first.

    Parameters
    ----------
    function : callable
        Takes a path; an `AsdError` from it marks the recording as bad.
    paths : sequence of Path
        The recordings.
    desc : str
        Shown before the progress bar.
    skip_bad : bool
        Go on without the bad ones.
    jobs : int, optional
        Number of processes, as in `parallel_map`.

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
    """
    outcomes = parallel_map(partial(_attempt, function), paths, desc, jobs)
    bad = [str(outcome) for outcome in outcomes if isinstance(outcome, AsdError)]
    results = [outcome for outcome in outcomes if not isinstance(outcome, AsdError)]
    if bad and len(paths) == 1:
        raise AudioError(bad[0])
    if bad and (len(bad) == len(paths) or not skip_bad):
        remedy = "mend or remove them"
        if len(bad) < len(paths):
            remedy += ", or go on without them with skip_bad=true"
        raise DataError(
            f"{len(bad)} of {len(paths)} recordings cannot be used: {'; '.join(bad)}; {remedy}"
        )
    return results, bad


def _attempt(function: Callable[[Path], R], path: Path) -> R | AsdError:
    try:
        return function(path)
    except AsdError as error:
        return error
