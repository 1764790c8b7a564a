"""Mahalanobis distance of log-mel statistics, with a covariance that few clips suffice for."""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from asd.arrays import Scores, Spectrogram, Vector
from asd.config.search import Search
from asd.detectors._statistics import (
    clip_statistics,
    spread_over_time,
    statistics_scale,
)
from asd.detectors.base import Detector, DetectorConfig, FitContext
from asd.features.clipset import ClipSet
from asd.threads import one_thread

_LEAST_VARIANCE = 1e-6
"""In squared units of the statistics: keeps distances finite where training clips are alike."""


class MahalanobisConfig(DetectorConfig):
    """Configuration of `Mahalanobis`."""

    variance: Annotated[float, Search(0.95, 1.0)] = Field(1.0, gt=0, le=1)
    """Share of the variance of normal clips that the directions in which distances are measured
    hold, the widest first; 1 for all directions. The last hundredths tell one unit of a machine
    from another rather than a fault."""


class Mahalanobis(Detector[MahalanobisConfig]):
    """Distance of a clip from the mean normal clip, in the directions' own spreads.

    There are many more statistics than clips, so the covariance is shrunk towards a sphere as in
    O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance
    matrices", Journal of Multivariate Analysis 88 (2004).

    Attributes
    ----------
    mean_ : ndarray of shape (6 * n_mels,)
        Statistics of the mean normal clip.
    scale_ : ndarray of shape (6 * n_mels,)
        Units of the statistics.
    whitening_ : ndarray of shape (6 * n_mels, 6 * n_mels)
        Inverse square root of the covariance in the directions that are measured in, symmetric.
    """

    name = "mahalanobis"
    Config = MahalanobisConfig
    in_threads = True

    @one_thread()
    def _fit(self, train: ClipSet, valid: ClipSet, context: FitContext) -> None:  # noqa: ARG002
        # Only learning needs it, and loading it takes longer than judging many clips.
        from sklearn.covariance import ledoit_wolf

        table = train.table(clip_statistics)
        self.mean_ = table.mean(axis=0)
        self.scale_ = statistics_scale(table)
        scaled = (table - self.mean_) / self.scale_
        covariance, shrinkage = ledoit_wolf(scaled, assume_centered=True)
        variances, directions = np.linalg.eigh(covariance)
        first = self._first(variances - shrinkage * variances.mean())
        directions = directions[:, first:]
        spreads = np.sqrt(np.maximum(variances[first:], _LEAST_VARIANCE))
        self.whitening_ = (directions / spreads) @ directions.T

    def _first(self, unshrunk: Vector) -> int:
        """The first of the directions, from the narrowest to the widest, that is measured in."""
        held = np.cumsum(unshrunk[::-1])
        if self.config.variance == 1 or held[-1] <= 0:
            return 0
        enough = int(np.searchsorted(held, self.config.variance * held[-1]))
        return max(0, len(held) - 1 - enough)

    @one_thread()
    def score(self, clips: ClipSet) -> Scores:
        """Mahalanobis distance of each clip, ``(n_clips,)``."""
        distances = [np.linalg.norm(self._deviation(row)) for row in clips.table(clip_statistics)]
        return np.array(distances, dtype=np.float64)

    def explain(self, clips: ClipSet) -> list[Spectrogram]:
        """Share of each band in the squared distance: ``(n_mels, n_frames_i)`` a clip."""
        described = clips.table(clip_statistics)
        return [
            spread_over_time(self._deviation(row) ** 2, clip, self.mean_)
            for row, clip in zip(described, clips, strict=True)
        ]

    def _deviation(self, described: Vector) -> Vector:
        """Whitened, and as close to the statistics themselves as whitening allows."""
        deviation: Vector = self.whitening_ @ ((described - self.mean_) / self.scale_)
        return deviation

    def _state(self) -> dict[str, NDArray[Any]]:
        return {"mean": self.mean_, "scale": self.scale_, "whitening": self.whitening_}

    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        self.mean_ = state["mean"]
        self.scale_ = state["scale"]
        self.whitening_ = state["whitening"]
