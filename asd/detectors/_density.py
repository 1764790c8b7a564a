"""How far apart normal sounds are around each of them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asd.arrays import Indices, Matrix, Vector

BLOCKS = 8
"""Blocks of clips between which distances count."""
_LEAST_SHARE = 0.01
"""Smallest distance, relative to the typical one: sounds that stand in the data twice have none."""
ROWS_AT_ONCE = 128
"""Their distances are gone through several times, and so are to fit a cache."""
SPARE = 5
"""Neighbours beyond those asked for among which rough distances may err."""
_STRIDED = 32
"""Values of which only the least is looked at first."""


def smallest(values: NDArray[np.floating[Any]], n: int) -> Indices:
    """Places of the `n` smallest values of each row, ``(n_rows, n)``, in any order.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_values)
        At least `n` values a row.
    n : int
        At least 1.
    """
    # The least values of as many groups as are asked for hold what is asked for: only these few
    # groups are gone through value by value.
    n_rows, n_groups = len(values), values.shape[1] // _STRIDED
    if n_groups <= 2 * n:
        return np.argpartition(values, n - 1, axis=1)[:, :n]
    whole = n_groups * _STRIDED
    least = values[:, :whole].reshape(n_rows, _STRIDED, n_groups).min(axis=1)
    groups = np.argpartition(least, n - 1, axis=1)[:, :n]
    inside = (groups[:, None] + n_groups * np.arange(_STRIDED)[:, None]).reshape(n_rows, -1)
    behind = np.broadcast_to(np.arange(whole, values.shape[1]), (n_rows, values.shape[1] - whole))
    places = np.concatenate([inside, behind], axis=1)
    chosen = np.argpartition(np.take_along_axis(values, places, axis=1), n - 1, axis=1)[:, :n]
    return np.take_along_axis(places, chosen, axis=1)


def weighted_search(points: Matrix, density: Vector) -> NDArray[np.float32]:
    """The matrix whose product with ``[x, x^2, 1]`` is squared distances from x over density's.

    Parameters
    ----------
    points : ndarray of shape (n, n_values)
        Best near 0.
    density : ndarray of shape (n,)
        What the distance to each point is divided by.

    Returns
    -------
    ndarray of shape (n_values + 2, n)
    """
    weights = 1 / density**2
    search = np.empty((points.shape[1] + 2, len(points)), np.float32)
    np.multiply(points.T, -2 * weights, out=search[:-2], casting="same_kind")
    search[-2], search[-1] = weights, _squares(points) * weights
    return search


def euclidean_neighbour_distance(
    items: Matrix, block_of: Indices, sample: Matrix, sample_block: Indices, n_neighbours: int
) -> Vector:
    """`neighbour_distance` of points, ``(n_items, n_values)`` and ``(n_sample, n_values)``.

    Values of both are best near 0: who is near is found by a product in single precision.
    """
    search = np.empty((sample.shape[1] + 1, len(sample)), np.float32)
    np.multiply(sample.T, -2, out=search[:-1], casting="same_kind")
    search[-1] = _squares(sample)
    wide = np.ones((len(items), items.shape[1] + 1), np.float32)
    wide[:, :-1] = items

    def rough(rows: slice) -> Matrix:
        # Squared distances, less what is the same for all of a row.
        return np.asarray(wide[rows] @ search)

    def exact(rows: slice, near: Indices) -> Matrix:
        return np.asarray(np.linalg.norm(items[rows, None] - sample[near], axis=2), np.float64)

    return neighbour_distance(rough, block_of, sample_block, n_neighbours, exact)


def _squares(points: Matrix) -> Vector:
    """Squared length of each point, ``(n,)``, without a copy of all of them."""
    return np.asarray(np.einsum("ij,ij->i", points, points))


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
    count, near = min(n_neighbours, elsewhere), min(n_neighbours + SPARE, elsewhere)
    means = np.empty(len(block_of))
    for start in range(0, len(block_of), ROWS_AT_ONCE):
        rows = slice(start, min(start + ROWS_AT_ONCE, len(block_of)))
        apart = distances(rows)
        apart[block_of[rows, None] == sample_block] = np.inf
        if exact is not None:
            apart = exact(rows, smallest(apart, near))
        means[rows] = np.partition(apart, count - 1, axis=1)[:, :count].mean(axis=1)
    typical = float(np.median(means))
    if typical == 0:
        return np.ones(len(means))
    return np.asarray(np.maximum(means, _LEAST_SHARE * typical), np.float64)
