"""The short-time Fourier transform that front ends share."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from asd.arrays import Samples

if TYPE_CHECKING:
    import torch

_BLOCK_SAMPLES = 1 << 16
"""Samples transformed at once: a block of frames and its spectrum stay in the processor's cache."""


class PowerSpectrum:
    """Energy of the bins of frames: Hann window, frames centred and padded with zeros.

    The transform runs in double precision, as librosa's does: in single precision the quiet bands
    of a band-limited sound are off by tenths of a decibel.

    Parameters
    ----------
    n_fft : int
        Length of the window in samples.
    hop_length : int
        Samples from one frame to the next.
    """

    def __init__(self, n_fft: int, hop_length: int) -> None:
        self.n_fft, self.hop_length = n_fft, hop_length

    @cached_property
    def _window(self) -> "torch.Tensor":
        import torch

        return torch.hann_window(self.n_fft, dtype=torch.float64)

    def n_frames(self, n_samples: int) -> int:
        """Number of frames of a clip of `n_samples` samples (at least 1)."""
        return 1 + (n_samples - self.n_fft % 2) // self.hop_length

    def __call__(self, samples: Samples) -> "torch.Tensor":
        """Squared magnitudes, ``(n_frames, n_fft // 2 + 1)`` float32.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,)
            At least one; clips shorter than the window are padded like the edges of any other.
        """
        import torch

        n_fft, hop = self.n_fft, self.hop_length
        margin = n_fft // 2
        padded = np.zeros(len(samples) + 2 * margin, dtype=np.float32)
        padded[margin : margin + len(samples)] = samples
        power = torch.empty(self.n_frames(len(samples)), margin + 1)
        size = max(1, _BLOCK_SAMPLES // n_fft)
        for start in range(0, len(power), size):
            end = min(start + size, len(power))
            part = torch.from_numpy(padded[start * hop : (end - 1) * hop + n_fft])
            # Doubles of a block stay in the processor's cache; those of a clip would not.
            windowed = part.double().unfold(0, n_fft, hop) * self._window
            squares = torch.view_as_real(torch.fft.rfft(windowed)).square_()
            torch.add(squares[..., 0], squares[..., 1], out=power[start:end])
        return power
