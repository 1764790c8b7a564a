"""One thread for what must come out the same on any number of processors."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, TypeVar

import scipy.linalg  # noqa: F401 - SciPy's linear algebra is limited once it is loaded
from threadpoolctl import (
    OpenBLASController,
    ThreadpoolController,
)

T = TypeVar("T")


@contextmanager
def one_thread(load_torch: bool = False) -> Iterator[None]:
    """Context manager, or decorator: torch and linear algebra use one thread within the block.

    A sum that threads share depends on how many there are. To share a product of small matrices
    also costs more than it gains, and where other processes want the processor too, twenty times
    as much.

    Blocks may be nested, and may be open in several threads at once. Afterwards the calling
    thread has as many torch threads as before, and so has the process for threads to come.

    Parameters
    ----------
    load_torch : bool
        Load torch first, for a block that uses it: of torch that is not loaded when the block
        begins, nothing is known or changed.
    """
    if load_torch:
        import torch  # noqa: F401
    before = _LIMITS.enter()
    try:
        yield
    finally:
        _LIMITS.leave(before)


def usual_threads() -> int:
    """Threads that a fit may use: torch's number, that of linear algebra while there is no torch.

    One within `one_thread`; outside as many as there are cores, or as OMP_NUM_THREADS says.
    """
    pools = _controller().lib_controllers
    return _torch_threads() or max(int(pool.num_threads) for pool in pools)


class _Limits:
    """How many blocks are open, and what they hold back.

    Linear algebra has one number of threads for the whole process: the first block sets it, the
    last gives it back. Torch has one for each thread, and one for threads that come to use it,
    which is whatever any thread set last.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0
        self._usual = 0
        self._blas: Any = None

    def enter(self) -> int:
        """Hold back; gives the torch threads that the calling thread had, 0 without torch."""
        with self._lock:
            before = _torch_threads()
            if not self._open:
                if before != self._usual:
                    # This thread's own number: one for ever if it first came to use torch while
                    # another was in a block. What threads to come get, only such a one can tell.
                    self._usual = before and _in_a_new_thread(_torch_threads)
                self._blas = _take_over().limit(limits=1)
            self._usual = self._usual or before
            self._open += 1
            _set_torch_threads(before and 1)
            return before

    def leave(self, before: int) -> None:
        """Give back what `enter` held back."""
        with self._lock:
            self._open -= 1
            _set_torch_threads(before)
            if self._open:
                return
            _take_over()
            self._blas.restore_original_limits()
            # Nor may this thread keep others from setting the number from now on.
            OpenBLASController.clear_controlling_thread()
            if before != self._usual:
                # Threads to come get what any thread sets; a thread of its own sets it without
                # a change here.
                _in_a_new_thread(partial(_set_torch_threads, self._usual))


_LIMITS = _Limits()


def _torch_threads() -> int:
    """Torch threads of the calling thread; 0 while torch is not loaded, which takes long."""
    torch: Any = sys.modules.get("torch")
    return int(torch.get_num_threads()) if hasattr(torch, "get_num_threads") else 0


def _set_torch_threads(count: int) -> None:
    if count:
        sys.modules["torch"].set_num_threads(count)


def _in_a_new_thread(function: Callable[[], T]) -> T:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def _take_over() -> ThreadpoolController:
    # OpenBLAS obeys the thread that was first to set a number, and ignores the others.
    OpenBLASController.clear_controlling_thread(force=True)
    return _controller()


@cache
def _controller() -> ThreadpoolController:
    # Looking for the loaded libraries takes milliseconds, too long for each score.
    return ThreadpoolController().select(user_api="blas")
