"""One-Class SVM with an RBF kernel, exact or in time linear in the number of clips."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.decomposition import IncrementalPCA
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import SGDOneClassSVM
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from asd.arrays import Scores, Spectrogram, Vector
from asd.config.search import Search
from asd.detectors._flat import median_length, overlay, window_frames
from asd.detectors._statistics import clip_statistics, spread_over_time
from asd.detectors.base import Detector, DetectorConfig, FitContext
from asd.features.clipset import ClipSet
from asd.threads import one_thread

_EXACT_CLIPS = 4000
"""Most clips for which `auto` takes the exact SVM, whose time and memory grow with the square."""
_LANDMARKS = 512
"""Clips that stand for all others in the linear variant."""
_BLOCK_CLIPS = 512
"""Clips whose vectors are in memory at once; at most this many make the PCA exact."""


class OcsvmConfig(DetectorConfig):
    """Configuration of `Ocsvm`."""

    vector: Literal["statistics", "flat"] = "statistics"
    """What the SVM sees of a clip: `statistics` of each mel band over time, or `flat`, every
    value of the spectrogram, as the original scripts did."""
    components: Annotated[int, Search(5, 100)] = Field(100, ge=1, le=256)
    """Principal components kept; one less than the number of clips where those are few."""
    nu: Annotated[float, Search(0.01, 0.5, log=True)] = Field(0.1, gt=0, le=1)
    """Upper bound on the share of training clips outside the boundary."""
    gamma: float = Field(0.0, ge=0)
    """Of the kernel exp(-gamma d²); 0 for 1 / (components x variance)."""
    variant: Literal["auto", "exact", "linear"] = "auto"
    """`exact`, or `linear` in the number of clips; `auto` is exact up to 4,000 clips."""


class Ocsvm(Detector[OcsvmConfig]):
    """Distance of a clip from the boundary around normal clips; above 0 is outside.

    Vectors are standardised and projected on their principal components. `exact` is the SVM of
    B. Schölkopf et al., "Estimating the support of a high-dimensional distribution", Neural
    Computation 13 (2001). `linear` replaces the kernel by Nyström's approximation with 512
    landmarks, and solves by stochastic gradient descent. Both come out as one weighted sum of
    kernels, ``offset - sum_j weight_j exp(-gamma |x - center_j|²)``, which is all that is kept.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_dims,)
        Of the vectors, before projection.
    shift_, components_ : ndarrays of shape (n_dims,) and (n_components, n_dims)
        Of the projection.
    centers_, weights_ : ndarrays of shape (n_centers, n_components) and (n_centers,)
        Support vectors or landmarks.
    offset_, gamma_ : float
        Of the sum and its kernel.
    n_frames_ : int
        Frames of a `flat` vector, the median of the training clips. Shorter clips are repeated;
        longer ones are cut into windows, whose scores are averaged.
    n_mels_ : int
        Mel bands trained on.
    """

    name = "ocsvm"
    Config = OcsvmConfig

    def _fit(self, train: ClipSet, valid: ClipSet, context: FitContext) -> None:  # noqa: ARG002
        self.n_mels_ = len(train[0])
        self.n_frames_ = median_length(train)
        scaler = StandardScaler()
        for block in self._blocks(train):
            scaler.partial_fit(block)
        self.mean_, self.scale_ = scaler.mean_, scaler.scale_
        least = len(train) // len(_split(len(train)))
        n_components = min(self.config.components, len(self.mean_), max(1, least - 1))
        pca = IncrementalPCA(n_components)
        for block in self._blocks(train):
            pca.partial_fit((block - self.mean_) / self.scale_)
        # In the order of a saved array, so that a loaded detector scores just the same.
        self.shift_, self.components_ = pca.mean_, np.ascontiguousarray(pca.components_)
        points = np.concatenate([self._project(block) for block in self._blocks(train)])
        spread = float(points.var()) * n_components
        self.gamma_ = self.config.gamma or (1.0 / spread if spread > 0 else 1.0)
        linear = self.config.variant == "linear" or (
            self.config.variant == "auto" and len(train) > _EXACT_CLIPS
        )
        self.centers_, self.weights_, self.offset_ = (
            _linear(points, self.config.nu, self.gamma_, self.seed)
            if linear
            else _exact(points, self.config.nu, self.gamma_)
        )

    @one_thread()
    def score(self, clips: ClipSet) -> Scores:
        """How far outside the boundary each clip is, ``(n_clips,)``."""
        return np.array([self._score(spectrogram) for spectrogram in clips], dtype=np.float64)

    def _score(self, spectrogram: Spectrogram) -> float:
        # One vector at a time: sums of floats depend on what else is in a product.
        points = (self._project(vector) for vector in self._vectors(spectrogram))
        sums = [self.weights_ @ np.exp(-self.gamma_ * self._squares(point)) for point in points]
        return float(self.offset_ - np.mean(sums))

    def explain(self, clips: ClipSet) -> list[Spectrogram]:
        """What pushes each clip out: ``(n_mels, n_frames_i)`` a clip, not negative.

        The gradient of the score times the deviation from the mean normal clip, in each
        dimension, where that is positive. Maps are comparable within a clip only.
        """
        return [self._explain(spectrogram) for spectrogram in clips]

    def _explain(self, spectrogram: Spectrogram) -> Spectrogram:
        contributions = [self._contributions(vector) for vector in self._vectors(spectrogram)]
        if self.config.vector == "statistics":
            return spread_over_time(contributions[0], spectrogram, self.mean_)
        maps = np.stack(contributions).reshape(len(contributions), self.n_mels_, -1)
        return overlay(maps, spectrogram.shape[1])

    def _contributions(self, vector: Vector) -> Vector:
        point = self._project(vector)
        exponents = -self.gamma_ * self._squares(point)
        # Far outside, all kernels vanish; relative to the nearest their gradient keeps its course.
        pulls = self.weights_ * np.exp(exponents - exponents.max())
        gradient = 2 * self.gamma_ * pulls @ (point - self.centers_)
        deviation = (vector - self.mean_) / self.scale_
        contributions: Vector = np.maximum((gradient @ self.components_) * deviation, 0.0)
        return contributions

    def _squares(self, point: Vector) -> Vector:
        """Squared distance from each center, ``(n_centers,)``."""
        squares: Vector = np.square(self.centers_ - point).sum(axis=1)
        return squares

    def _project(self, vectors: Vector) -> Vector:
        standard = (vectors - self.mean_) / self.scale_
        projected: Vector = (standard - self.shift_) @ self.components_.T
        return projected

    def _vectors(self, spectrogram: Spectrogram) -> Vector:
        """What stands for a clip, ``(n_windows, n_dims)``; statistics need one window."""
        self._check_bands(self.n_mels_, len(spectrogram))
        if self.config.vector == "statistics":
            return clip_statistics(spectrogram)[None]
        frames = window_frames(spectrogram.shape[1], self.n_frames_)
        windows = spectrogram[:, frames].transpose(1, 0, 2).astype(np.float64)
        return windows.reshape(len(frames), -1)

    def _blocks(self, clips: ClipSet) -> Iterator[Vector]:
        """First windows of the training clips, ``(n, n_dims)``, a bounded number at a time."""
        for indices in _split(len(clips)):
            yield np.stack([self._vectors(clips[index])[0] for index in indices])

    def _state(self) -> dict[str, NDArray[Any]]:
        return {
            "mean": self.mean_,
            "scale": self.scale_,
            "shift": self.shift_,
            "components": self.components_,
            "centers": self.centers_,
            "weights": self.weights_,
            "offset_gamma": np.array([self.offset_, self.gamma_]),
            "shape": np.array([self.n_mels_, self.n_frames_]),
        }

    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        self.mean_, self.scale_ = state["mean"], state["scale"]
        self.shift_, self.components_ = state["shift"], state["components"]
        self.centers_, self.weights_ = state["centers"], state["weights"]
        self.offset_, self.gamma_ = (float(value) for value in state["offset_gamma"])
        self.n_mels_, self.n_frames_ = (int(value) for value in state["shape"])


def _split(n_clips: int) -> list[list[int]]:
    """Indices of the clips in blocks of nearly equal size."""
    n_blocks = -(-n_clips // _BLOCK_CLIPS)
    return [block.tolist() for block in np.array_split(np.arange(n_clips), n_blocks)]


def _exact(points: Vector, nu: float, gamma: float) -> tuple[Vector, Vector, float]:
    """Centers, weights and offset of the SVM; scikit-learn's decision function, negated."""
    svm = OneClassSVM(kernel="rbf", nu=nu, gamma=gamma).fit(points)
    return svm.support_vectors_, svm.dual_coef_[0], float(svm.offset_[0])


def _linear(points: Vector, nu: float, gamma: float, seed: int) -> tuple[Vector, Vector, float]:
    """The same from Nyström features: a linear function of them is one of the kernels."""
    n_landmarks = min(_LANDMARKS, len(points))
    nystroem = Nystroem(gamma=gamma, n_components=n_landmarks, random_state=seed).fit(points)
    svm = SGDOneClassSVM(nu=nu, random_state=seed).fit(nystroem.transform(points))
    weights: Vector = nystroem.normalization_.T @ svm.coef_
    return nystroem.components_, weights, float(svm.offset_[0])
