"""Find breaks of exact zeros in a stream of samples."""

import numpy as np
from numpy.typing import NDArray

from asd.audio.peak import peak

LEAST_S = 0.005
"""Shortest run of exact zeros that counts, in seconds; sound crosses zero, but does not stay."""

_LEAST_PEAK = 8 / 32768
"""Sound below eight steps of 16 bits holds runs of zeros by itself."""


class Dropouts:
    """Counts runs of exact zeros between sound of the usual loudness.

    Within 5 ms on either side a sample must reach the root mean square of the recording so far:
    a sound that fades out to zeros is a pause, and no dropout.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self.count = 0
        self._least = max(2, round(LEAST_S * sample_rate))
        self._run = 0
        """Zeros at the end of what was heard so far."""
        self._before = 0.0
        """Peak of the last sound before them."""

    def feed(self, samples: NDArray[np.float32], rms: float) -> None:
        """Go on with the next samples, ``(n,)`` with n > 0; `rms` is that of all so far."""
        # A run of that length, inside or across an edge, cannot be missed by this look.
        looked_at = samples[:: max(1, self._least // 2)]
        if looked_at.all() and samples[-1]:
            self._before, self._run = peak(samples[-self._least :]), 0
            return
        is_zero = np.concatenate([[False], samples == 0, [False]])
        edges = np.flatnonzero(is_zero[1:] != is_zero[:-1]).reshape(-1, 2)
        loud = max(rms, _LEAST_PEAK)
        carried, before = self._run, self._before
        self._run, self._before = 0, peak(samples[-self._least :])
        # Quiet sound has a zero every few samples: only what may be long enough is looked at.
        at_edge = (edges[:, 0] == 0) | (edges[:, 1] == len(samples))
        for start, end in edges[at_edge | (edges[:, 1] - edges[:, 0] >= self._least)]:
            length = int(end - start)
            last = peak(samples[max(0, start - self._least) : start]) if start else before
            if start == 0:
                length += carried
            if end == len(samples):
                self._run, self._before = length, last
            elif length >= self._least:
                after = peak(samples[end : end + self._least])
                self.count += last >= loud and after >= loud
