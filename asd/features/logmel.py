"""The log-mel front end: one implementation for training, evaluation and serving."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asd.arrays import Samples, Spectrogram
from asd.config import LogMelConfig
from asd.features._levels import power
from asd.features._mel import mel_filters, mel_frequencies
from asd.features._stft import PowerSpectrum
from asd.features.base import Axes, FrontEnd, level_in_db
from asd.language import tr
from asd.threads import one_thread

if TYPE_CHECKING:
    import torch

_FLOOR = 1e-10
"""Power below which decibels are not told apart, `amin` in librosa: -100 dB."""
_RANGE_DB = 80.0
"""Range that `clip_max` scaling keeps below the maximum of a clip."""
_BLOCK_BANDS = 16
"""Mel bands multiplied at once: neighbours share their few non-zero bins."""

_TARGET_RMS = 0.1
"""Level to which ``level="rms"`` brings a clip: -20 dB re full scale."""
_LEAST_RMS = 1e-4
"""Clips quieter than this, -80 dB re full scale, are amplified no further: silence stays silent."""


class LogMel(FrontEnd[LogMelConfig]):
    """Log-mel spectrograms of clips.

    With ``scaling="db"`` and ``level="none"`` the values are
    ``librosa.power_to_db(librosa.feature.melspectrogram(...), top_db=None)`` within 1e-3 dB: Hann
    window, centred frames padded with zeros, Slaney's mel scale and area normalisation. The
    transform runs in double precision, as librosa's does: in single precision the quiet bands of a
    band-limited sound are off by tenths of a decibel.

    Where the bands are narrower than the bins of the transform, some bands cover no bin and stay
    at the floor of -100 dB; with the default `n_fft` and `n_mels` there are none.

    Parameters
    ----------
    config : LogMelConfig
        What to compute.
    """

    name = "logmel"
    Config = LogMelConfig
    version = 2

    def __init__(self, config: LogMelConfig) -> None:
        super().__init__(config)
        self._energy = PowerSpectrum(config.n_fft, config.hop_length)

    @cached_property
    def _bands(self) -> "list[tuple[int, int, torch.Tensor]]":
        return _bands(self.config)

    def axes(self) -> Axes:
        """Mel bands in Hz, frames in seconds, levels in dB."""
        step = self.config.hop_length / self.config.sample_rate
        if self.config.scaling == "db":
            value = level_in_db(self.config.level in _LEVELS)
        else:
            value = tr("Level (0 to 1)")
        return Axes(band_centres(self.config), "Hz", step, value, self.config.scaling == "db")

    def level(self, values: Spectrogram) -> float:
        """The clip's level in dB; 0 where it is not taken off what the bands hold."""
        if self.config.scaling != "db" or self.config.level not in _LEVELS:
            return 0.0
        return _LEVELS[self.config.level](values)

    def n_frames(self, n_samples: int) -> int:
        """Number of frames of a clip of `n_samples` samples (at least 1)."""
        return self._energy.n_frames(n_samples)

    @one_thread(load_torch=True)
    def __call__(self, samples: Samples) -> Spectrogram:
        """Log-mel spectrogram of one clip.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,)
            Finite samples at the configured rate, full scale ±1, at least one; clips shorter
            than the window are padded like the edges of any other.

        Returns
        -------
        ndarray of shape (n_mels, n_frames), float32
            Decibels re 1 in [-100, ∞), less the clip's level where that is taken off
            (``scaling="db"``), or [0, 1] (``scaling="clip_max"``).
        """
        import torch

        if self.config.level == "rms":
            samples = samples * level_gain(samples, self.config.hop_length)
        energy = self._energy(samples)
        if self.config.power == 1:
            energy.sqrt_()
        mel = torch.cat([energy[:, lo:hi] @ weights for lo, hi, weights in self._bands], dim=1)
        decibels = mel.T.contiguous().clamp_(min=_FLOOR).log10_().mul_(10.0)
        if self.config.scaling == "clip_max":
            decibels.sub_(decibels.max()).clamp_(min=-_RANGE_DB).add_(_RANGE_DB).div_(_RANGE_DB)
        values = np.asarray(decibels.numpy(), dtype=np.float32)
        values -= np.float32(self.level(values))
        return values

    def batch(self, samples: Samples) -> Spectrogram:
        """Log-mel spectrograms of clips of equal length, each just as if it came alone.

        Parameters
        ----------
        samples : ndarray of shape (n_clips, n_samples)
            At least one clip.

        Returns
        -------
        ndarray of shape (n_clips, n_mels, n_frames), float32
        """
        return np.stack([self(clip) for clip in samples])


def band_centres(config: LogMelConfig) -> NDArray[np.float64]:
    """Centre frequency of each mel band in Hz, ``(n_mels,)``, rising."""
    top = config.f_max or config.sample_rate / 2
    return mel_frequencies(config.n_mels + 2, config.f_min, top)[1:-1]


def power_level(decibels: Spectrogram) -> float:
    """Level of a clip in dB: the median over frames of the mean power of their bands.

    Power, not decibels, is what is averaged over bands: a machine that fills a few bands would
    otherwise seem louder when its silent bands are a little less silent, and a fault in a few
    loud bands would turn all others down. The median over frames leaves out clicks, and foreign
    sounds in less than half of the clip.

    Parameters
    ----------
    decibels : ndarray of shape (n_mels, n_frames)
        At least one frame.
    """
    return float(10 * np.log10(np.median(power(decibels).mean(axis=0))))


def decibel_level(decibels: Spectrogram) -> float:
    """Median over frames of the mean of their bands in dB, as earlier releases took it."""
    return float(np.median(decibels.astype(np.float64).mean(axis=0)))


def mean_level(decibels: Spectrogram) -> float:
    """Mean of all values in dB, as earlier releases took it."""
    return float(decibels.mean(dtype=np.float64))


_LEVELS = {"power": power_level, "decibels": decibel_level, "mean": mean_level}


def level_gain(samples: Samples, frame_length: int) -> np.float32:
    """Factor that brings a clip to a level of -20 dB re full scale.

    The level is the median over frames of the root mean square, so that clicks, and foreign
    sounds in less than half of the clip, do not turn the machine itself down.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        At least one sample; full scale ±1.
    frame_length : int
        Samples a frame; frames do not overlap, and a last part frame is left out.

    Returns
    -------
    float32
        In (0, 1000]; clips quieter than -80 dB re full scale are raised by 60 dB and no more.
    """
    length = min(frame_length, len(samples))
    frames = samples[: len(samples) // length * length].reshape(-1, length)
    rms = np.median(np.sqrt(np.square(frames, dtype=np.float64).mean(axis=1)))
    return np.float32(_TARGET_RMS / max(float(rms), _LEAST_RMS))


def _bands(config: LogMelConfig) -> "list[tuple[int, int, torch.Tensor]]":
    """The mel filter bank in groups of bands: first bin, end bin, ``(n_bins, n_bands)`` weights.

    Most weights are zero; multiplying each group with the bins it covers alone is three times as
    fast as with all.
    """
    import torch

    top = config.f_max or config.sample_rate / 2
    bank = mel_filters(config.sample_rate, config.n_fft, config.n_mels, config.f_min, top)
    groups = []
    for first in range(0, config.n_mels, _BLOCK_BANDS):
        weights = bank[first : first + _BLOCK_BANDS].T
        used = np.flatnonzero(weights.any(axis=1))
        lo, hi = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
        groups.append((lo, hi, torch.from_numpy(weights[lo:hi].copy())))
    return groups
