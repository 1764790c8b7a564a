"""The scores of a recording over its time."""

import numpy as np
from matplotlib.figure import Figure

from asd.evaluation.style import (
    ANOMALY,
    BLACK,
    NORMAL,
    ORANGE,
    new_figure,
    score_scale,
    styled,
    tidy,
)
from asd.language import tr
from asd.pipeline.verdict import Verdict

_MINUTES_FROM_S = 600.0


@styled
def timeline(verdict: Verdict, title: str) -> Figure:
    """Score of each window, the threshold, and the events.

    Parameters
    ----------
    verdict : Verdict
        What was said of the recording.
    title : str
        Its name.
    """
    long = verdict.duration_s >= _MINUTES_FROM_S
    unit, label = (60.0, tr("Time (min)")) if long else (1.0, tr("Time (s)"))
    starts = np.array([window.start_s for window in verdict.windows]) / unit
    lengths = np.array([window.duration_s for window in verdict.windows]) / unit
    scores = np.array([window.anomaly_score for window in verdict.windows])
    alarms = np.array([window.is_anomaly for window in verdict.windows])
    figure = new_figure(10.0, 3.4)
    axes = tidy(figure.subplots())
    for number, event in enumerate(verdict.events):
        name = tr("event") if number == 0 else None
        axes.axvspan(event.start_s / unit, event.end_s / unit, color=ORANGE, alpha=0.25, label=name)
    for chosen, colour, name in (
        (~alarms, NORMAL, tr("window")),
        (alarms, ANOMALY, tr("with an alarm")),
    ):
        if chosen.any():
            ends = starts[chosen] + lengths[chosen]
            axes.hlines(scores[chosen], starts[chosen], ends, colors=colour, lw=2.5, label=name)
    axes.axhline(verdict.threshold, color=BLACK, linestyle="--", linewidth=1, label=tr("threshold"))
    axes.set_yscale(**score_scale(np.append(scores, verdict.threshold)))
    axes.set_xlim(0, verdict.duration_s / unit)
    axes.set_xlabel(label)
    axes.set_ylabel(tr("Anomaly score"))
    axes.set_title(title)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
