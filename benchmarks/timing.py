"""Times that are compared with one another, and so are taken in turn."""

import time
from collections.abc import Callable
from statistics import median

ROUNDS = 10
REPEATS = 10


def seconds(call: Callable[[], object]) -> float:
    """Seconds of one call, by the clock."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def interleaved(
    *calls: Callable[[], object], rounds: int = ROUNDS, repeats: int = REPEATS
) -> list[float]:
    """Median seconds of each call, taken in turn so that a drift of the machine meets all.

    In each turn a call is made several times and the first is left out: it pays for the memory
    that the one before gave back.
    """
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, times in zip(calls, taken, strict=True):
            several = [seconds(call) for _ in range(repeats)]
            times += several[1:] or several
    return [median(times) for times in taken]
