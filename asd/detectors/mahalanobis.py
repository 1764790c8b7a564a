"""Mahalanobis distance of log-mel statistics, with a covariance that few clips suffice for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

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

_LEAST_VARIANCE = 1e-6
"""In squared units of the statistics: keeps distances finite where training clips are alike."""


class MahalanobisConfig(DetectorConfig):
    """Configuration of `Mahalanobis`."""

    level: Level = "normalised"
    """`normalised` ignores the gain of the recording; `kept` makes loudness count, for recorders
    whose gain never changes."""


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
        Inverse square root of the covariance, symmetric.
    """

    name = "mahalanobis"
    Config = MahalanobisConfig

    def _fit(self, train: Features, valid: Features, on_epoch: EpochCallback) -> None:  # noqa: ARG002
        table = statistics_table(train, self.config.level)
        self.mean_ = table.mean(axis=0)
        self.scale_ = statistics_scale(table)
        covariance, _ = ledoit_wolf((table - self.mean_) / self.scale_, assume_centered=True)
        variances, directions = np.linalg.eigh(covariance)
        variances = np.maximum(variances, _LEAST_VARIANCE)
        self.whitening_ = (directions / np.sqrt(variances)) @ directions.T

    @one_thread()
    def score(self, features: Features) -> Scores:
        """Mahalanobis distance of each clip, ``(n_clips,)``."""
        distances = [np.linalg.norm(self._deviation(spectrogram)) for spectrogram in features]
        return np.array(distances, dtype=np.float64)

    def explain(self, features: Features) -> list[FloatArray]:
        """Share of each band in the squared distance: ``(n_mels, n_frames_i)`` a clip."""
        level = self.config.level
        return [spread_over_time(self._deviation(s) ** 2, s, level, self.mean_) for s in features]

    def _deviation(self, spectrogram: FloatArray) -> Vector:
        """Whitened, and as close to the statistics themselves as whitening allows."""
        described = clip_statistics(spectrogram, self.config.level)
        deviation: Vector = self.whitening_ @ ((described - self.mean_) / self.scale_)
        return deviation

    def _state(self) -> dict[str, NDArray[Any]]:
        return {"mean": self.mean_, "scale": self.scale_, "whitening": self.whitening_}

    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        self.mean_ = state["mean"]
        self.scale_ = state["scale"]
        self.whitening_ = state["whitening"]
