"""The difference between the spectrum of another unit of a machine and that of the one learned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from asd.arrays import Indices, Matrix, Spectrogram, Vector
from asd.data.manifest import Clip, Dataset
from asd.features._levels import row_levels
from asd.features.base import FrontEnd
from asd.features.clipset import ClipSet
from asd.features.store import FeatureStore
from asd.pipeline.folds import unit_of

_LEAST_UNITS = 3
"""Recordings, or sessions, that tell a difference: how they vary takes two, and one more is held
out to see what is left."""
_MOST_CLIPS = 200
"""Clips that tell a spectrum, dealt evenly over all."""


@dataclass(frozen=True, eq=False)
class Equaliser:
    """Takes off each clip what another unit sounds otherwise than the unit learned from.

    Two units of a machine, two rooms or two microphones differ by some decibels in each band, more
    than a fault does. Normal recordings of the new unit tell by how much on average. As they are
    few, the difference is shrunk by how uncertain it is, to nothing where it is no larger than
    chance would make it (the positive-part estimator of W. James and C. Stein, "Estimation with
    Quadratic Loss", 1961, with the variance taken from the recordings).
    """

    usual: Vector
    """Mean over training clips of the level of each row, its mean power in dB, ``(n_rows,)``."""
    shift: Vector
    """What is taken off the rows of each clip, in dB, ``(n_rows,)``; 0 for the unit learned."""

    @classmethod
    def fit(cls, front_end: FrontEnd[Any], clips: ClipSet) -> Self | None:
        """The spectrum of the clips; None where the front end gives no levels in decibels."""
        if not front_end.axes().in_db:
            return None
        usual = _spectra(clips).mean(axis=0)
        return cls(usual, np.zeros_like(usual))

    def moved(self, clips: ClipSet) -> Self:
        """The equaliser for the unit that these normal clips are of.

        Parameters
        ----------
        clips : ClipSet
            Heard without it, with their rows of the manifest; a single recording or session
            tells nothing.
        """
        unit = _units(clips.clips)[:: _step(len(clips))]
        numbers = np.unique(unit)
        if len(numbers) < 2:
            return replace(self, shift=np.zeros_like(self.usual))
        spectra = _spectra(clips)
        by_unit = np.array([spectra[unit == number].mean(axis=0) for number in numbers])
        difference = by_unit.mean(axis=0) - self.usual
        chance = by_unit.var(axis=0, ddof=1).mean() / len(by_unit)
        size = float((difference**2).mean())
        certain = max(0.0, 1.0 - chance / size) if size else 0.0
        return replace(self, shift=certain * difference)

    def heard(self, clips: ClipSet, front_end: FrontEnd[Any]) -> ClipSet:
        """The clips as a detector behind it hears them, each changed when it is read."""
        if not self.shift.any():
            return clips

        def rows(clip: Spectrogram) -> Vector:
            return np.asarray(self.shift + front_end.level(clip - self._column))

        return clips.less(rows, ("equaliser", self.shift.tobytes()))

    @property
    def size_db(self) -> float:
        """Root mean square over rows of what is taken off, in dB."""
        return float(np.sqrt((self.shift**2).mean()))

    @property
    def _column(self) -> Spectrogram:
        return self.shift.astype(np.float32)[:, None]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Take back what `to_dict` gave."""
        return cls(np.asarray(values["usual"]), np.asarray(values["shift"]))

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, fit for JSON."""
        return {"usual": self.usual.tolist(), "shift": self.shift.tolist()}


def equalisers(
    front_ends: Sequence[FrontEnd[Any]], normal: Dataset, store: FeatureStore
) -> dict[str, Equaliser]:
    """The equaliser of each front end that gives decibels, by its `FrontEnd.key`."""
    fitted = {}
    for front_end in {front_end.key: front_end for front_end in front_ends}.values():
        equaliser = Equaliser.fit(front_end, store.features(normal, front_end))
        if equaliser is not None:
            fitted[front_end.key] = equaliser
    return fitted


def enough_units(clips: Sequence[Clip]) -> bool:
    """Whether there are recordings, or sessions, enough to tell what a unit sounds otherwise."""
    return len(np.unique(_units(clips))) >= _LEAST_UNITS


def _step(n_clips: int) -> int:
    return max(1, -(-n_clips // _MOST_CLIPS))


def _spectra(clips: ClipSet) -> Matrix:
    kept = range(0, len(clips), _step(len(clips)))
    return np.array([clips.remember(row_levels, place, row_levels) for place in kept], np.float64)


def _units(clips: Sequence[Clip]) -> Indices:
    names = [f"{clip.machine}\n{unit_of(clip)}" for clip in clips]
    return np.unique(names, return_inverse=True)[1].astype(np.intp)
