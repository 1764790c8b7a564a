"""Figures of a sweep, by what stands in them."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from asd.evaluation import plots
from asd.evaluation.plots import Tried

TRIALS = [
    Tried(0, "knn", {"detector": "knn", "k": 1, "f_max": None}, 0.7),
    Tried(1, "gmm", {"detector": "gmm", "rate": 1e-4, "f_max": 2000.0}, 0.9),
    Tried(2, "knn", {"detector": "knn", "k": 16, "f_max": 4000.0}, 0.8),
    *(
        Tried(3 + n, "gmm", {"detector": "gmm", "rate": 10.0**-n, "f_max": None}, 0.5)
        for n in range(8)
    ),
]


def drawn(line: Line2D) -> list[list[float]]:
    """The points of a line."""
    points: list[list[float]] = np.asarray(line.get_xydata()).tolist()
    return points


def texts(figure: Figure) -> set[str]:
    figure.canvas.draw()
    return {text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)}


def test_history_shows_the_best_so_far() -> None:
    axes = plots.sweep_history(TRIALS, "auc").axes[0]
    assert [y for _, y in drawn(axes.lines[0])][:4] == [0.7, 0.9, 0.9, 0.9]
    lower = plots.sweep_history(TRIALS, "score_seconds", lower_is_better=True).axes[0]
    assert [y for _, y in drawn(lower.lines[0])][:4] == [0.7, 0.7, 0.7, 0.5]


def test_importances_are_sorted() -> None:
    axes = plots.sweep_importances({"a": 0.2, "b": 0.8}, "auc").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]


def test_parallel_coordinates_tell_absent_keys_from_empty_values() -> None:
    figure = plots.sweep_parallel_coordinates(TRIALS, ["detector", "k", "rate", "f_max"], "auc")
    found = texts(figure)
    assert {"knn", "gmm", "1", "16", "–", "none", "2000", "4000"} <= found
    lines = [drawn(line) for line in figure.axes[0].lines if len(drawn(line)) == 4]
    assert len(lines) == len(TRIALS)
    assert lines[-1][0] == [0.0, 0.0], "the best trial, of gmm, is drawn last"


def test_slices_show_the_trials_that_have_the_key() -> None:
    figure = plots.sweep_slice(TRIALS, ["k", "rate"], "auc")
    counts = [
        sum(np.shape(dots.get_offsets())[0] for dots in axes.collections)
        for axes in figure.axes[:2]
    ]
    assert counts == [2, 9]


def test_each_detector_has_a_look_of_its_own() -> None:
    trials = [Tried(n, name, {}, 0.5) for n, name in enumerate("abcdefghijklmnopqr")]
    dots = plots.sweep_history(trials, "auc").axes[0].collections
    looks = {(str(dot.get_facecolor()), str(dot.get_paths()[0].vertices)) for dot in dots}
    assert len(looks) == len(trials)


def test_a_front_joins_its_trials() -> None:
    figure = plots.sweep_front(TRIALS[:3], [1.0, 3.0, 2.0], ("auc", "score_seconds"), [1, 2])
    assert drawn(figure.axes[0].lines[0]) == [[2.0, 0.8], [3.0, 0.9]]
