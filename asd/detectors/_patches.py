"""Short pieces of a clip, each described by a few numbers a mel band."""

import numpy as np

from asd.arrays import Indices, Matrix, Spectrogram


def patch_starts(n_frames: int, length: int, hop: int) -> Indices:
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


def patch_statistics(values: Matrix, length: int, starts: Indices) -> Matrix:
    """Mean and standard deviation over time of each band in each patch.

    Parameters
    ----------
    values : ndarray of shape (n_mels, n_frames)
        At least one frame; a clip shorter than a patch is one short patch.
    length : int
        Frames of a patch.
    starts : ndarray of shape (n_patches,)
        First frame of each patch, of those that `patch_starts` gives.

    Returns
    -------
    ndarray of shape (n_patches, 2 * n_mels)
        All means first, then all standard deviations.
    """
    frames = np.ascontiguousarray(values.T)
    # The frames of a patch along the first axis: NumPy is slow over a short last one.
    patches = frames[starts + np.arange(min(length, len(frames)))[:, None]]
    return np.concatenate([patches.mean(axis=0), patches.std(axis=0)], axis=1)


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


def evenly(n_items: int, most: int) -> Indices:
    """At most `most` of `n_items` indices, evenly spread and in order.

    Examples
    --------
    >>> evenly(3, 5).tolist(), evenly(9, 3).tolist()
    ([0, 1, 2], [0, 4, 8])
    """
    return np.unique(np.linspace(0, n_items - 1, min(n_items, most)).round().astype(np.intp))


def blocks(n_items: int, n_blocks: int) -> Indices:
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


def group_blocks(n_items: int, n_blocks: int, groups: Indices | None = None) -> Indices:
    """`blocks` that do not part the items of a group, such as the clips of a recording.

    Parameters
    ----------
    n_items : int
        How many there are.
    n_blocks : int
        Most blocks; fewer where there are fewer groups.
    groups : ndarray of shape (n_items,), optional
        Number of the group of each item. Where not given, or where there is but one group, items
        are parted anywhere.

    Examples
    --------
    >>> group_blocks(6, 2, np.array([7, 7, 7, 7, 3, 5])).tolist()
    [0, 0, 0, 0, 0, 1]
    """
    if groups is None or np.ptp(groups) == 0:
        return blocks(n_items, n_blocks)
    _, first, group_of = np.unique(groups, return_index=True, return_inverse=True)
    # Groups keep the order in which they first stand in the data.
    rank = np.argsort(np.argsort(first))
    return blocks(len(first), n_blocks)[rank][group_of]
