"""Means and margins by hand, and figures of comparison and robustness."""

import pytest

from asd.errors import DataError
from asd.evaluation import plots
from asd.evaluation.comparison import Comparison, Outcome, Spread
from asd.evaluation.plots import RobustnessRow


def outcome(model: str, data: str, seed: int, auc: float, *undefined: str) -> Outcome:
    metrics = {"auc": auc, "pauc": auc - 0.1, "recall": 0.75, "false_alarm_rate": 0.05}
    known = {name: value for name, value in metrics.items() if name not in undefined}
    return Outcome(model, data, seed, known, 1.25, 0.5, 2.0)


COMPARISON = Comparison(
    (
        outcome("knn", "pump", 1, 0.7),
        outcome("knn", "fan", 1, 0.9),
        outcome("cnn", "pump", 1, 0.8),
        outcome("cnn", "pump", 2, 0.9),
        outcome("cnn", "fan", 1, 0.95),
        outcome("cnn", "fan", 2, 0.95),
    )
)


def test_spread_by_hand() -> None:
    # Two values: the interval is 12.706 (Student, 1 degree of freedom) times |a - b| / 2.
    assert Spread.of([0.8, 0.9]).margin == pytest.approx(12.706 * 0.05, rel=1e-4)
    assert Spread.of([0.8]) == Spread(0.8, 0.0)


def test_table_lists_the_best_of_each_data_set_first() -> None:
    assert COMPARISON.models == ["cnn", "knn"]
    # However wide the columns are.
    assert [" ".join(line.split()) for line in COMPARISON.markdown()[2:]] == [
        "| pump | cnn | 0.850 ± 0.635 | 0.750 ± 0.635 | 75.0% | 5.0% | 1.25 | 0.50 | 2.00 |",
        "| pump | knn | 0.700 | 0.600 | 75.0% | 5.0% | 1.25 | 0.50 | 2.00 |",
        "| fan | cnn | 0.950 | 0.850 | 75.0% | 5.0% | 1.25 | 0.50 | 2.00 |",
        "| fan | knn | 0.900 | 0.800 | 75.0% | 5.0% | 1.25 | 0.50 | 2.00 |",
        "| all, mean | cnn | 0.900 | 0.800 | 75.0% | 5.0% | | | |",
        "| all, mean | knn | 0.800 | 0.700 | 75.0% | 5.0% | | | |",
    ]


def test_a_figure_that_some_fit_leaves_undefined_is_a_dash() -> None:
    fits = (
        outcome("knn", "pump", 1, 0.7, "recall"),
        outcome("knn", "pump", 2, 0.7),
        outcome("knn", "fan", 1, 0.9),
    )
    rows = [" ".join(line.split()) for line in Comparison(fits).markdown()[2:]]
    assert rows == [
        "| pump | knn | 0.700 | 0.600 | - | 5.0% | 1.25 | 0.50 | 2.00 |",
        "| fan | knn | 0.900 | 0.800 | 75.0% | 5.0% | 1.25 | 0.50 | 2.00 |",
        "| all, mean | knn | 0.800 | 0.700 | - | 5.0% | | | |",
    ]


def test_heatmap_says_every_figure() -> None:
    figure = plots.heatmap(COMPARISON)
    texts = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert texts == {"0.850\n±0.635", "0.700", "0.950", "0.900"} | {
        "0.750\n±0.635",
        "0.600",
        "0.850",
        "0.800",
    }


def test_robustness_plot_leaves_out_what_is_not_defined() -> None:
    rows = [RobustnessRow(f"change_{i}", 0.9, 0.8, 0.1 * i, 0.5) for i in range(3)]
    assert len(plots.robustness(rows, 0.05).axes) == 2
    no_anomaly = [RobustnessRow("unchanged", None, None, 0.1, None)]
    assert len(plots.robustness(no_anomaly).axes) == 1
    with pytest.raises(DataError, match="needs labelled clips"):
        plots.robustness([RobustnessRow("unchanged", None, None, None, None)])
