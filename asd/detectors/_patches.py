"""Short pieces of a clip, each described by a few numbers a mel band."""

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from asd.arrays import Spectrogram
from asd.detectors._statistics import Level
from asd.features.clipset import Features

Matrix = NDArray[np.float64]


class Part(Sequence[Spectrogram]):
    """Some of the clips, each read from the whole when it is asked for.

    Parameters
    ----------
    whole : Features
        All clips.
    indices : ndarray of shape (n_clips,)
        Which of them, in order.
    """

    def __init__(self, whole: Features, indices: NDArray[np.intp]) -> None:
        self._whole = whole
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Spectrogram: ...
    @overload
    def __getitem__(self, index: slice) -> "Part": ...
    def __getitem__(self, index: int | slice) -> "Spectrogram | Part":
        if isinstance(index, slice):
            return Part(self._whole, self._indices[index])
        return self._whole[int(self._indices[index])]


def levelled(spectrogram: Spectrogram, level: Level) -> Matrix:
    """The clip with its level in dB subtracted, so that the gain of the recording is forgotten.

    The level is the median over frames of the mean over bands: clicks, and foreign sounds in less
    than half of the clip, leave it as it is.

    Parameters
    ----------
    spectrogram : ndarray of shape (n_mels, n_frames)
        At least one frame.
    level : {"normalised", "kept"}
        With `kept` nothing is subtracted.
    """
    values = spectrogram.astype(np.float64)
    return values - np.median(values.mean(axis=0)) if level == "normalised" else values


class Levelled(Sequence[Spectrogram]):
    """Clips with their level subtracted, see `levelled`, when they are asked for.

    Parameters
    ----------
    whole : Features
        The clips as they are.
    level : {"normalised", "kept"}
        As in `levelled`.
    """

    def __init__(self, whole: Features, level: Level) -> None:
        self._whole = whole
        self._level: Level = level

    def __len__(self) -> int:
        return len(self._whole)

    @overload
    def __getitem__(self, index: int) -> Spectrogram: ...
    @overload
    def __getitem__(self, index: slice) -> "Levelled": ...
    def __getitem__(self, index: int | slice) -> "Spectrogram | Levelled":
        if isinstance(index, slice):
            return Levelled(self._whole[index], self._level)
        return levelled(self._whole[index], self._level).astype(np.float32)


def patch_starts(n_frames: int, length: int, hop: int) -> NDArray[np.intp]:
    """First frame of each patch; the last patch is flush with the end of the clip.

    Examples
    --------
    >>> patch_starts(8, 4, 2).tolist(), patch_starts(9, 4, 2).tolist()
    ([0, 2, 4], [0, 2, 4, 5])
    >>> patch_starts(3, 4, 2).tolist()
    [0]
    """
    last = max(0, n_frames - length)
    starts = np.arange(0, last + 1, hop)
    return starts if starts[-1] == last else np.append(starts, last)


def patch_statistics(values: Matrix, length: int, hop: int) -> Matrix:
    """Mean and standard deviation over time of each band in each patch.

    Parameters
    ----------
    values : ndarray of shape (n_mels, n_frames)
        At least one frame; a clip shorter than a patch is one short patch.
    length, hop : int
        Frames of a patch, and from one patch to the next.

    Returns
    -------
    ndarray of shape (n_patches, 2 * n_mels)
        All means first, then all standard deviations.
    """
    windows = np.lib.stride_tricks.sliding_window_view(values, min(length, values.shape[1]), axis=1)
    chosen = windows[:, patch_starts(values.shape[1], length, hop)]
    return np.ascontiguousarray(np.concatenate([chosen.mean(axis=2), chosen.std(axis=2)]).T)


def spread_patches(contributions: Matrix, n_frames: int, length: int, hop: int) -> Spectrogram:
    """Put numbers of patches at their places in the clip; where patches overlap, the mean.

    Parameters
    ----------
    contributions : ndarray of shape (n_patches, n_mels)
        One row a patch, in the order of `patch_starts`.
    n_frames, length, hop : int
        Frames of the clip, of a patch, and from one patch to the next.

    Returns
    -------
    ndarray of shape (n_mels, n_frames), float32
    """
    total = np.zeros((contributions.shape[1], n_frames))
    times = np.zeros(n_frames)
    starts = patch_starts(n_frames, length, hop)
    for start, row in zip(starts, contributions, strict=True):
        total[:, start : start + length] += row[:, None]
        times[start : start + length] += 1
    # Frames that a hop longer than a patch leaves out belong to no patch.
    return np.asarray(total / np.maximum(times, 1), dtype=np.float32)


def evenly(n_items: int, most: int) -> NDArray[np.intp]:
    """At most `most` of `n_items` indices, evenly spread and in order.

    Examples
    --------
    >>> evenly(3, 5).tolist(), evenly(9, 3).tolist()
    ([0, 1, 2], [0, 4, 8])
    """
    return np.unique(np.linspace(0, n_items - 1, min(n_items, most)).round().astype(np.intp))


def blocks(n_items: int, n_blocks: int) -> NDArray[np.intp]:
    """Number of the block that each item belongs to, when they are cut into blocks in order.

    Clips next to each other are mostly of one recording, and more alike than the machine is to
    itself: what is to hold for new recordings is measured between blocks.

    Examples
    --------
    >>> blocks(5, 2).tolist()
    [0, 0, 0, 1, 1]
    """
    parts = np.array_split(np.arange(n_items), min(n_blocks, n_items))
    return np.repeat(np.arange(len(parts)), [len(part) for part in parts])
