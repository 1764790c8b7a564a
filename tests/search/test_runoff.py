"""Who wins a sweep: the best trial, or the default where that is not clearly beaten."""

import pytest

from asd.search.runoff import Runoff


@pytest.mark.parametrize(
    ("figures", "winner"),
    [
        ({"usual": [0.80, 0.82, 0.78, 0.80]}, "usual"),
        ({"usual": [0.80, 0.82, 0.78, 0.80], "a": [0.85, 0.86, 0.84, 0.85]}, "a"),
        ({"usual": [0.80, 0.82, 0.78, 0.80], "a": [0.95, 0.75, 0.78, 0.80]}, "usual"),
        ({"usual": [0.80, 0.82, 0.78, 0.80], "a": [0.79, 0.81, 0.77, 0.79]}, "usual"),
        ({"usual": [0.8, 0.8], "a": [0.85, 0.84], "b": [0.86, 0.88], "c": [1.0, 0.75]}, "b"),
        ({"usual": [0.8, 0.8], "a": [0.8, 0.8]}, "usual"),
    ],
)
def test_the_default_is_given_up_for_a_clear_gain_only(
    figures: dict[str, list[float]], winner: str
) -> None:
    assert Runoff("usual", figures).winner == winner


def test_the_table_says_by_how_much() -> None:
    runoff = Runoff("usual", {"usual": [0.8, 0.8], "trial 3 knn": [0.8, 0.9]})
    assert runoff.gain("trial 3 knn") == pytest.approx((0.05, 0.05))
    assert runoff.markdown("auc") == [
        "| candidate | auc, mean over folds | gain | standard error |",
        "|---|---:|---:|---:|",
        "| trial 3 knn | 0.850 | +0.050 | 0.050 |",
        "| usual | 0.800 | | |",
    ]
