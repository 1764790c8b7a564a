"""How far apart normal sounds are: the nearest are found roughly, and measured exactly."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from asd.arrays import Indices, Matrix
from asd.detectors._density import (
    euclidean_neighbour_distance,
    neighbour_distance,
    smallest,
)


def around(points: Matrix, block_of: Indices, *, rough: bool) -> Matrix:
    def apart(rows: slice) -> Matrix:
        return np.abs(points[rows, None] - points)

    def coarse(rows: slice) -> Matrix:
        return (apart(rows) ** 2).astype(np.float32)

    def exact(rows: slice, near: Indices) -> Matrix:
        return np.abs(points[rows, None] - points[near])

    if rough:
        return neighbour_distance(coarse, block_of, block_of, 2, exact)
    return neighbour_distance(apart, block_of, block_of, 2)


def test_neighbours_of_the_same_block_do_not_count() -> None:
    points, blocks = np.array([0.0, 0.1, 5, 7, 11]), np.array([0, 0, 1, 1, 1])
    np.testing.assert_allclose(around(points, blocks, rough=False), [6, 5.9, 4.95, 6.95, 10.95])


@pytest.mark.parametrize("n", [3, 40, 700])
def test_rough_distances_choose_and_exact_ones_are_what_counts(n: int) -> None:
    points, blocks = np.random.default_rng(0).normal(size=n) ** 3, np.arange(n) % 3
    expected = around(points, blocks, rough=False)
    np.testing.assert_allclose(around(points, blocks, rough=True), expected, rtol=1e-12)


def test_rough_distances_may_err_among_the_nearest() -> None:
    points, blocks = np.array([*[0.0] * 8, 4, 3, 2, 1, 5, 6, 50, 60]), np.repeat([0, 1], 8)

    def backwards(rows: slice) -> Matrix:
        rough = np.where(points >= 50, 9.0, -points)
        return np.tile(rough, (len(points[rows]), 1)).astype(np.float64)

    def exact(rows: slice, near: Indices) -> Matrix:
        return np.asarray(np.abs(points[rows, None] - points[near]), np.float64)

    assert neighbour_distance(backwards, blocks, blocks, 2, exact)[0] == 1.5


@pytest.mark.parametrize("n_values", [4, 64, 700, 1500])
@pytest.mark.parametrize("n", [1, 3])
def test_the_smallest_values_are_found_wherever_they_stand(n_values: int, n: int) -> None:
    rows = np.arange(50.0 * n_values).reshape(50, -1)
    values = np.random.default_rng(n_values).permuted(rows, axis=1)
    found = np.take_along_axis(values, smallest(values, n), axis=1)
    np.testing.assert_array_equal(np.sort(found), np.sort(values)[:, :n])


def test_neighbours_of_points_are_those_that_a_search_of_all_finds() -> None:
    rng = np.random.default_rng(0)
    sample, block_of = rng.normal(size=(900, 12)), np.arange(900) % 4
    items, own = sample[::3], block_of[::3]
    apart = cdist(items, sample)
    apart[own[:, None] == block_of] = np.inf
    expected = np.sort(apart)[:, :5].mean(axis=1)
    found = euclidean_neighbour_distance(items, own, sample, block_of, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_sounds_that_do_not_differ_count_alike() -> None:
    blocks = np.repeat([0, 1], 6)
    np.testing.assert_array_equal(around(np.zeros(12), blocks, rough=True), np.ones(12))
