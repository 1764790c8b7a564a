"""Cut a stream of samples into windows of one length, so that no sound is left out."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


def windows(blocks: Iterable[Samples], size: int) -> Iterator[tuple[int, Samples]]:
    """Windows of `size` samples, one after the other.

    The end that does not fill a window is covered by a last window that reaches back over the
    one before it; a stream shorter than one window is given as it is.

    Parameters
    ----------
    blocks : iterable of (n,) float32
        The stream, in blocks of any length.
    size : int
        Samples in a window.

    Yields
    ------
    start : int
        First sample of the window in the stream.
    samples : (size,) float32
        The window; shorter only where the whole stream is.
    """
    last = np.empty(0, np.float32)
    rest = np.empty(0, np.float32)
    start = 0
    for block in blocks:
        rest = np.concatenate([rest, block])
        while len(rest) >= size:
            last, rest = rest[:size], rest[size:]
            yield start, last
            start += size
    if len(rest):
        tail = np.concatenate([last, rest])[-size:]
        yield start + len(rest) - len(tail), tail
