"""Times that are compared with one another, and so are taken in turn."""

import resource
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from asd.arrays import Matrix, Vector

ROUNDS = 20
REPEATS = 6
Clock = Callable[[], float]


def processor_s() -> float:
    """Seconds of processor time of this process and of programs that it has waited for."""
    # `os.times` tells hundredths of a second, a tenth of what is measured.
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(one)[:2]) for one in who)


def seconds(call: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    """Seconds of one call, by the clock or another."""
    started = clock()
    call()
    return clock() - started


def turns(
    *calls: Callable[[], object],
    rounds: int = ROUNDS,
    repeats: int = REPEATS,
    clock: Clock = time.perf_counter,
) -> Matrix:
    """Median seconds of each call in each turn, ``(n_calls, rounds)``.

    Calls are taken in turn so that a drift of the machine meets all. In each turn a call is made
    several times and the first is left out: it pays for the memory that the one before gave back.
    """
    taken = np.empty((len(calls), rounds))
    for turn in range(rounds):
        for place, call in enumerate(calls):
            several = [seconds(call, clock) for _ in range(repeats)]
            taken[place, turn] = median(several[1:] or several)
    return taken


def interleaved(
    *calls: Callable[[], object], rounds: int = ROUNDS, repeats: int = REPEATS
) -> list[float]:
    """Median seconds of each call, taken in turn."""
    return [float(np.median(row)) for row in turns(*calls, rounds=rounds, repeats=repeats)]


def least_ratio(above: Vector, below: Vector) -> float:
    """How many times as long one took as the other where each was least disturbed.

    For work of a second and more, which whatever else the host does meets in most turns.
    """
    return float(above.min() / below.min())


def ratio(above: Vector, below: Vector) -> float:
    """Median over turns, ``(rounds,)`` each, of how many times as long one took as the other."""
    return float(np.median(above / below))
