"""Calibration folds: which normal clips are held out together.

What is exchangeable is the session (a flight, a day, a mounting of the microphone) where it is
known, and the recording elsewhere. Folds are runs of them in the order of their names, machine by
machine: neighbours in time are alike, and dealing them out would put them on both sides.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from asd.arrays import Indices
from asd.data.manifest import Clip

MAX_FOLDS = 20
"""Fewer leave out much of what the served detector knows: held-out clips then score too high, and
so does the threshold."""
MANY_CLIPS, FOLDS_OF_MANY = 2000, 10
"""From so many clips on, what a fold leaves out is hardly missed, and fits take long."""


def calibration_folds(clips: Sequence[Clip], most: int | None = None) -> Indices:
    """Number of the fold that each clip is held out in, ``(n_clips,)``, from 0 on.

    Parameters
    ----------
    clips : sequence of Clip
        Normal clips.
    most : int, optional
        Most folds; `MAX_FOLDS` where not given, `FOLDS_OF_MANY` of very many clips. There are as
        many as units where those are fewer. The clips of a single recording are cut into runs.

    Examples
    --------
    >>> from types import SimpleNamespace as Row
    >>> rows = [Row(machine="", session="", recording=f"r{n}") for n in (1, 10, 2, 2)]
    >>> calibration_folds(rows, 3).tolist()
    [0, 2, 1, 1]
    """
    if most is None:
        most = MAX_FOLDS if len(clips) < MANY_CLIPS else FOLDS_OF_MANY
    units = sorted({(clip.machine, natural(unit_of(clip))) for clip in clips})
    if len(units) == 1:
        # One recording can only be held out piece by piece.
        return np.arange(len(clips)) * min(most, len(clips)) // len(clips)
    machines = sorted({machine for machine, _ in units})
    n_folds = min(most, len(units))
    fold_of = {}
    for place, machine in enumerate(machines):
        mine = [unit for unit in units if unit[0] == machine]
        for rank, unit in enumerate(mine):
            # Machines with few recordings begin in different folds, so that folds are alike.
            fold_of[unit] = (rank * n_folds // len(mine) + place) % n_folds
    numbers = [fold_of[(clip.machine, natural(unit_of(clip)))] for clip in clips]
    return np.unique(numbers, return_inverse=True)[1].astype(np.intp)


def splits(fold_of: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Places of the clips to fit on, and of those held out, fold by fold."""
    for fold in range(int(fold_of.max()) + 1):
        yield np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)


def unit_of(clip: Clip) -> str:
    """What a clip must be held out together with: its session, or else its recording."""
    return clip.session or clip.recording


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key by which ``r2`` comes before ``r10``."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts)
