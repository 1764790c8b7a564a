"""Mahalanobis distance of short patches of log-mel spectrograms."""

from typing import Annotated

import numpy as np
from pydantic import Field

from asd.arrays import Scores, Spectrogram
from asd.config.search import Choose, Search
from asd.detectors._of_patches import OfPatches, PatchesConfig, scale_of
from asd.detectors.base import FitContext
from asd.features.clipset import ClipSet
from asd.threads import one_thread

_NOISE = 0.01
"""Added to each variance, relative to the typical one: patches that overlap tell less of the
smallest than their number says."""


class GaussianConfig(PatchesConfig):
    """Configuration of `Gaussian`."""

    frames: Annotated[int, Choose(4, 8, 16, 32)] = Field(16, ge=1)
    """Frames of a patch; they overlap by half."""
    components: Annotated[int, Search(16, 256, log=True)] = Field(128, ge=1)
    """Principal components in which distances are measured; what lies outside them tells one unit
    of a machine from another rather than a fault."""


class Gaussian(OfPatches[GaussianConfig]):
    """Distance of a clip's patches from the mean normal patch, in the directions' own spreads.

    One Gaussian for the patches of all times, where T. Defard et al., "PaDiM: a Patch Distribution
    Modeling Framework for Anomaly Detection and Localization", ICPR 2021, has one for each place
    of an image: a machine may do anything at any time. What varies much between normal clips, as
    the lean of their spectra does, counts for little.

    Attributes
    ----------
    mean_ : ndarray of shape (2 * n_mels,)
        Mean of the statistics of normal patches.
    projection_ : ndarray of shape (2 * n_mels, n_components)
        From statistics to principal components, each in units of its own spread.
    back_ : ndarray of shape (n_components, 2 * n_mels)
        From principal components to scaled statistics.
    """

    name = "gaussian"
    Config = GaussianConfig

    @one_thread()
    def _fit(self, train: ClipSet, valid: ClipSet, context: FitContext) -> None:  # noqa: ARG002
        patches, _ = self._sample(train)
        self.mean_ = patches.mean(axis=0)
        patches -= self.mean_
        covariance = patches.T @ patches / len(patches)
        scale = scale_of(covariance.diagonal())
        variances, directions = np.linalg.eigh(covariance / np.outer(scale, scale))
        variances += _NOISE * (variances.mean() or 1.0)
        kept = slice(None, -1 - self.config.components, -1)
        self.back_ = directions[:, kept].T
        self.projection_ = self.back_.T / np.sqrt(variances[kept]) / scale[:, None]

    @one_thread()
    def score(self, clips: ClipSet) -> Scores:
        """Root mean square over a clip's patches of their Mahalanobis distance, ``(n_clips,)``."""
        squares = [(self._project(clip) ** 2).sum(axis=1).mean() for clip in clips]
        return np.sqrt(np.array(squares, dtype=np.float64))

    def explain(self, clips: ClipSet) -> list[Spectrogram]:
        """Share of each band in the squared distance: ``(n_mels, n_frames_i)`` a clip."""
        return [self._spread(self._by_band(self._project(clip)), clip) for clip in clips]
