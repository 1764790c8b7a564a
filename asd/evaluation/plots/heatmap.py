"""Detectors against data sets."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from asd.evaluation.comparison import Comparison
from asd.evaluation.style import BLUE, new_figure, shorten, styled, tidy


@styled
def heatmap(comparison: Comparison) -> Figure:
    """AUC and partial AUC of each detector (rows, best first) on each data set (columns).

    Parameters
    ----------
    comparison : Comparison
        At least one outcome.
    """
    models, data = comparison.models, comparison.data
    width = 1.1 + 0.1 * max(map(len, models)) + 2 * max(1.9, 1.15 * len(data))
    figure = new_figure(max(6.0, width), 1.5 + 0.42 * len(models))
    colours = LinearSegmentedColormap.from_list("rank", ["white", BLUE])
    panels = figure.subplots(1, 2, sharey=True)
    for axes, metric, title in zip(panels, ("auc", "pauc"), ("AUC", "pAUC"), strict=True):
        spreads = [[comparison.spread(m, d, metric) for d in data] for m in models]
        means = np.array([[spread.mean for spread in row] for row in spreads])
        # Chance is white: what is below it is no better for being lower.
        tidy(axes, grid=None).imshow(means, cmap=colours, vmin=0.5, vmax=1.0, aspect="auto")
        for row, column in np.ndindex(means.shape):
            spread = spreads[row][column]
            ink = "white" if spread.mean > 0.8 else "black"
            text = f"{spread.mean:.3f}" + (f"\n±{spread.margin:.3f}" if spread.margin else "")
            axes.text(
                column, row, text, ha="center", va="center", color=ink, size=9, linespacing=0.95
            )
        axes.set_xticks(np.arange(len(data)), [shorten(name, 14) for name in data])
        axes.set_yticks(np.arange(len(models)), [shorten(name) for name in models])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_title(title)
    return figure
