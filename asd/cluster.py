"""Dask below the parallel map; nothing else knows of it.

Whoever has the machines starts ``dask scheduler`` on one of them and ``dask worker`` on all. They
share a disk with the command, under the same paths, and have the same release installed. What a
worker had begun when it died is done again by another.
"""

import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import joblib

import asd
from asd.errors import ConfigError, WorkerError
from asd.language import tr
from asd.text import count

T = TypeVar("T")
R = TypeVar("R")

_ANSWER_S = 15
"""Seconds within which the scheduler has to answer, and a worker to be there."""
_LOOK_S = 20
"""How often it is looked whether a worker is left."""
_PARTS_A_THREAD = 16
"""So many parts are made of the items for each thread of the workers, so that all end together."""

logger = logging.getLogger(__name__)

_clients: list[Any] = []
"""The cluster of this process while `connected`, the innermost last."""


@contextmanager
def connected(scheduler: str) -> Iterator[None]:
    """Let the parallel map work on a cluster within the block.

    Parameters
    ----------
    scheduler : str
        Its address, as ``tcp://host:8786``.

    Raises
    ------
    ConfigError
        Dask is not installed.
    WorkerError
        No scheduler answers there, it has no workers, or one of them has another release or does
        not see the present folder.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError(
            tr("backend=dask: Dask is not installed; pip install 'asd-platform[scale]'")
        ) from error
    try:
        client = Client(scheduler, timeout=_ANSWER_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkerError(
            tr(
                "scheduler={scheduler}: no Dask scheduler answers there ({error}); "
                "start one with `dask scheduler`, or correct the address",
                scheduler=scheduler,
                error=error,
            )
        ) from error
    with client:
        _check_workers(client, scheduler)
        threads, page = count(_threads(client), "thread"), client.dashboard_link
        logger.info("Dask: %s at %s, dashboard %s", threads, scheduler, page)
        _clients.append(client)
        try:
            yield
        finally:
            _clients.pop()


def is_connected() -> bool:
    """Whether there is a cluster to work on."""
    return bool(_clients)


def results(
    function: Callable[[T], R], items: Sequence[T], desc: str, at_once: int
) -> Iterator[tuple[int, list[R]]]:
    """Call a function on each item, on the workers of the cluster.

    Parameters
    ----------
    function : callable
        Each worker gets it once.
    items : sequence
        What to work on.
    desc : str
        What the dashboard calls the tasks.
    at_once : int
        The most items of a task.

    Yields
    ------
    start : int
        Which item the first of the results is of; the parts come as they are done.
    results : list
        The results of neighbouring items.

    Raises
    ------
    WorkerError
        The scheduler is gone, or the same items have ended several workers.
    """
    from distributed import KilledWorker, as_completed

    client = _clients[-1]
    size = max(1, min(at_once, len(items) // (_PARTS_A_THREAD * max(1, _threads(client)))))
    starts = range(0, len(items), size)
    parts = [list(items[start : start + size]) for start in starts]
    with warnings.catch_warnings():
        # A model is larger than Dask likes a graph to be, and sent once.
        warnings.filterwarnings("ignore", "Sending large graph")
        # Were it a part of every task, so was the model in it.
        shared = client.submit(_itself, function, pure=False)
        known = {"folder": Path.cwd(), "function": shared}
        futures = client.map(_part, parts, key=desc, pure=False, **known)
    begins = dict(zip(futures, starts, strict=True))
    try:
        with _saying_that_none_is_left(client):
            for future in as_completed(futures, loop=client.loop):
                yield begins[future], future.result()
    except KilledWorker as error:
        raise WorkerError(
            tr(
                "the same part of the work has ended several Dask workers, mostly "
                "because memory ran out; give the workers more memory, or fewer "
                "threads"
            )
        ) from error
    except (CancelledError, OSError) as error:
        if isinstance(error, OSError) and client.status == "running":
            raise
        raise WorkerError(
            tr("the Dask scheduler is gone; start it again and give the command again")
        ) from error
    finally:
        if client.status == "running":
            client.cancel(futures)


def _check_workers(client: Any, scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_ANSWER_S)
    except TimeoutError as error:
        raise WorkerError(
            tr(
                "scheduler={scheduler}: has no workers; start some with `dask worker {scheduler}`",
                scheduler=scheduler,
            )
        ) from error
    here = Path.cwd()
    for worker, answer in client.run(_look, here, on_error="return").items():
        if isinstance(answer, Exception):
            reason = f"cannot import this package ({answer}); install asd-platform there"
        elif answer[0] != asd.__version__:
            reason = f"has release {answer[0]}, not {asd.__version__}; install the same there"
        elif not answer[1]:
            reason = f"does not see the folder {here}; share the disk under the same path"
        else:
            continue
        raise WorkerError(tr("Dask worker {worker}: {reason}", worker=worker, reason=reason))


def _look(folder: Path) -> tuple[str, bool]:
    return asd.__version__, folder.is_dir()


@contextmanager
def _saying_that_none_is_left(client: Any) -> Iterator[None]:
    """Warn while there is no worker: the work then waits for one to join."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_S):
            if client.status == "running" and not client.nthreads():
                logger.warning("no Dask worker is left; the work waits until one joins")

    threading.Thread(target=watch, name="workers", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _threads(client: Any) -> int:
    return sum(client.nthreads().values())


def _itself(function: Callable[[T], R]) -> Callable[[T], R]:
    return function


def _part(part: list[T], folder: Path, function: Callable[[T], R]) -> list[R]:
    # A worker is one of as many as there are to be: no process below it.
    with _PRESENT.within(folder), joblib.parallel_config(backend="sequential"):
        return [function(item) for item in part]


class _PresentFolder:
    """The present folder of a worker: one for all its threads, whatever folders they work for."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._folder: Path | None = None
        self._users = 0

    @contextmanager
    def within(self, folder: Path) -> Iterator[None]:
        """Work in a folder; waits until nobody works in another one."""
        with self._change:
            self._change.wait_for(lambda: not self._users or self._folder == folder)
            os.chdir(folder)
            self._folder, self._users = folder, self._users + 1
        try:
            yield
        finally:
            with self._change:
                self._users -= 1
                self._change.notify_all()


_PRESENT = _PresentFolder()
