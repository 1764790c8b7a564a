"""Nearest neighbour over short patches of log-mel spectrograms."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from tqdm import tqdm

from asd.detectors._patches import (
    Matrix,
    blocks,
    evenly,
    levelled,
    patch_statistics,
    spread_patches,
)
from asd.detectors._statistics import Level
from asd.detectors.base import Detector, DetectorConfig, EpochCallback, Scores
from asd.features.sets import Features, FloatArray
from asd.features.threads import one_thread

_SAMPLED_PATCHES = 10_000
"""Patches from which scales, components and densities are found; more change them little."""
_LEAST_BANK = 64
_BLOCKS = 8
_NEIGHBOURS = 5
"""Neighbours in other blocks of clips by which the density around a patch is judged."""
_LEAST_SPREAD = 0.05
"""Smallest spread of a value, relative to the typical one: keeps distances finite."""
_ROWS_AT_ONCE = 512


class PatchConfig(DetectorConfig):
    """Configuration of `Patch`."""

    frames: int = Field(8, ge=1, json_schema_extra={"search": {"choices": [4, 8, 16]}})
    """Frames of a patch; they overlap by half."""
    components: int = Field(
        64, ge=1, json_schema_extra={"search": {"low": 8, "high": 128, "log": True}}
    )
    """Principal components by which patches are compared."""
    bank: int = Field(2000, ge=1)
    """Most patches to remember, at most half of those seen; memory and scoring time grow with
    them."""
    density: float = Field(0.25, ge=0, le=1, json_schema_extra={"search": {"low": 0.0, "high": 1}})
    """Divide the distance to a remembered patch by the typical distance around it, to this power:
    0 for not at all, 1 for wholly."""
    level: Level = "normalised"
    """`normalised` ignores the gain of the recording; `kept` makes loudness count, for recorders
    whose gain never changes."""


class Patch(Detector[PatchConfig]):
    """Mean distance of a clip's patches from the nearest patches of normal clips.

    A bank of patches, thinned out where they are dense, as in K. Roth et al., "Towards Total
    Recall in Industrial Anomaly Detection", CVPR 2022, with log-mel patches instead of image
    features: what a machine seldom does is remembered as well as what it always does. Distances
    are made comparable between operating states as in K. Wilkinghoff et al., "Keeping the
    Balance: Anomaly Score Calculation for Domain Generalization", ICASSP 2025, but only in part
    by default, and by neighbours from other blocks of training clips, since those of the same
    recording are too alike.

    Attributes
    ----------
    mean_ : ndarray of shape (2 * n_mels,)
        Mean of the statistics of normal patches.
    projection_ : ndarray of shape (2 * n_mels, n_components)
        From statistics to scaled principal components.
    back_ : ndarray of shape (n_components, 2 * n_mels)
        From principal components to scaled statistics.
    bank_ : ndarray of shape (n_patches, n_components)
        The remembered patches.
    density_ : ndarray of shape (n_patches,)
        What the distance to each remembered patch is divided by.
    """

    name = "patch"
    Config = PatchConfig

    @one_thread()
    def _fit(self, train: Features, valid: Features, on_epoch: EpochCallback) -> None:  # noqa: ARG002
        rng = np.random.default_rng(self.seed)
        patches, clip_of = self._sample(train, rng)
        self.mean_ = patches.mean(axis=0)
        scale = _scale(patches)
        scaled = (patches - self.mean_) / scale
        _, directions = np.linalg.eigh(scaled.T @ scaled)
        self.back_ = directions[:, ::-1][:, : self.config.components].T
        self.projection_ = self.back_.T / scale[:, None]
        projected = scaled @ self.back_.T
        order = _coreset(projected, min(self.config.bank, max(_LEAST_BANK, len(projected) // 2)))
        # Rounded as it is saved, so that a loaded detector scores just the same.
        self.bank_ = projected[order].astype(np.float32).astype(np.float64)
        block_of = blocks(len(train), _BLOCKS)[clip_of]
        self.density_ = _density(self.bank_, block_of[order], projected, block_of)
        self.density_ **= self.config.density

    @one_thread()
    def score(self, features: Features) -> Scores:
        """Mean over a clip's patches of the distance to the nearest one known, ``(n_clips,)``."""
        scores = [self._nearest(self._project(clip))[0].mean() for clip in features]
        return np.array(scores, dtype=np.float64)

    def explain(self, features: Features) -> list[FloatArray]:
        """How far each band of each patch is from the nearest one: ``(n_mels, n_frames_i)`` a clip.

        The sum over bands is the distance of the patches at that time.
        """
        return [self._explain(clip) for clip in features]

    def _explain(self, spectrogram: FloatArray) -> FloatArray:
        projected = self._project(spectrogram)
        distances, nearest = self._nearest(projected)
        difference = ((projected - self.bank_[nearest]) @ self.back_) ** 2
        by_band = difference.reshape(len(projected), 2, -1).sum(axis=1)
        total = by_band.sum(axis=1, keepdims=True)
        shares = np.divide(by_band, total, out=np.zeros_like(by_band), where=total > 0)
        contributions = shares * distances[:, None]
        return spread_patches(contributions, spectrogram.shape[1], self.config.frames, self._hop)

    @property
    def _hop(self) -> int:
        return max(1, self.config.frames // 2)

    def _describe(self, spectrogram: FloatArray) -> Matrix:
        values = levelled(spectrogram, self.config.level)
        return patch_statistics(values, self.config.frames, self._hop)

    def _project(self, spectrogram: FloatArray) -> Matrix:
        projected: Matrix = (self._describe(spectrogram) - self.mean_) @ self.projection_
        return projected

    def _sample(self, train: Features, rng: np.random.Generator) -> tuple[Matrix, NDArray[np.intp]]:
        """Statistics of patches of clips from all over the training data, and their clips."""
        clips = evenly(len(train), _SAMPLED_PATCHES)
        most = _SAMPLED_PATCHES // len(clips)
        found: list[Matrix] = []
        for index in tqdm(clips, desc=f"model={self.name}", unit="clip", disable=None):
            patches = self._describe(train[int(index)])
            found.append(patches[np.sort(rng.permutation(len(patches))[:most])])
        return np.concatenate(found), np.repeat(clips, [len(patches) for patches in found])

    def _nearest(self, projected: Matrix) -> tuple[Matrix, NDArray[np.intp]]:
        """Distance of each patch to the nearest remembered one, and which that is."""
        distances = _distances(projected, self.bank_) / self.density_
        return distances.min(axis=1), distances.argmin(axis=1)

    def _state(self) -> dict[str, NDArray[Any]]:
        return {
            "mean": self.mean_,
            "projection": self.projection_,
            "back": self.back_,
            "bank": self.bank_.astype(np.float32),
            "density": self.density_,
        }

    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        self.mean_ = state["mean"]
        self.projection_ = state["projection"]
        self.back_ = state["back"]
        self.bank_ = state["bank"].astype(np.float64)
        self.density_ = state["density"]


def _scale(patches: Matrix) -> Matrix:
    """Units of the statistics, ``(2 * n_mels,)``.

    Halfway, as a geometric mean, between the band's own standard deviation and that of all bands:
    the first is uncertain on few clips, and all but zero in bands that hold nothing.
    """
    variance = patches.var(axis=0).reshape(2, -1)
    shared = np.sqrt(variance.mean(axis=1, keepdims=True))
    # Clips that do not differ at all give no unit; 1 keeps distances finite.
    shared[shared == 0] = 1.0
    own = np.maximum(np.sqrt(variance), _LEAST_SPREAD * shared)
    scale: Matrix = np.sqrt(own * shared).ravel()
    return scale


def _distances(left: Matrix, right: Matrix) -> Matrix:
    """Euclidean distances, ``(n_left, n_right)``, by products of matrices, which are fast."""
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)
    distances: Matrix = np.sqrt(np.maximum(squares - 2 * left @ right.T, 0))
    return distances


