"""Threads that share the work on a network, clip by clip rather than product by product."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
import torch

from asd.errors import ConfigError
from asd.language import tr
from asd.threads import one_thread

_GIVEN_BACK = 31 << 20
"""Bytes; with what is added to a block it has to stay below 32 MB."""

T = TypeVar("T")
R = TypeVar("R")


def device(name: str = "auto") -> torch.device:
    """The device of that name; for `auto` the CUDA device where there is one, else the processor.

    Raises
    ------
    ConfigError
        Torch knows no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise ConfigError(
            tr("device={name!r}: {reason}", name=name, reason=str(error).splitlines()[0])
        ) from error


class Workers:
    """Threads that each compute alone; one where a network runs on another device.

    The networks here are small: sharing each product among threads, as torch does, costs more
    than it gains, and comes nearly to a stand where other processes want the processor too.

    Within the block torch is told to use one thread; afterwards as many as before.

    Parameters
    ----------
    where : torch.device
        Where the network runs.
    jobs : int, optional
        How many threads; as many as torch would use where not given.

    Attributes
    ----------
    count : int
        Number of threads.
    """

    def __init__(self, where: torch.device, jobs: int | None = None) -> None:
        self.count = (jobs or torch.get_num_threads()) if where.type == "cpu" else 1
        self._limit = one_thread()

    def __enter__(self) -> Self:
        self._limit.__enter__()
        self._pool = ThreadPoolExecutor(self.count, initializer=_prepare)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._limit.__exit__(kind, error, at)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """The results of a function in the order of its arguments, few of which wait at a time."""
        waiting: deque[Future[R]] = deque()
        for item in items:
            waiting.append(self._pool.submit(function, item))
            if len(waiting) > self.count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@cache
def keep_freed_memory() -> None:
    """Have this process keep what it frees, up to 62 MB a thread, for what it allocates next.

    The results of a layer are tens of MB that are freed at each step. Where they go back to the
    system in between, the next step has to be given the same pages anew: a seventh of the time of
    an epoch of the CNN. glibc keeps twice as much as the largest block, of 32 MB at most, that
    was ever given back; other libraries are not changed by this.
    """
    np.empty(_GIVEN_BACK, np.uint8)


def _prepare() -> None:
    torch.set_num_threads(1)
    # Gradients that fade over hundreds of LSTM steps become denormal numbers, which slow their
    # products down up to tenfold and change nothing.
    torch.set_flush_denormal(True)
