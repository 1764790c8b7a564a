"""Detectors ranked, with how sure each figure is."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from asd.evaluation.style import ANOMALY, BLUE, GREY, new_figure, shorten, styled, tidy
from asd.language import tr


@styled
def leaderboard(figures: Mapping[str, Mapping[str, float]], data: str) -> Figure:
    """AUC with its interval, and faults found beside false alarms: a row a detector, best first.

    Parameters
    ----------
    figures : mapping
        Metrics of each detector by its label, as ``auc``, ``auc_low``, ``recall``; best first.
    data : str
        What they were measured on.
    """
    labels = list(figures)
    rows = np.arange(len(labels))
    figure = new_figure(10.0, 1.9 + 0.5 * len(labels))
    left, right = figure.subplots(1, 2, sharey=True)
    for axes in (left, right):
        tidy(axes, "x")
    for row, label in enumerate(labels):
        own = figures[label]
        if "auc" in own:
            low, high = own.get("auc_low", own["auc"]), own.get("auc_high", own["auc"])
            left.hlines(row, low, high, color=BLUE, linewidth=6, alpha=0.3)
            left.plot(own["auc"], row, "o", color=BLUE, markersize=8, zorder=3)
            left.annotate(f"{own['auc']:.3f}", (own["auc"], row), (0, 9), ha="center",
                          textcoords="offset points", fontsize=9)  # fmt: skip
        for key, colour, shape in (("recall", BLUE, "o"), ("false_alarm_rate", ANOMALY, "X")):
            if key in own:
                low, high = own.get(f"{key}_low", own[key]), own.get(f"{key}_high", own[key])
                right.hlines(row, low, high, color=colour, linewidth=6, alpha=0.25)
                right.plot(
                    own[key], row, shape, color=colour, markersize=9, clip_on=False, zorder=3
                )
    right.plot([], [], "o", color=BLUE, label=tr("anomalies found"))
    right.plot([], [], "X", color=ANOMALY, label=tr("false alarms, with their 95 % interval"))
    left.axvline(0.5, color=GREY, linestyle="--", linewidth=1)
    left.set_yticks(rows, [shorten(label) for label in labels])
    left.set(ylim=(len(labels) - 0.4, -0.7), title=tr("Best first, on {data}", data=shorten(data)))
    left.set_xlabel(tr("AUC, with its 95 % interval (0.5 is chance)"))
    right.set(xlim=(-0.02, 1.02), title=tr("At the threshold"))
    right.set_xlabel(tr("Share of clips that raise an alarm"))
    right.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    figure.legend(loc="outside lower right", ncols=2)
    return figure