def _coreset(points: Matrix, size: int) -> NDArray[np.intp]:
    """Indices of points from which no other point is far, in order.

    The greedy algorithm of T. Gonzalez, Theoretical Computer Science 38 (1985): the next is always
    the point that is farthest from all before it. The first is the one nearest the mean.
    """
    if size >= len(points):
        return np.arange(len(points))
    thin = points.astype(np.float32)
    squares = (thin**2).sum(axis=1)
    chosen = [int(squares.argmin())]
    distances = np.full(len(thin), np.inf, np.float32)
    while len(chosen) < size:
        last = chosen[-1]
        np.minimum(distances, squares + squares[last] - 2 * thin @ thin[last], out=distances)
        distances[last] = -np.inf
        chosen.append(int(distances.argmax()))
    return np.sort(chosen)


def _density(
    bank: Matrix, bank_block: NDArray[np.intp], sample: Matrix, sample_block: NDArray[np.intp]
) -> Matrix:
    """Mean distance of each remembered patch to its neighbours in other blocks, ``(n_bank,)``."""
    found = np.empty(len(bank))
    for start in range(0, len(bank), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        distances = _distances(bank[rows], sample)
        distances[bank_block[rows, None] == sample_block] = np.inf
        elsewhere = np.isfinite(distances).sum(axis=1).min()
        nearest = np.partition(distances, min(_NEIGHBOURS, elsewhere) - 1, axis=1)
        found[rows] = nearest[:, : min(_NEIGHBOURS, elsewhere)].mean(axis=1)
    # Patches that stand in the data twice have no distance; they must not reach infinity.
    typical = float(np.median(found))
    return np.maximum(found, 0.01 * typical) if typical > 0 else np.ones(len(found))
