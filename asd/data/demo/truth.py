"""What a fault alone changes in the sound of the demo plant, cell by cell: the truth."""

import copy

import numpy as np

from asd.arrays import Samples
from asd.data.demo.faults import make_fault
from asd.data.demo.plant import Room, record, start


def with_and_without(
    fault: str, severity: str, seconds: float, room: Room, rng: np.random.Generator
) -> tuple[Samples, Samples]:
    """The same recording of the plant with a fault and without, ``(n,)`` each.

    Parameters
    ----------
    fault, severity : str
        Of `asd.data.demo.faults`.
    seconds : float
        Length.
    room : Room
        The plant's room.
    rng : Generator
        Source of everything random; the first sound is what `make_demo` makes of it.
    """
    running = start(seconds, rng)
    made = make_fault(fault, severity, running, rng)
    without = copy.deepcopy(rng)
    return record(running, room, rng, made), record(running, room, without)
