"""The spectrum on a linear scale: rows of equal width in Hz.

Mel bands grow wider with frequency, and what lies close together high up, such as the side bands
of a gear or the whistle of a leak, falls into one of them. Here each row is as wide as the next.
"""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from asd.arrays import Samples, Spectrogram
from asd.config.features import FramedConfig
from asd.config.search import Choose
from asd.features._stft import PowerSpectrum
from asd.features.base import Axes, FrontEnd, level_in_db
from asd.features.logmel import power_level
from asd.language import tr
from asd.threads import one_thread

_FLOOR = 1e-10
"""Power below which decibels are not told apart: -100 dB."""


def _n_bins(given: dict[str, Any]) -> int:
    return min(128, int(given.get("n_fft", 1024)) // 4)


class SpectrumConfig(FramedConfig):
    """How a waveform becomes a spectrum of rows of equal width."""

    n_bins: Annotated[int, Choose(64, 128, 256)] = Field(default_factory=_n_bins, ge=2, le=2048)
    """Number of rows; 128 at 8 kHz and above."""
    level: Annotated[Literal["power", "none"], Choose("power", "none")] = "power"
    """`power` subtracts the clip's level, the median over frames of their power in dB, so that
    recording gain is ignored; `none` keeps it, for recorders whose gain never changes."""

    @model_validator(mode="after")
    def _a_bin_a_row(self) -> "SpectrumConfig":
        most = self.n_fft // 2
        if self.n_bins > most:
            raise ValueError(
                tr(
                    "n_bins={n_bins} must be at most half of n_fft ({most})",
                    n_bins=self.n_bins,
                    most=most,
                )
            )
        return self


class Spectrum(FrontEnd[SpectrumConfig]):
    """Magnitude spectra of frames in decibels, averaged to `n_bins` rows from 0 Hz up.

    A row is ``10 log10`` of the mean squared magnitude of its bins, re 1, with a floor of -100 dB.
    Bins are dealt out to rows as evenly as whole numbers allow. The bin of 0 Hz is left out: it
    tells of the recorder's offset and not of the machine.

    Parameters
    ----------
    config : SpectrumConfig
        What to compute.
    """

    name = "spectrum"
    Config = SpectrumConfig

    def __init__(self, config: SpectrumConfig) -> None:
        super().__init__(config)
        self._power = PowerSpectrum(config.n_fft, config.hop_length)
        edges = np.linspace(0, config.n_fft // 2, config.n_bins + 1)
        self._edges = edges.round().astype(np.intp)

    def axes(self) -> Axes:
        """Rows in Hz, frames in seconds, levels in dB."""
        bin_hz = self.config.sample_rate / self.config.n_fft
        # The bins of a row are first + 1 to last, since that of 0 Hz is left out.
        centres = bin_hz * (self._edges[:-1] + self._edges[1:] + 1) / 2
        step = self.config.hop_length / self.config.sample_rate
        return Axes(centres, "Hz", step, level_in_db(self.config.level == "power"))

    def level(self, values: Spectrogram) -> float:
        """The clip's level in dB; 0 where it is not taken off."""
        return power_level(values) if self.config.level == "power" else 0.0

    @one_thread(load_torch=True)
    def __call__(self, samples: Samples) -> Spectrogram:
        """Spectra of one clip, ``(n_bins, n_frames)`` float32, in dB.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,)
            Finite samples at the configured rate, full scale ±1, at least one.
        """
        power = self._power(samples).numpy()[:, 1:]
        sums = np.add.reduceat(power, self._edges[:-1], axis=1, dtype=np.float64)
        means = (sums / np.diff(self._edges)).T
        values = np.asarray(10 * np.log10(np.maximum(means, _FLOOR)), dtype=np.float32)
        values -= np.float32(self.level(values))
        return np.ascontiguousarray(values)
