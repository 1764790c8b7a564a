"""How far apart normal sounds are around each of them."""

from collections.abc import Callable

import numpy as np

from asd.arrays import Indices, Matrix, Vector

BLOCKS = 8
"""Blocks of clips between which distances count."""
_LEAST_SHARE = 0.01
"""Smallest distance, relative to the typical one: sounds that stand in the data twice have none."""
_ROWS_AT_ONCE = 128
"""Their distances are gone through several times, and so are to fit a cache."""
_SPARE = 5
"""Neighbours beyond those asked for among which rough distances may err."""


def neighbour_distance(
    distances: Callable[[slice], Matrix],
    block_of: Indices,
    sample_block: Indices,
    n_neighbours: int,
    exact: Callable[[slice, Indices], Matrix] | None = None,
) -> Vector:
    """Mean distance to the nearest neighbours in other blocks.

    Parameters
    ----------
    distances : callable
        Gives the distances of some rows to the whole sample, ``(n_rows, n_sample)``; they may be
        written to. With `exact`, whatever tells roughly who is near: single precision will do.
    block_of : ndarray of shape (n_items,)
        Block of each item.
    sample_block : ndarray of shape (n_sample,)
        Block of each member of the sample.
    n_neighbours : int
        At least 1; fewer where other blocks hold fewer.
    exact : callable, optional
        Gives the distances of some rows to those members of the sample that seem nearest,
        ``(n_rows, n_near)``, named by their places, of the same shape.

    Returns
    -------
    ndarray of shape (n_items,)
        Positive. Ones where items do not differ at all, or all are of one block.
    """
    blocks, sizes = np.unique(sample_block, return_counts=True)
    elsewhere = len(sample_block) - int(sizes.max())
    if len(blocks) < 2:
        return np.ones(len(block_of))
    count, near = min(n_neighbours, elsewhere), min(n_neighbours + _SPARE, elsewhere)
    means = np.empty(len(block_of))
    for start in range(0, len(block_of), _ROWS_AT_ONCE):
        rows = slice(start, min(start + _ROWS_AT_ONCE, len(block_of)))
        apart = distances(rows)
        apart[block_of[rows, None] == sample_block] = np.inf
        if exact is not None:
            apart = exact(rows, np.argpartition(apart, near - 1, axis=1)[:, :near])
        means[rows] = np.partition(apart, count - 1, axis=1)[:, :count].mean(axis=1)
    typical = float(np.median(means))
    if typical == 0:
        return np.ones(len(means))
    return np.asarray(np.maximum(means, _LEAST_SHARE * typical), np.float64)
