"""What a change of the recording does to a model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from asd.errors import DataError
from asd.evaluation.style import ANOMALY, BLACK, BLUE, GREY, new_figure, styled, tidy
from asd.language import tr


@dataclass(frozen=True)
class RobustnessRow:
    """How a model did on clips that were changed in one way; None where it is not defined."""

    name: str
    """The change."""
    auc: float | None
    pauc: float | None
    false_alarm_rate: float | None
    recall: float | None


@styled
def robustness(rows: Sequence[RobustnessRow], promised_rate: float | None = None) -> Figure:
    """AUC and false-alarm rate under each change, beside those of the clips as they are.

    Parameters
    ----------
    rows : sequence of RobustnessRow
        The first is that of the unchanged clips.
    promised_rate : float, optional
        The rate that the threshold promises on unchanged clips, drawn as a line.

    Raises
    ------
    DataError
        Neither figure is defined.
    """
    drawn = [
        (label, colour, values)
        for label, colour, values in (
            ("AUC", BLUE, [row.auc for row in rows]),
            (tr("False-alarm rate"), ANOMALY, [row.false_alarm_rate for row in rows]),
        )
        if values[0] is not None
    ]
    if not drawn:
        raise DataError(tr("robustness needs labelled clips in the test set"))
    figure = new_figure(5.0 * len(drawn) + 1.0, 1.6 + 0.36 * len(rows))
    panels = np.atleast_1d(figure.subplots(1, len(drawn), sharey=True))
    for axes, (label, colour, values) in zip(panels, drawn, strict=True):
        _draw(axes, np.array(values, dtype=float), colour, ".3f" if label == "AUC" else ".1%")
        axes.set_xlabel(label)
        if label == "AUC":
            axes.axvline(0.5, color=GREY, linewidth=1)
            axes.annotate(tr("chance"), (0.5, -0.75), color="#7F7F7F", ha="center", size=8)
            axes.set_xlim(min(0.45, min(v for v in values if v is not None) - 0.05), 1.1)
        else:
            axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            axes.set_xlim(0, 1.18)
            if promised_rate is not None:
                axes.axvline(promised_rate, color=BLACK, linewidth=1.2, linestyle="--")
                text = tr(" promised {rate:.1%}", rate=promised_rate)
                axes.annotate(text, (promised_rate, -0.75), size=8)
    names = [row.name.replace("_", " ").replace("db", " dB") for row in rows]
    panels[0].set_yticks(np.arange(len(rows)), names)
    panels[0].set_ylim(len(rows) - 0.5, -1.0)
    figure.suptitle(
        tr("The same clips under other recording conditions"), x=0.01, ha="left", size=12
    )
    return figure


def _draw(axes: Axes, values: NDArray[np.float64], colour: str, form: str) -> None:
    """A line from the unchanged clips' value to each other one, with the value beside it."""
    tidy(axes, "x")
    rows = np.arange(len(values))
    axes.axvline(values[0], color=colour, linewidth=1, alpha=0.5)
    axes.hlines(rows, values[0], values, color=colour, linewidth=4, alpha=0.35)
    axes.plot(values, rows, "o", color=colour, markersize=8, clip_on=False, zorder=3)
    for row, value in zip(rows, values, strict=True):
        right = value >= values[0]
        axes.annotate(
            format(value, form),
            (value, row),
            xytext=(8 if right else -8, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            size=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
