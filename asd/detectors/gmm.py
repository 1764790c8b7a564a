"""Gaussian mixture on principal components of whole spectrograms."""

import logging
import warnings
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from asd.arrays import Scores, Spectrogram
from asd.config.search import Search
from asd.detectors._flat import median_length, overlay, window_frames
from asd.detectors.base import Detector, DetectorConfig, FitContext
from asd.errors import DetectorError
from asd.features.clipset import ClipSet
from asd.language import tr
from asd.progress import ProgressBar
from asd.threads import one_thread

logger = logging.getLogger(__name__)

Vector = NDArray[np.float64]

_SUBSPACE_CLIPS = 1000
"""Clips from which scaler and principal components are fitted; more change them little, and all
would not fit into memory."""
_CLIPS_AT_ONCE = 32
"""Clips projected together in training: few enough for memory."""
_LEAST_SCALE = 0.1
"""Smallest unit of a value, relative to the typical one: values that hardly varied in training
must not drown all others."""


class GmmConfig(DetectorConfig):
    """Configuration of `Gmm`."""

    pca_components: Annotated[int, Search(8, 128, log=True)] = Field(100, ge=1)
    """Principal components; fewer where there are not enough clips."""
    mixture_components: Annotated[int, Search(1, 10)] = Field(5, ge=1)
    """Gaussians with full covariance; fewer where clips would not suffice for so many."""
    regularisation: Annotated[float, Search(1e-06, 1.0, log=True)] = Field(0.01, ge=0)
    """Added to the diagonal of each covariance, in variances of the last principal component."""
    clips_per_direction: int = Field(4, ge=0)
    """Training clips needed for each principal component, and in each Gaussian for each of its
    dimensions; 0 for as many components and Gaussians as can be computed at all, as the original
    scripts did."""
    residual: bool = True
    """Score also what the principal components leave out; the original scripts did not."""


