"""What a machine usually sounds like, band by band, and which normal clip is most like another."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from asd.arrays import Indices, Matrix, Scores, Spectrogram, Vector
from asd.config import LogMelConfig
from asd.data.manifest import Dataset
from asd.features._levels import quantiles, row_levels
from asd.features.logmel import LogMel
from asd.features.store import FeatureStore

MOST_CLIPS = 400
"""Normal clips that are kept, dealt evenly over all: 2 kB each."""
NEAREST = 5
"""Normal clips whose mean is what was to be expected."""
_QUANTILES = (0.1, 0.5, 0.95)
LOW, MEDIAN, HIGH, POWER = range(4)
"""Places of the statistics of a band: quantiles over time, and the mean power."""
_LEAST_SCATTER_DB = 1.0
"""Bands that hardly vary among few clips are not trusted to vary so little."""


class NormalClip(NamedTuple):
    """A clip that the model was trained on."""

    path: str
    """As in the manifest of the data set trained on."""
    sha256: str
    root: str
    """Folder of that data set."""


class Expected(NamedTuple):
    """What a sound would be like, were it as usual; all in dB, ``(n_statistics, n_bands)``."""

    profile: Matrix
    """Brought to the level of the sound."""
    scatter: Matrix
    """How far normal clips lie from what is expected of them."""
    nearest: NormalClip
    """The normal clip that is most alike."""


@dataclass(frozen=True, eq=False)
class Usual:
    """Levels of the mel bands of normal clips, as a detector of any kind was trained on."""

    sample_rate: int
    """Rate in Hz at which sounds are described."""
    profiles: Matrix
    """``(n_clips, n_statistics, n_bands)``, in dB: quantiles over time, and the mean power."""
    scatter: Matrix
    """``(n_statistics, n_bands)``, in dB."""
    clips: tuple[NormalClip, ...]

    @classmethod
    def fit(cls, normal: Dataset, sample_rate: int, store: FeatureStore) -> Self:
        """Describe normal clips.

        Parameters
        ----------
        normal : Dataset
            At least one clip.
        sample_rate : int
            Of the front ends, in Hz.
        store : FeatureStore
            Gives the log-mel spectrograms.
        """
        step = -(-len(normal.clips) // MOST_CLIPS)
        kept = Dataset(normal.root, normal.clips[::step])
        front_end = describing(sample_rate)
        profiles = store.features(kept, front_end).table(_flat_profile)
        shaped = profiles.astype(np.float32).reshape(len(profiles), len(_QUANTILES) + 1, -1)
        names = np.unique([clip.recording for clip in kept.clips], return_inverse=True)[1]
        root = str(normal.root.absolute())
        clips = tuple(NormalClip(clip.path, clip.sha256, root) for clip in kept.clips)
        wide = np.asarray(shaped, np.float64)
        return cls(sample_rate, wide, _scatter(wide, names.astype(np.intp)), clips)

    def expected(self, sound: Spectrogram) -> Expected:
        """What a sound would be like, were it as usual.

        Parameters
        ----------
        sound : ndarray of shape (n_bands, n_frames)
            From the front end `describing` of `sample_rate`.
        """
        own = profile(sound)
        distances, shifts = _compared(own, self.profiles)
        order = np.argsort(distances, kind="stable")[:NEAREST]
        usual = (self.profiles[order] + shifts[order, None, None]).mean(axis=0)
        return Expected(usual, self.scatter, self.clips[int(order[0])])

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The fields as arrays, fit for an npz file."""
        return {
            "sample_rate": np.array(self.sample_rate),
            "profiles": self.profiles.astype(np.float32),
            "scatter": self.scatter,
            "paths": np.array([clip.path for clip in self.clips]),
            "sha256": np.array([clip.sha256 for clip in self.clips]),
            "roots": np.array([clip.root for clip in self.clips]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take back what `to_arrays` gave."""
        columns = (arrays[key].tolist() for key in ("paths", "sha256", "roots"))
        clips = tuple(map(NormalClip, *columns))
        profiles = arrays["profiles"].astype(np.float64)
        return cls(int(arrays["sample_rate"]), profiles, arrays["scatter"], clips)


@cache
def describing(sample_rate: int) -> LogMel:
    """The front end that describes sounds of a rate: log-mel with its defaults."""
    return LogMel(LogMelConfig(sample_rate=sample_rate))


def profile(sound: Spectrogram) -> Matrix:
    """Quantiles over time and mean power of each band, in dB, ``(n_statistics, n_bands)``."""
    return np.stack([*quantiles(sound, _QUANTILES), row_levels(sound)])


def _flat_profile(sound: Spectrogram) -> Vector:
    return profile(sound).ravel()


def _compared(own: Matrix, others: NDArray[np.float64]) -> tuple[Scores, Scores]:
    """Distance of a profile from others, ``(n,)``, and by how many dB it is louder.

    The median over bands, so that what is unusual in some of them does not count as loudness.
    """
    differences = own[MEDIAN] - others[:, MEDIAN]
    shifts = np.median(differences, axis=1)
    return np.abs(differences - shifts[:, None]).mean(axis=1), shifts


def _scatter(profiles: NDArray[np.float64], recording: Indices) -> Matrix:
    """Root mean square of what normal clips differ by from the nearest of other recordings."""
    squares = []
    for place, own in enumerate(profiles):
        others = profiles[recording != recording[place]]
        if not len(others):
            continue
        distances, shifts = _compared(own, others)
        order = np.argsort(distances, kind="stable")[:NEAREST]
        squares.append((own - (others[order] + shifts[order, None, None]).mean(axis=0)) ** 2)
    if not squares:
        return np.full(profiles.shape[1:], _LEAST_SCATTER_DB)
    rms: Matrix = np.sqrt(np.mean(squares, axis=0))
    return np.maximum(rms, _LEAST_SCATTER_DB)
