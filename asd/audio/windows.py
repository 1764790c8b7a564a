"""Cut a stream of samples into windows of one length, so that no sound is left out."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


def blocks_of(pieces: Iterable[Samples], size: int) -> Iterator[Samples]:
    """A stream in blocks of `size` samples; the last one may be shorter.

    Parameters
    ----------
    pieces : iterable of (n,) float32
        The stream, in pieces of any length.
    size : int
        Samples in a block, at least 1.
    """
    waiting: list[Samples] = []
    missing = size
    for piece in pieces:
        start = 0
        while len(piece) - start >= missing:
            waiting.append(piece[start : start + missing])
            start += missing
            yield waiting[0] if len(waiting) == 1 else np.concatenate(waiting)
            waiting, missing = [], size
        if start < len(piece):
            waiting.append(piece[start:])
            missing -= len(piece) - start
    if waiting:
        yield np.concatenate(waiting)


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
    start = 0
    for block in blocks_of(blocks, size):
        window = np.concatenate([last, block])[-size:] if len(block) < size else block
        yield start + len(block) - len(window), window
        last = window
        start += len(block)
