"""Nearest neighbour on log-mel statistics of whole clips."""

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.spatial.distance import cdist

from asd.arrays import Indices, Matrix, Scores, Spectrogram, Vector
from asd.config.search import Choose, Search
from asd.detectors._density import (
    BLOCKS,
    ROWS_AT_ONCE,
    SPARE,
    euclidean_neighbour_distance,
    neighbour_distance,
    smallest,
    weighted_search,
)
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
    in_threads = True

    @one_thread()
    def _fit(self, train: ClipSet, valid: ClipSet, context: FitContext) -> None:  # noqa: ARG002
        table = train.table(clip_statistics)
        self._learn(table, group_blocks(len(train), BLOCKS, train.groups()))

    def _learn(self, table: Matrix, block_of: Indices) -> None:
        """Learn from statistics of clips, ``(n, 6 * n_mels)``, and their blocks, ``(n,)``.

        The table is written to: a copy more is as much as all that is learned.
        """
        self.scale_ = statistics_scale(table)
        table /= self.scale_
        # Rounded as they are saved, so that a loaded detector scores just the same.
        self.references_ = table.astype(np.float32).astype(np.float64)
        self.density_ = self._density(block_of)
        self._index()

    @one_thread()
    def score(self, clips: ClipSet) -> Scores:
        """Mean distance of each clip to its `k` nearest normal clips, ``(n_clips,)``."""
        described = clips.table(clip_statistics) / self.scale_
        parts = range(0, len(described), ROWS_AT_ONCE)
        nearest = [self._nearest(described[start : start + ROWS_AT_ONCE]) for start in parts]
        return np.asarray(np.concatenate(nearest).mean(axis=1), np.float64)

    def explain(self, clips: ClipSet) -> list[Spectrogram]:
        """How far each band is from the nearest normal clip: ``(n_mels, n_frames_i)`` a clip."""
        described = clips.table(clip_statistics) / self.scale_
        return [self._explain(*pair) for pair in zip(described, clips, strict=True)]

    def _explain(self, described: Vector, spectrogram: Spectrogram) -> Spectrogram:
        nearest = self.references_[self._distances(described[None])[0].argmin()]
        difference = np.abs(described - nearest)
        contributions = difference if self.config.distance == "manhattan" else difference**2
        return spread_over_time(contributions, spectrogram, nearest * self.scale_)

    def _nearest(self, described: Matrix) -> Matrix:
        """Distances of clips, ``(n, 6 * n_mels)``, to the nearest normal ones, ``(n, k)``."""
        count = min(self.config.k, len(self.references_))
        near = count + SPARE
        if self.config.distance == "manhattan" or near >= len(self.references_):
            apart = self._distances(described)
        else:
            # Single precision finds the nearest; their distances are computed anew.
            x = described - self._centre
            wide = np.column_stack([x, (x**2).sum(axis=1), np.ones(len(x))])
            places = smallest(wide.astype(np.float32) @ self._search, near)
            apart = np.linalg.norm(described[:, None] - self.references_[places], axis=2)
            apart = apart / self.density_[places]
        return np.sort(np.partition(apart, count - 1, axis=1)[:, :count])

    def _distances(self, described: Matrix) -> Matrix:
        distances = cdist(described, self.references_, _METRICS[self.config.distance])
        return np.asarray(distances / self.density_, np.float64)

    def _density(self, block_of: Indices) -> Vector:
        count, references = self.config.density_k, self.references_
        if count == 0 or self.config.density == 0:
            return np.ones(len(references))
        if self.config.distance == "euclidean":
            near_0 = references - references.mean(axis=0)
            density = euclidean_neighbour_distance(near_0, block_of, near_0, block_of, count)
        else:
            density = neighbour_distance(
                lambda rows: np.asarray(cdist(references[rows], references, "cityblock")),
                block_of,
                block_of,
                count,
            )
        return np.asarray(density**self.config.density, np.float64)

    def _index(self) -> None:
        self._centre = self.references_.mean(axis=0)
        self._search = weighted_search(self.references_ - self._centre, self.density_)

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
        self._index()
