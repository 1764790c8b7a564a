"""Clips of any length as windows of one length, and maps of windows as maps of clips."""

import numpy as np
from numpy.typing import NDArray

from asd.arrays import Spectrogram, Vector
from asd.features.clipset import ClipSet


def median_length(clips: ClipSet) -> int:
    """Frames of the clip of median length; what is known of a clip from other folds is not read."""
    return int(np.median(clips.table(_length)))


def _length(clip: Spectrogram) -> Vector:
    return np.array([clip.shape[1]], dtype=np.float64)


def window_frames(n_frames: int, length: int) -> NDArray[np.intp]:
    """Frame numbers of each window of a clip, ``(n_windows, length)``.

    Windows follow each other, the last flush with the end; a clip shorter than one window is
    repeated until it fills it.

    Parameters
    ----------
    n_frames : int
        Frames of the clip.
    length : int
        Frames of a window.

    Examples
    --------
    >>> window_frames(2, 3).tolist(), window_frames(5, 3).tolist()
    ([[0, 1, 0]], [[0, 1, 2], [2, 3, 4]])
    """
    if n_frames < length:
        return np.arange(length)[None] % n_frames
    starts = list(range(0, n_frames - length + 1, length))
    if n_frames % length:
        starts.append(n_frames - length)
    return np.array(starts)[:, None] + np.arange(length)


def overlay(windows: NDArray[np.float64], n_frames: int) -> Spectrogram:
    """Put maps of the windows of a clip together; frames that stand in several get the mean.

    Parameters
    ----------
    windows : ndarray of shape (n_windows, n_mels, length)
        One map a window, in the order of `window_frames`.
    n_frames : int
        Frames of the clip.

    Returns
    -------
    ndarray of shape (n_mels, n_frames), float32
    """
    total = np.zeros((n_frames, windows.shape[1]))
    times = np.zeros((n_frames, 1))
    for frames, window in zip(window_frames(n_frames, windows.shape[2]), windows, strict=True):
        np.add.at(total, frames, window.T)
        np.add.at(times, frames, 1.0)
    return np.ascontiguousarray((total / times).T, dtype=np.float32)
