"""Mahalanobis distance of log-mel statistics, with a covariance that few clips suffice for."""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from asd.arrays import Matrix, Scores, Spectrogram, Vector
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
        from sklearn.covariance import ledoit_wolf_shrinkage

        table = train.table(clip_statistics)
        self.mean_ = table.mean(axis=0)
        self.scale_ = statistics_scale(table)
        scaled = (table - self.mean_) / self.scale_
        shrinkage = ledoit_wolf_shrinkage(scaled, assume_centered=True)
        variances, directions = _principal(scaled)
        sphere = shrinkage * variances.sum() / scaled.shape[1]
        variances *= 1 - shrinkage
        measured = self._measured(variances)
        axes = directions[:measured]
        self.whitening_ = (axes.T * _units(variances[:measured] + sphere)) @ axes
        if measured is None and len(axes) < scaled.shape[1]:
            beside = np.eye(scaled.shape[1]) - axes.T @ axes
            self.whitening_ += _units(sphere) * beside

    def _measured(self, variances: Vector) -> int | None:
        """How many directions, from the widest on, are measured in; None for all there are."""
        held = np.cumsum(variances)
        if self.config.variance == 1 or held[-1] <= 0:
            return None
        return 1 + int(np.searchsorted(held, self.config.variance * held[-1]))

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


def _principal(table: Matrix) -> tuple[Vector, Matrix]:
    """Variance in each principal direction of centred rows, widest first, and the directions.

    Those without any variance, of which there are many where rows are few, are left out then.

    Parameters
    ----------
    table : ndarray of shape (n, d)

    Returns
    -------
    variances : ndarray of shape (k,)
        In squared units of the table.
    directions : ndarray of shape (k, d)
        Of length 1.
    """
    n_rows, n_columns = table.shape
    if 2 * n_rows < n_columns:  # beyond that, the other way takes less time
        _, spreads, directions = np.linalg.svd(table, full_matrices=False)
        return spreads**2 / n_rows, directions
    variances, directions = np.linalg.eigh(table.T @ table / n_rows)
    return variances[::-1].copy(), directions.T[::-1]


def _units(variances: Any) -> Any:
    """What makes each spread 1."""
    return 1 / np.sqrt(np.maximum(variances, _LEAST_VARIANCE))
