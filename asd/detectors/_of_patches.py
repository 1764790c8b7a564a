"""What detectors that compare short pieces of clips have in common."""

from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from asd.arrays import Indices, Matrix, Spectrogram, Vector
from asd.detectors._patches import evenly, patch_starts, patch_statistics, spread_patches
from asd.detectors.base import Detector, DetectorConfig
from asd.features.clipset import ClipSet
from asd.progress import ProgressBar

_SAMPLED_PATCHES = 10_000
"""Patches from which scales, directions and densities are found; more change them little."""
_LEAST_SPREAD = 0.05
"""Smallest spread of a value, relative to the typical one: keeps distances finite."""


class PatchesConfig(DetectorConfig):
    """What detectors of patches are told."""

    frames: int
    """Frames of a patch; they overlap by half."""


C = TypeVar("C", bound=PatchesConfig)


class OfPatches(Detector[C]):
    """Describes each patch of a clip by the mean and standard deviation of every mel band in it.

    Attributes
    ----------
    mean_ : ndarray of shape (2 * n_mels,)
        Mean of the statistics of normal patches.
    projection_ : ndarray of shape (2 * n_mels, n_components)
        From statistics, less their mean, to scaled principal components.
    back_ : ndarray of shape (n_components, 2 * n_mels)
        From principal components to scaled statistics; its rows are orthonormal.
    """

    in_threads = True
    mean_: Vector
    projection_: Matrix
    back_: Matrix

    @property
    def _hop(self) -> int:
        return max(1, self.config.frames // 2)

    def _describe(self, spectrogram: Spectrogram) -> Matrix:
        return self._statistics(spectrogram, self._starts(spectrogram))

    def _starts(self, spectrogram: Spectrogram) -> Indices:
        return patch_starts(spectrogram.shape[1], self.config.frames, self._hop)

    def _statistics(self, spectrogram: Spectrogram, starts: Indices) -> Matrix:
        return patch_statistics(spectrogram.astype(np.float64), self.config.frames, starts)

    def _project(self, spectrogram: Spectrogram) -> Matrix:
        projected: Matrix = (self._describe(spectrogram) - self.mean_) @ self.projection_
        return projected

    def _by_band(self, difference: Matrix) -> Matrix:
        """Squares of a difference of components, ``(n, n_components)``, by band: ``(n, n_mels)``.

        A row adds up to the squared length of the difference.
        """
        squares = (difference @ self.back_) ** 2
        by_band: Matrix = squares.reshape(len(difference), 2, -1).sum(axis=1)
        return by_band

    def _spread(self, by_band: Matrix, spectrogram: Spectrogram) -> Spectrogram:
        """Numbers of the patches of a clip, ``(n_patches, n_mels)``, at their places in it."""
        return spread_patches(by_band, spectrogram.shape[1], self.config.frames, self._hop)

    def _sample(self, train: ClipSet) -> tuple[Matrix, Indices]:
        """Statistics of patches of clips from all over the training data, and their clips."""
        clips = evenly(len(train), _SAMPLED_PATCHES)
        most = _SAMPLED_PATCHES // len(clips)
        # Folds need about as many of each clip as the others, and share them.
        enough = 1 << (most - 1).bit_length()
        key = ("patches", self.config.frames, self.seed, enough)
        sampled = []
        for index in ProgressBar(clips.tolist(), desc=f"model={self.name}", unit="clip"):
            draw = partial(self._draw, train.number(index), enough)
            sampled.append(train.remember(key, index, draw)[:most])
        return np.concatenate(sampled), np.repeat(clips, [len(patches) for patches in sampled])

    def _draw(self, number: int, most: int, clip: Spectrogram) -> Matrix:
        """Statistics of some patches of a clip, in an order that no other clip has a say in."""
        rng = np.random.default_rng((self.seed, number))
        return self._statistics(clip, rng.permutation(self._starts(clip))[:most])

    def _state(self) -> dict[str, NDArray[Any]]:
        return {"mean": self.mean_, "projection": self.projection_, "back": self.back_}

    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        self.mean_ = state["mean"]
        self.projection_ = state["projection"]
        self.back_ = state["back"]


def scale_of(variance: Vector) -> Vector:
    """Units of the statistics, from their variances: ``(2 * n_mels,)``.

    Halfway, as a geometric mean, between the band's own standard deviation and that of all bands:
    the first is uncertain on few clips, and all but zero in bands that hold nothing.
    """
    variance = variance.reshape(2, -1)
    shared = np.sqrt(variance.mean(axis=1, keepdims=True))
    # Clips that do not differ at all give no unit; 1 keeps distances finite.
    shared[shared == 0] = 1.0
    own = np.maximum(np.sqrt(variance), _LEAST_SPREAD * shared)
    scale: Vector = np.sqrt(own * shared).ravel()
    return scale
