"""How much of the lean of its spectrum, low notes against high, a branch does not hear."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Self

import numpy as np

from asd.arrays import Spectrogram, Vector
from asd.config.recipe import Branch
from asd.errors import ConfigError
from asd.features.base import FrontEnd
from asd.features.clipset import ClipSet
from asd.language import tr

_LOWEST_HZ = 20.0
"""Rows below are taken for this: the logarithm of 0 Hz would be all there is."""


@dataclass(frozen=True)
class Tilt:
    """Turns the spectrum of a clip until it leans as those of the training clips do.

    Microphones, mountings and distances favour low notes or high ones, evenly from one end to the
    other, and a detector takes that for news. A lean is the slope of the clip's spectrum, the
    median of each row, over the logarithm of frequency, by least squares. It is brought to the
    median of the training clips, but by no more than `most_db`: what leans further, as a hiss or
    a rumble does, is still heard.
    """

    usual_db: float
    """Median lean of the training clips: highest row over lowest, in dB."""
    most_db: float
    """By how much a clip is turned at most, in dB from the lowest row to the highest, > 0."""

    @classmethod
    def fit(cls, branch: Branch, front_end: FrontEnd[Any], clips: ClipSet) -> Self | None:
        """What a branch does not hear, from normal clips; None where it hears all.

        Raises
        ------
        ConfigError
            The branch asks for it, and its front end gives no levels in dB over frequency.
        """
        if branch.tilt_db == 0:
            return None
        axes = front_end.axes()
        if axes.row_unit != "Hz" or not axes.in_db:
            raise ConfigError(
                tr(
                    "tilt_db: features.name={name} as it is set gives no levels in dB over "
                    "frequency; set tilt_db=0 or another front end",
                    name=front_end.name,
                )
            )
        ramp = _ramp(front_end)
        measure = partial(_lean, ramp)
        leans = [clips.remember("lean", index, measure) for index in range(len(clips))]
        return cls(float(np.median(leans)), branch.tilt_db)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read back what `to_dict` gave."""
        return cls(**values)

    def to_dict(self) -> dict[str, float]:
        """Plain values, fit for JSON."""
        return asdict(self)

    def heard(self, clips: ClipSet, front_end: FrontEnd[Any]) -> ClipSet:
        """The clips as a detector behind it hears them, each turned when it is read."""
        ramp = _ramp(front_end)

        def turn(clip: Spectrogram) -> Vector:
            excess = float(_lean(ramp, clip)) - self.usual_db
            rows = np.clip(excess, -self.most_db, self.most_db) * ramp
            # Some of the level was in the lean.
            level = front_end.level(clip - rows.astype(np.float32)[:, None])
            return np.asarray(rows + level)

        return clips.less(turn, self)


def _ramp(front_end: FrontEnd[Any]) -> Vector:
    """A lean of 1 dB, ``(n_rows,)``: from -1/2 to 1/2 over octaves, less its mean."""
    octaves = np.log2(np.maximum(front_end.axes().rows, _LOWEST_HZ))
    ramp: Vector = (octaves - octaves.mean()) / max(float(np.ptp(octaves)), 1e-9)
    return ramp


def _lean(ramp: Vector, clip: Spectrogram) -> Vector:
    # As for the level, a median leaves out clicks.
    spectrum = np.median(clip, axis=1)
    return np.asarray(ramp @ spectrum / (ramp @ ramp))
