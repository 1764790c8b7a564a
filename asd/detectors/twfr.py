"""Log-mel spectra pooled over time with more or less weight on their loudest moments."""

from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import softmax
from sklearn.cluster import KMeans
from sklearn.covariance import ledoit_wolf

from asd.arrays import Indices, Matrix, Scores, Spectrogram
from asd.config.search import Search
from asd.detectors._fusion import centre_and_spread, folds, fuse, standardise
from asd.detectors.base import Detector, DetectorConfig, FitContext
from asd.features.clipset import ClipSet
from asd.threads import one_thread

_DECAYS = (1.0, 0.99, 0.9, 0.5, 0.0)
"""From the mean over time (1) to its maximum (0)."""
_LEAST_VARIANCE = 1e-6
"""In squared dB: keeps distances finite where training clips are alike."""


class TwfrConfig(DetectorConfig):
    """Configuration of `Twfr`."""

    components: Annotated[int, Search(1, 8)] = Field(1, ge=1)
    """Gaussians of each mixture, for machines with so many operating states."""


class Twfr(Detector[TwfrConfig]):
    """Distance of spectra, pooled with rank weights, from the nearest Gaussian of a mixture.

    The time-weighted frequency-domain representation of J. Guan et al., "Time-Weighted Frequency
    Domain Audio Representation with GMM Estimator for Anomalous Sound Detection", ICASSP 2023. The
    authors choose the decay r by labelled anomalies; here mixtures for several r are put on one
    scale by held-out normal clips and fused. The Gaussians share a covariance shrunk as by
    Ledoit and Wolf (2004), because there may be fewer clips than mel bands.

    Attributes
    ----------
    means_ : ndarray of shape (n_decays, n_components, n_mels)
        Centres of the Gaussians.
    whitening_ : ndarray of shape (n_decays, n_mels, n_mels)
        Inverse square root of each shared covariance.
    centre_, spread_ : ndarray of shape (n_decays,)
        Mean and standard deviation of held-out distances.
    """

    name = "twfr"
    Config = TwfrConfig
    min_clips: ClassVar[int] = 8

    def _fit(self, train: ClipSet, valid: ClipSet, context: FitContext) -> None:  # noqa: ARG002
        pooled = np.stack([self._pool(clip) for clip in train], axis=1)
        mixtures = [self._mixture(table) for table in pooled]
        self.means_, self.whitening_ = (np.stack(parts) for parts in zip(*mixtures, strict=True))
        scales = [centre_and_spread(self._held_out(table, train.groups())) for table in pooled]
        self.centre_, self.spread_ = np.array(scales).T

    @one_thread()
    def score(self, clips: ClipSet) -> Scores:
        """How much farther off than held-out normal clips, on a scale that decays share.

        Around 0 for normal clips, in standard deviations of logarithms, ``(n_clips,)``.
        """
        return np.array([fuse(self._standardised(clip))[0] for clip in clips], dtype=np.float64)

    def explain(self, clips: ClipSet) -> list[Spectrogram]:
        """Squared whitened deviation of each band, where the clip is far from what is usual."""
        return [self._explain(clip) for clip in clips]

    def _explain(self, spectrogram: Spectrogram) -> Spectrogram:
        say = softmax(self._standardised(spectrogram)[:, 0])
        values = spectrogram.astype(np.float64)
        rows, expected = np.zeros(len(values)), np.zeros(len(values))
        for weight, means, whitening, pooled in zip(
            say, self.means_, self.whitening_, self._pool(spectrogram), strict=True
        ):
            deviations = (pooled - means) @ whitening
            nearest = (deviations**2).sum(axis=1).argmin()
            rows += weight * deviations[nearest] ** 2
            expected += weight * means[nearest]
        away = np.abs(values - expected[:, None])
        typical = away.mean(axis=1, keepdims=True)
        shares = np.divide(away, typical, out=np.ones_like(away), where=typical > 0)
        return np.asarray(rows[:, None] * shares, dtype=np.float32)

    def _pool(self, spectrogram: Spectrogram) -> Matrix:
        """Spectra pooled with each decay, ``(n_decays, n_mels)``."""
        loudest_first = np.sort(spectrogram.astype(np.float64), axis=1)[:, ::-1]
        weights = np.power.outer(np.array(_DECAYS), np.arange(loudest_first.shape[1]))
        weights /= weights.sum(axis=1, keepdims=True)
        pooled: Matrix = weights @ loudest_first.T
        return pooled

    def _mixture(self, table: Matrix) -> tuple[Matrix, Matrix]:
        """Centres and whitening of spectra ``(n_clips, n_mels)``."""
        count = min(self.config.components, len(np.unique(table, axis=0)))
        clusters = KMeans(count, n_init=4, random_state=self.seed).fit(table)
        # As many centres for each decay, so that they fit into one array.
        means = clusters.cluster_centers_[np.arange(self.config.components) % count]
        covariance, _ = ledoit_wolf(table - means[clusters.labels_], assume_centered=True)
        variances, directions = np.linalg.eigh(covariance)
        scales = 1 / np.sqrt(np.maximum(variances, _LEAST_VARIANCE))
        return means, (directions * scales) @ directions.T

    def _held_out(self, table: Matrix, groups: Indices) -> Scores:
        distances = np.empty(len(table))
        for outside, inside in folds(groups):
            distances[inside] = _nearest(table[inside], *self._mixture(table[outside]))
        return distances

    def _standardised(self, spectrogram: Spectrogram) -> Matrix:
        """Standardised distance for each decay, ``(n_decays, 1)``."""
        pooled = self._pool(spectrogram)[:, None]
        parts = zip(pooled, self.means_, self.whitening_, strict=True)
        distances = np.stack([_nearest(table, means, white) for table, means, white in parts])
        return standardise(distances, self.centre_, self.spread_)

    def _state(self) -> dict[str, NDArray[Any]]:
        return {
            "means": self.means_,
            "whitening": self.whitening_,
            "centre": self.centre_,
            "spread": self.spread_,
        }

    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        self.means_, self.whitening_ = state["means"], state["whitening"]
        self.centre_, self.spread_ = state["centre"], state["spread"]


def _nearest(table: Matrix, means: Matrix, whitening: Matrix) -> Scores:
    """Mahalanobis distance of each spectrum to the nearest centre, ``(n_clips,)``."""
    deviations = (table[:, None] - means) @ whitening
    distances: Scores = np.linalg.norm(deviations, axis=2).min(axis=1)
    return distances
