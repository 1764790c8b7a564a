"""Nearest neighbour over short patches of log-mel spectrograms."""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from asd.arrays import Indices, Matrix, Scores, Spectrogram
from asd.config.search import Choose, Search
from asd.detectors._density import BLOCKS, euclidean_neighbour_distance, weighted_search
from asd.detectors._of_patches import OfPatches, PatchesConfig, scale_of
from asd.detectors._patches import group_blocks
from asd.detectors.base import FitContext
from asd.features.clipset import ClipSet
from asd.threads import one_thread

_NEIGHBOURS = 5
"""Neighbours in other blocks of clips by which the density around a patch is judged."""


class PatchConfig(PatchesConfig):
    """Configuration of `Patch`."""

    frames: Annotated[int, Choose(1, 2, 4, 8, 16)] = Field(8, ge=1)
    """Frames of a patch; they overlap by half. One or two tell sounds, eight how sounds go on."""
    components: Annotated[int, Search(8, 128, log=True)] = Field(64, ge=1)
    """Principal components by which patches are compared."""
    bank: int = Field(3500, ge=1)
    """Most patches to remember; memory and scoring time grow with them."""
    density: Annotated[float, Search(0.0, 1)] = Field(0.5, ge=0, le=1)
    """Divide the distance to a remembered patch by the typical distance around it, to this power:
    0 for not at all, 1 for wholly."""


class Patch(OfPatches[PatchConfig]):
    """Mean distance of a clip's patches from the nearest patches of normal clips.

    A memory bank of patches as in K. Roth et al., "Towards Total Recall in Industrial Anomaly
    Detection", CVPR 2022, with log-mel patches instead of image features, and drawn at random:
    thinning out where patches are dense would keep every outlier. Distances are made comparable
    between operating states as in K. Wilkinghoff et al., "Keeping the Balance: Anomaly Score
    Calculation for Domain Generalization", ICASSP 2025, but only in part by default, and by
    neighbours from other blocks of training clips, since those of the same recording are too
    alike.

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
    def _fit(self, train: ClipSet, valid: ClipSet, context: FitContext) -> None:  # noqa: ARG002
        patches, clip_of = self._sample(train)
        self._learn(patches, group_blocks(len(train), BLOCKS, train.groups())[clip_of])

    def _learn(self, patches: Matrix, block_of: Indices) -> None:
        """Learn from statistics of patches, ``(n, 2 * n_mels)``, and their blocks, ``(n,)``."""
        self.mean_ = patches.mean(axis=0)
        scale = scale_of(patches.var(axis=0))
        scaled = (patches - self.mean_) / scale
        _, directions = np.linalg.eigh(scaled.T @ scaled)
        self.back_ = directions[:, ::-1][:, : self.config.components].T
        self.projection_ = self.back_.T / scale[:, None]
        projected = scaled @ self.back_.T
        drawn = np.random.default_rng(self.seed).permutation(len(projected))[: self.config.bank]
        order = np.sort(drawn)
        # Rounded as it is saved, so that a loaded detector scores just the same.
        self.bank_ = projected[order].astype(np.float32).astype(np.float64)
        self.density_ = self._density(projected, block_of, order)
        self._index()

    def _density(self, projected: Matrix, block_of: Indices, order: Indices) -> Matrix:
        """What the distance to each remembered patch is divided by, ``(n_bank,)``."""
        if self.config.density == 0:
            return np.ones(len(order))
        density = euclidean_neighbour_distance(
            self.bank_, block_of[order], projected, block_of, _NEIGHBOURS
        )
        return np.asarray(density**self.config.density, np.float64)

    @one_thread()
    def score(self, clips: ClipSet) -> Scores:
        """Mean over a clip's patches of the distance to the nearest one known, ``(n_clips,)``."""
        scores = [self._nearest(self._project(clip))[0].mean() for clip in clips]
        return np.array(scores, dtype=np.float64)

    def explain(self, clips: ClipSet) -> list[Spectrogram]:
        """How far each band of each patch is from the nearest one: ``(n_mels, n_frames_i)`` a clip.

        The sum over bands is the distance of the patches at that time.
        """
        return [self._explain(clip) for clip in clips]

    def _explain(self, spectrogram: Spectrogram) -> Spectrogram:
        projected = self._project(spectrogram)
        distances, nearest = self._nearest(projected)
        by_band = self._by_band(projected - self.bank_[nearest])
        total = by_band.sum(axis=1, keepdims=True)
        shares = np.divide(by_band, total, out=np.zeros_like(by_band), where=total > 0)
        return self._spread(shares * distances[:, None], spectrogram)

    def _nearest(self, projected: Matrix) -> tuple[Matrix, Indices]:
        """Distance of each patch to the nearest remembered one, and which that is."""
        squares = (projected**2).sum(axis=1, keepdims=True)
        wide = np.concatenate([projected, squares, np.ones_like(squares)], axis=1)
        nearest = (wide.astype(np.float32) @ self._search).argmin(axis=1)
        distances = np.linalg.norm(projected - self.bank_[nearest], axis=1)
        return distances / self.density_[nearest], nearest

    def _index(self) -> None:
        # Single precision finds the nearest twice as fast; its distance is computed anew.
        self._search = weighted_search(self.bank_, self.density_)

    def _state(self) -> dict[str, NDArray[Any]]:
        bank = self.bank_.astype(np.float32)
        return {**super()._state(), "bank": bank, "density": self.density_}

    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        super()._restore(state)
        self.bank_ = state["bank"].astype(np.float64)
        self.density_ = state["density"]
        self._index()
