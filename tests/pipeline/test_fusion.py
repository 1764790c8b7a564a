"""Fusion: hand-worked values, weights, and what it is for."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd.config.recipe import Branch, Recipe
from asd.pipeline.fusion import Fusion


def recipe(*weights: float, fusion: Any = "mean") -> Recipe:
    branches = tuple(
        Branch(label=f"b{number}", model="knn", weight=weight)
        for number, weight in enumerate(weights)
    )
    return Recipe(label="x", branches=branches, fusion=fusion)


def held_out(*spreads: float) -> Any:
    """Out-of-fold scores whose logarithms have mean 0 and these standard deviations."""
    return np.exp([[-spread, spread] for spread in spreads])


def test_one_branch_keeps_its_scores() -> None:
    fusion = Fusion.fit(recipe(3.0), np.zeros((1, 1)))
    scores = np.array([[0.0, -2.5, 7.0]])
    np.testing.assert_array_equal(fusion(scores), scores[0])
    np.testing.assert_array_equal(fusion.weights(scores), [[1, 1, 1]])


def test_logarithms_are_standardised_and_averaged() -> None:
    fusion = Fusion.fit(recipe(1, 1), held_out(0.5, 2.0))
    np.testing.assert_allclose(fusion.centre, [0, 0], atol=1e-12)
    np.testing.assert_allclose(fusion.spread, [0.5, 2.0])
    # One standard deviation above in the first, three in the second.
    np.testing.assert_allclose(fusion(np.exp([[0.5], [6.0]])), [2.0])


def test_weights_are_shares_of_the_mean() -> None:
    fusion = Fusion.fit(recipe(1, 3), held_out(1.0, 1.0))
    np.testing.assert_allclose(fusion.shares, [0.25, 0.75])
    np.testing.assert_allclose(fusion(np.exp([[4.0], [0.0]])), [1.0])
    scaled = Fusion.fit(recipe(10, 30), held_out(1.0, 1.0))
    np.testing.assert_allclose(scaled.shares, fusion.shares)


def test_a_clip_is_so_many_times_the_usual() -> None:
    fusion = Fusion.fit(recipe(1, 3), 5.0 * held_out(1.0, 1.0))
    np.testing.assert_allclose(fusion.times_usual(np.array([[5.0, 50.0], [5.0, 50.0]])), [1, 10])
    # The branch that is alarmed is the one that counts.
    [apart] = fusion.times_usual(np.array([[5.0], [500.0]]))
    assert 90 < apart < 100


def test_the_logarithm_of_the_mean_exponential_listens_to_the_most_alarmed() -> None:
    scores = np.exp([[5.0], [-5.0]])
    mean = Fusion.fit(recipe(1, 1), held_out(1.0, 1.0))
    most = Fusion.fit(recipe(1, 1, fusion="logmeanexp"), held_out(1.0, 1.0))
    np.testing.assert_allclose(mean(scores), [0.0], atol=1e-12)
    np.testing.assert_allclose(most(scores), [np.log((np.exp(5) + np.exp(-5)) / 2)])
    weighted = Fusion.fit(recipe(1, 3, fusion="logmeanexp"), held_out(1.0, 1.0))
    expected = np.log(0.25 * np.exp(5) + 0.75 * np.exp(-5))
    np.testing.assert_allclose(weighted(scores), [expected])


def test_a_branch_that_new_recordings_alarm_has_less_of_a_say() -> None:
    fusion = Fusion.fit(recipe(1, 1), held_out(0.1, 3.0))
    steady, nervous = fusion(np.exp([[1.0, 0.0], [0.0, 1.0]]))
    assert steady > 10 * nervous


@pytest.mark.parametrize("kind", ["mean", "logmeanexp"])
@given(scores=st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=1, max_size=5))
def test_what_branches_agree_on_is_what_is_said(
    kind: str, scores: list[tuple[float, float]]
) -> None:
    fusion = Fusion.fit(recipe(1, 2, fusion=kind), held_out(0.5, 2.0))
    matrix = np.array(scores).T
    fused = fusion(matrix)
    standard = np.log(np.maximum(matrix, 1e-3)) / [[0.5], [2.0]]
    assert np.isfinite(fused).all()
    assert (fused >= standard.min(axis=0) - 1e-9).all()
    assert (fused <= standard.max(axis=0) + 1e-9).all()
    say = fusion.weights(matrix)
    np.testing.assert_allclose(say.sum(axis=0), 1)
    assert (say >= 0).all()


def test_the_branch_that_is_most_alarmed_has_most_of_a_say_in_the_map() -> None:
    fusion = Fusion.fit(recipe(1, 1), held_out(1.0, 1.0))
    say = fusion.weights(np.exp([[3.0, 0.0, 1.0], [0.0, 3.0, 1.0]]))
    np.testing.assert_allclose(say[:, 2], [0.5, 0.5])
    assert say[0, 0] == pytest.approx(say[1, 1])
    assert say[0, 0] > 0.9


def test_scores_of_held_out_clips_that_are_all_the_same_leave_a_finite_scale() -> None:
    for same in (0.0, 3.0):
        fusion = Fusion.fit(recipe(1, 1), np.full((2, 5), same))
        assert np.isfinite(fusion(np.array([[same, 1.0], [same, 100.0]]))).all()


def test_comes_back_from_plain_values() -> None:
    fusion = Fusion.fit(recipe(1, 3, fusion="logmeanexp"), held_out(0.5, 2.0))
    again = Fusion.from_dict(fusion.to_dict())
    scores = np.array([[1.0, 2.0], [3.0, 0.1]])
    np.testing.assert_array_equal(again(scores), fusion(scores))
    assert again.to_dict() == fusion.to_dict()
