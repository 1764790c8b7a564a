"""Nearest neighbour on log-mel statistics of whole clips."""

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.spatial.distance import cdist

from asd.arrays import Indices, Matrix, Scores, Spectrogram, Vector
from asd.config.search import Choose, Search
from asd.detectors._density import BLOCKS, neighbour_distance
from asd.detectors._patches import group_blocks
from asd.detectors._statistics import (
    clip_statistics,
    spread_over_time,
    statistics_scale,
)
from asd.detectors.base import Detector, DetectorConfig, FitContext
from asd.features.clipset import ClipSet
from asd.threads import one_thread

Distance = Literal["euclidean", "manhattan"]

_METRICS = {"euclidean": "euclidean", "manhattan": "cityblock"}


class KnnConfig(DetectorConfig):
    """Configuration of `Knn`."""

    k: Annotated[int, Search(1, 16, log=True)] = Field(1, ge=1)
    """Neighbours over which the distance is averaged; all where there are fewer."""
    distance: Annotated[Literal["euclidean", "manhattan"], Choose("euclidean", "manhattan")] = (
        "euclidean"
    )
    """Distance between the statistics of two clips."""
    density: Annotated[float, Search(0.0, 1)] = Field(0.5, ge=0, le=1)
    """Divide the distance to a training clip by the typical distance around it, to this power, so
    that rare operating states are not taken for faults: 0 for not at all, 1 for wholly."""
    density_k: int = Field(5, ge=0)
    """Neighbours from other blocks of training clips by which that distance is told; 0 for not."""


class Knn(Detector[KnnConfig]):
    """Distance of a clip from its nearest normal clips.

    Local-density normalisation follows K. Wilkinghoff et al., "Keeping the Balance: Anomaly Score
    Calculation for Domain Generalization", ICASSP 2025: the distance to each training clip is
    divided by that clip's own mean distance to its nearest neighbours; here to a power below 1,
    and by neighbours from other blocks of clips, since those of one recording are too alike.

    Attributes
    ----------
    references_ : ndarray of shape (n_clips, 6 * n_mels)
        Statistics of the training clips in units of `scale_`.
    scale_ : ndarray of shape (6 * n_mels,)
        Units of the statistics.
    density_ : ndarray of shape (n_clips,)
        What the distance to each training clip is divided by.
    """

    name = "knn"
    Config = KnnConfig

    def _fit(self, train: ClipSet, valid: ClipSet, context: FitContext) -> None:  # noqa: ARG002
        table = train.table(clip_statistics)
        self._learn(table, group_blocks(len(train), BLOCKS, train.groups()))

    def _learn(self, table: Matrix, block_of: Indices) -> None:
        """Learn from statistics of clips, ``(n, 6 * n_mels)``, and their blocks, ``(n,)``."""
        self.scale_ = statistics_scale(table)
        # Rounded as they are saved, so that a loaded detector scores just the same.
        self.references_ = (table / self.scale_).astype(np.float32).astype(np.float64)
        self.density_ = self._density(block_of)

    @one_thread()
    def score(self, clips: ClipSet) -> Scores:
        """Mean distance of each clip to its `k` nearest normal clips, ``(n_clips,)``."""
        described = clips.table(clip_statistics) / self.scale_
        scores = [np.sort(self._distances(row))[: self.config.k] for row in described]
        return np.array([nearest.mean() for nearest in scores], dtype=np.float64)

    def explain(self, clips: ClipSet) -> list[Spectrogram]:
        """How far each band is from the nearest normal clip: ``(n_mels, n_frames_i)`` a clip."""
        described = clips.table(clip_statistics) / self.scale_
        return [self._explain(*pair) for pair in zip(described, clips, strict=True)]

    def _explain(self, described: Vector, spectrogram: Spectrogram) -> Spectrogram:
        nearest = self.references_[self._distances(described).argmin()]
        difference = np.abs(described - nearest)
        contributions = difference if self.config.distance == "manhattan" else difference**2
        return spread_over_time(contributions, spectrogram, nearest * self.scale_)

    def _distances(self, described: Vector) -> Vector:
        metric = _METRICS[self.config.distance]
        distances: Vector = cdist(described[None], self.references_, metric)[0]
        return distances / self.density_

    def _density(self, block_of: Indices) -> Vector:
        count, metric = self.config.density_k, _METRICS[self.config.distance]
        if count == 0 or self.config.density == 0:
            return np.ones(len(self.references_))
        references = self.references_

        def distances(rows: slice) -> Vector:
            return np.asarray(cdist(references[rows], references, metric), np.float64)

        density = neighbour_distance(distances, block_of, block_of, count)
        return np.asarray(density**self.config.density, np.float64)

    def _state(self) -> dict[str, NDArray[Any]]:
        return {
            "references": self.references_.astype(np.float32),
            "scale": self.scale_,
            "density": self.density_,
        }

    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        self.references_ = state["references"].astype(np.float64)
        self.scale_ = state["scale"]
        self.density_ = state["density"]
