"""Nearest neighbour on log-mel statistics of whole clips."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from asd.detectors._statistics import (
    Level,
    Vector,
    clip_statistics,
    spread_over_time,
    statistics_scale,
    statistics_table,
)
from asd.detectors.base import Detector, DetectorConfig, EpochCallback, Scores
from asd.features.sets import Features, FloatArray
from asd.features.threads import one_thread

_METRICS = {"euclidean": "euclidean", "manhattan": "cityblock"}


class KnnConfig(DetectorConfig):
    """Configuration of `Knn`."""

    k: int = Field(1, ge=1, json_schema_extra={"search": {"low": 1, "high": 16, "log": True}})
    """Neighbours over which the distance is averaged; all where there are fewer."""
    distance: Literal["euclidean", "manhattan"] = Field(
        "euclidean", json_schema_extra={"search": {"choices": ["euclidean", "manhattan"]}}
    )
    """Distance between the statistics of two clips."""
    level: Level = "normalised"
    """`normalised` ignores the gain of the recording; `kept` makes loudness count, for recorders
    whose gain never changes."""
    density_k: int = Field(0, ge=0, json_schema_extra={"search": {"low": 0, "high": 16}})
    """Divide the distance to a training clip by the mean distance of that clip to this many of
    its own neighbours, so that rare operating states are not taken for faults; 0 for not."""


class Knn(Detector[KnnConfig]):
    """Distance of a clip from its nearest normal clips.

    Local-density normalisation follows K. Wilkinghoff et al., "Keeping the Balance: Anomaly Score
    Calculation for Domain Generalization", ICASSP 2025: the distance to each training clip is
    divided by that clip's own mean distance to its nearest neighbours.

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

    def _fit(self, train: Features, valid: Features, on_epoch: EpochCallback) -> None:  # noqa: ARG002
        table = statistics_table(train, self.config.level)
        self.scale_ = statistics_scale(table)
        # Rounded as they are saved, so that a loaded detector scores just the same.
        self.references_ = (table / self.scale_).astype(np.float32).astype(np.float64)
        self.density_ = self._density()

    @one_thread()
    def score(self, features: Features) -> Scores:
        """Mean distance of each clip to its `k` nearest normal clips, ``(n_clips,)``."""
        scores = [np.sort(self._distances(self._describe(s)))[: self.config.k] for s in features]
        return np.array([nearest.mean() for nearest in scores], dtype=np.float64)

    def explain(self, features: Features) -> list[FloatArray]:
        """How far each band is from the nearest normal clip: ``(n_mels, n_frames_i)`` a clip."""
        return [self._explain(spectrogram) for spectrogram in features]

    def _explain(self, spectrogram: FloatArray) -> FloatArray:
        described = self._describe(spectrogram)
        nearest = self.references_[self._distances(described).argmin()]
        difference = np.abs(described - nearest)
        contributions = difference if self.config.distance == "manhattan" else difference**2
        level = self.config.level
        return spread_over_time(contributions, spectrogram, level, nearest * self.scale_)

    def _describe(self, spectrogram: FloatArray) -> Vector:
        return clip_statistics(spectrogram, self.config.level) / self.scale_

    def _distances(self, described: Vector) -> Vector:
        metric = _METRICS[self.config.distance]
        distances: Vector = cdist(described[None], self.references_, metric)[0]
        return distances / self.density_

    def _density(self) -> Vector:
        n_clips = len(self.references_)
        if self.config.density_k == 0:
            return np.ones(n_clips)
        search = NearestNeighbors(
            n_neighbors=min(self.config.density_k, n_clips - 1),
            metric=_METRICS[self.config.distance],
            algorithm="brute",
        )
        distances, _ = search.fit(self.references_).kneighbors()
        density: Vector = distances.mean(axis=1)
        # Clips that stand in the data twice have no distance; they must not reach infinity.
        typical = float(np.median(density))
        return np.maximum(density, 0.01 * typical) if typical > 0 else np.ones(n_clips)

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