class Gmm(Detector[GmmConfig]):
    """Negative log likelihood under a mixture of Gaussians.

    Each value of the spectrogram is standardised and the whole is projected on principal
    components. With ``residual=true`` the rest is Gaussian noise of equal variance in all other
    directions, as in probabilistic principal component analysis (M. Tipping and C. Bishop,
    Journal of the Royal Statistical Society B 61, 1999, equation 9), and the score is in nats a
    spectrogram value; otherwise the score is that of the projection alone, in nats.

    Spectrograms have the median length of the training clips. Shorter clips are repeated up to
    it; longer ones are cut into windows, the last flush with the end, whose scores are averaged.

    Attributes
    ----------
    n_frames_ : int
        Length of a window.
    mean_, scale_ : ndarray of shape (n_mels * n_frames_,)
        What standardises each value.
    basis_ : ndarray of shape (n_mels * n_frames_, n_directions)
        Principal components, orthonormal columns.
    noise_ : float
        Variance of the residual in each direction.
    weights_, means_, whitening_ : ndarray of shape (k,), (k, n), (k, n, n)
        The mixture; `whitening_` holds upper Cholesky factors of the inverse covariances.
    """

    name = "gmm"
    Config = GmmConfig
    min_clips = 4

    def _fit(self, train: ClipSet, valid: ClipSet, context: FitContext) -> None:  # noqa: ARG002
        self.n_frames_ = median_length(train)
        self._fit_subspace(train)
        starts = range(0, len(train), _CLIPS_AT_ONCE)
        points = []
        for start in ProgressBar(starts, desc=tr("project"), delay=2):
            clips = [
                train[index] for index in range(start, min(start + _CLIPS_AT_ONCE, len(train)))
            ]
            windows = np.concatenate([self._windows(clip) for clip in clips])
            points.append((windows - self.mean_) / self.scale_ @ self.basis_)
        self._fit_mixture(np.concatenate(points).astype(np.float64), len(train))

    @one_thread()
    def score(self, clips: ClipSet) -> Scores:
        """Mean negative log likelihood of each clip's windows, ``(n_clips,)``."""
        return np.array([self._score(spectrogram) for spectrogram in clips], dtype=np.float64)

    def explain(self, clips: ClipSet) -> list[Spectrogram]:
        """Squared deviation from the nearest Gaussian's centre, ``(n_mels, n_frames_i)`` a clip.

        The deviation is whitened and carried back through the principal components; with
        ``residual=true`` the squared residual, in units of its variance, is added.
        """
        return [self._explain(spectrogram) for spectrogram in clips]

    def _fit_subspace(self, train: ClipSet) -> None:
        chosen = np.arange(len(train))
        if len(train) > _SUBSPACE_CLIPS:
            rng = np.random.default_rng(self.seed)
            chosen = np.sort(rng.choice(len(train), _SUBSPACE_CLIPS, replace=False))
        n_values = len(train[0]) * self.n_frames_
        rows = np.empty((len(chosen), n_values), dtype=np.float32)
        for row, index in zip(rows, chosen.tolist(), strict=True):
            row[:] = self._windows(train[index])[0]
        self.mean_ = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        rows -= self.mean_
        spread = np.sqrt(np.einsum("ij,ij->j", rows, rows, dtype=np.float64) / len(rows))
        typical = np.sqrt(np.square(spread).mean())
        if typical == 0:
            raise DetectorError(tr("model=gmm: all training clips are the same; give it others"))
        self.scale_ = np.maximum(spread, _LEAST_SCALE * typical).astype(np.float32)
        rows /= self.scale_
        self._fit_directions(rows)

    def _fit_directions(self, rows: Spectrogram) -> None:
        """Principal components by way of the inner products: there are fewer rows than values."""
        n_rows, n_values = rows.shape
        variances, vectors = np.linalg.eigh((rows @ rows.T).astype(np.float64) / n_rows)
        variances, vectors = variances[::-1], vectors[:, ::-1]
        needed = self.config.clips_per_direction
        enough = n_rows // needed if needed else n_rows - 1
        most = min(self.config.pca_components, enough, n_values)
        kept = int((variances[:most] > 1e-6 * variances[0]).sum())
        if kept < self.config.pca_components:
            logger.info("model=gmm: %d principal components, as %d clips allow", kept, n_rows)
        weights = vectors[:, :kept] / np.sqrt(n_rows * variances[:kept])
        self.basis_ = (rows.T @ weights.astype(np.float32)).astype(np.float32)
        # The components were chosen to leave little of these very rows; new ones leave more.
        freedom = max(n_rows - 1 - kept, 1) / n_rows
        rest = float(variances[kept:].clip(min=0).sum()) / freedom
        self.noise_ = max(rest / max(n_values - kept, 1), 1e-6)

    def _fit_mixture(self, points: Vector, n_clips: int) -> None:
        n_directions = points.shape[1]
        needed = self.config.clips_per_direction * n_directions
        most = max(1, n_clips // needed) if needed else n_clips
        mixture = GaussianMixture(
            min(self.config.mixture_components, most),
            reg_covar=max(self.config.regularisation, 1e-6) * float(points.var(axis=0).min()),
            max_iter=200,
            random_state=self.seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(points)
        if not mixture.converged_:
            logger.warning("model=gmm: the mixture has not settled; try fewer mixture_components")
        self.weights_: Vector = mixture.weights_
        self.means_: Vector = mixture.means_
        self.whitening_: Vector = mixture.precisions_cholesky_

    def _windows(self, spectrogram: Spectrogram) -> Spectrogram:
        """Flattened windows, ``(n_windows, n_mels * n_frames_)``."""
        frames = window_frames(spectrogram.shape[1], self.n_frames_)
        return spectrogram[:, frames].transpose(1, 0, 2).reshape(len(frames), -1)

    def _project(self, windows: Spectrogram) -> tuple[Vector, Vector]:
        """Coordinates along the principal components, and what is left, of each window."""
        values = (windows - self.mean_) / self.scale_
        # One window at a time: sums of floats depend on what else is in a product.
        points = np.stack([value @ self.basis_ for value in values])
        rest = np.stack([self.basis_ @ point for point in points])
        np.subtract(values, rest, out=rest)
        return points.astype(np.float64), rest.astype(np.float64)

    def _deviations(self, points: Vector) -> Vector:
        """Whitened deviation from each Gaussian's centre, ``(n_windows, k, n_directions)``."""
        away = points[:, None] - self.means_
        deviations: Vector = np.einsum("wki,kij->wkj", away, self.whitening_)
        return deviations

    def _log_densities(self, deviations: Vector) -> Vector:
        """Weighted log density under each Gaussian, ``(n_windows, k)``."""
        log_determinants = np.log(np.diagonal(self.whitening_, axis1=1, axis2=2)).sum(axis=1)
        constant = log_determinants - 0.5 * self.means_.shape[1] * np.log(2 * np.pi)
        densities: Vector = np.log(self.weights_) + constant - 0.5 * (deviations**2).sum(axis=2)
        return densities

    def _score(self, spectrogram: Spectrogram) -> float:
        points, rest = self._project(self._windows(spectrogram))
        scores = -logsumexp(self._log_densities(self._deviations(points)), axis=1)
        if self.config.residual:
            n_values, n_directions = self.basis_.shape
            constant = (n_values - n_directions) * np.log(2 * np.pi * self.noise_)
            scores = scores + 0.5 * ((rest**2).sum(axis=1) / self.noise_ + constant)
            scores /= n_values
        return float(scores.mean())

    def _explain(self, spectrogram: Spectrogram) -> Spectrogram:
        points, rest = self._project(self._windows(spectrogram))
        deviations = self._deviations(points)
        nearest = self._log_densities(deviations).argmax(axis=1)
        carried = deviations[np.arange(len(points)), nearest] @ self.basis_.T
        unusual = carried**2
        if self.config.residual:
            unusual += rest**2 / self.noise_
        return overlay(unusual.reshape(len(unusual), len(spectrogram), -1), spectrogram.shape[1])

    def _state(self) -> dict[str, NDArray[Any]]:
        return {
            "n_frames": np.array(self.n_frames_),
            "mean": self.mean_,
            "scale": self.scale_,
            "basis": self.basis_,
            "noise": np.array(self.noise_),
            "weights": self.weights_,
            "means": self.means_,
            "whitening": self.whitening_,
        }

    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        self.n_frames_ = int(state["n_frames"])
        self.noise_ = float(state["noise"])
        self.mean_, self.scale_ = state["mean"], state["scale"]
        self.basis_ = state["basis"]
        self.weights_, self.means_ = state["weights"], state["means"]
        self.whitening_ = state["whitening"]
