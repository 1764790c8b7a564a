"""Curves: ROC, calibration, training."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike

from asd.arrays import Scores
from asd.decision.thresholds import Threshold
from asd.errors import DataError
from asd.evaluation.metrics import MAX_FPR, auc
from asd.evaluation.ranking import average_precision, precision_recall_points, roc_points
from asd.evaluation.style import (
    ANOMALY,
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    SKY,
    new_figure,
    score_label,
    score_scale,
    styled,
    tidy,
)
from asd.evaluation.table import ScoreTable
from asd.language import tr


@styled
def roc_curve(table: ScoreTable, max_fpr: float = MAX_FPR) -> Figure:
    """Anomalies found against false alarms, over all thresholds.

    Parameters
    ----------
    table : ScoreTable
        The scored clips.
    max_fpr : float
        The region of the partial AUC, which is shaded.

    Raises
    ------
    DataError
        There are no normal or no anomalous clips.
    """
    normal, anomalous = _classes(table)
    truth = np.repeat([0, 1], [len(normal), len(anomalous)])
    fpr, tpr = roc_points(truth, np.concatenate([normal, anomalous]))
    figure, axes = _square()
    inside = np.append(fpr[fpr <= max_fpr], max_fpr)
    under = np.append(tpr[fpr <= max_fpr], np.interp(max_fpr, fpr, tpr))
    whole, part = auc(normal, anomalous), auc(normal, anomalous, max_fpr)
    axes.fill_between(inside, under, color=SKY, alpha=0.45, linewidth=0)
    axes.axvline(max_fpr, color=SKY, linewidth=1)
    axes.plot(fpr, tpr, color=BLUE, linewidth=2.2, label=tr("AUC {whole:.3f}", whole=whole))
    axes.fill_between(
        [],
        [],
        color=SKY,
        alpha=0.45,
        label=tr("pAUC {part:.3f} (up to {percent:g}%)", part=part, percent=100 * max_fpr),
    )
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label=tr("chance"))
    x, y = float((normal > table.threshold).mean()), float((anomalous > table.threshold).mean())
    label = tr("at the threshold: {y:.0%} found, {x:.1%} false alarms", y=y, x=x)
    _mark_threshold(axes, x, y, label)
    axes.set(xlim=(-0.015, 1.0))
    axes.set(
        xlabel=tr("False-alarm rate (normal clips)"), ylabel=tr("Detection rate (anomalous clips)")
    )
    axes.set_title(
        tr(
            "ROC: {n_anomalous} anomalous against {n_normal} normal clips",
            n_anomalous=len(anomalous),
            n_normal=len(normal),
        )
    )
    axes.legend(loc="lower right")
    return figure


@styled
def precision_recall(table: ScoreTable) -> Figure:
    """How many alarms are right against how many anomalies are found, over all thresholds.

    Parameters
    ----------
    table : ScoreTable
        The scored clips.

    Raises
    ------
    DataError
        There are no normal or no anomalous clips.
    """
    normal, anomalous = _classes(table)
    truth = np.repeat([0, 1], [len(normal), len(anomalous)])
    scores = np.concatenate([normal, anomalous])
    precision, recall = precision_recall_points(truth, scores)
    whole, share = average_precision(truth, scores), len(anomalous) / len(truth)
    figure, axes = _square()
    label = tr("average precision {value:.3f}", value=whole)
    axes.step(recall, precision, where="post", color=BLUE, linewidth=2.2, label=label)
    axes.axhline(share, color=GREY, linewidth=1, linestyle="--", label=tr("chance"))
    alarms = int((scores > table.threshold).sum())
    if alarms:
        right = int((anomalous > table.threshold).sum())
        label = tr(
            "at the threshold: {right} of {alarms} alarms are right", right=right, alarms=alarms
        )
        _mark_threshold(axes, right / len(anomalous), right / alarms, label)
    axes.set(xlim=(0, 1.015))
    axes.set(
        xlabel=tr("Detection rate (anomalous clips)"), ylabel=tr("Share of alarms that are right")
    )
    axes.set_title(tr("Precision and recall"))
    axes.legend(loc="lower left")
    return figure


def _square() -> tuple[Figure, Axes]:
    """A figure of one share against another."""
    figure = new_figure(6.4, 6.0)
    axes = tidy(figure.subplots(), "both")
    axes.set(ylim=(0, 1.015), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return figure, axes


def _mark_threshold(axes: Axes, x: float, y: float, label: str) -> None:
    """Mark where the threshold cuts a curve."""
    axes.plot(
        [x], [y], "o", color=ANOMALY, markeredgecolor="white", markersize=11, label=label, zorder=5
    )


def _classes(table: ScoreTable) -> tuple[Scores, Scores]:
    """Scores of the normal and of the anomalous clips, both needed for a curve."""
    normal, anomalous = table.scores[table.normal], table.scores[table.anomalous]
    if not (len(normal) and len(anomalous)):
        raise DataError(tr("a ROC curve needs normal and anomalous clips in the test set"))
    return normal, anomalous


@styled
def validation_scores(scores: ArrayLike, threshold: Threshold) -> Figure:
    """Sorted scores of the held-out normal clips, with the threshold that was fitted on them.

    Parameters
    ----------
    scores : array_like, shape (n,)
        What the threshold was calibrated on.
    threshold : Threshold
        The fitted threshold.
    """
    values = np.sort(np.asarray(scores, dtype=float))
    above = values > threshold.value
    shares = (np.arange(len(values)) + 1) / len(values)
    figure = new_figure()
    axes = tidy(figure.subplots(), "both")
    for chosen, colour, label in (
        (~above, BLUE, tr("{n_below} clips at or below the threshold", n_below=(~above).sum())),
        (above, ANOMALY, tr("{n_above} above", n_above=above.sum())),
    ):
        axes.plot(shares[chosen], values[chosen], "o", color=colour, markersize=4, label=label)
    name = tr("threshold {value:.4g} ({method})", value=threshold.value, method=threshold.method)
    axes.axhline(threshold.value, color=BLACK, linewidth=1.4, linestyle="--", label=name)
    axes.set_yscale(**score_scale([*values, threshold.value]))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set(
        xlim=(0, 1.02), xlabel=tr("Share of held-out normal clips, sorted"), ylabel=score_label()
    )
    promise = tr("no false-alarm rate promised")
    if threshold.promised_rate is not None:
        promise = tr("promised: at most {rate:.2%} false alarms", rate=threshold.promised_rate)
    axes.set_title(tr("Calibration on {n} normal clips; {promise}", n=len(values), promise=promise))
    axes.legend(loc="upper left")
    return figure


@styled
def loss_curve(history: Sequence[Mapping[str, float]]) -> Figure:
    """Training and validation loss over epochs.

    Parameters
    ----------
    history : sequence of mapping
        One mapping an epoch: `epoch`, `train_loss` and, where there were validation clips,
        `valid_loss`.
    """
    epochs = [row["epoch"] for row in history]
    names = {"training": tr("training"), "validation": tr("validation")}
    losses = {
        label: [row[key] for row in history]
        for label, key in (("training", "train_loss"), ("validation", "valid_loss"))
        if all(key in row for row in history)
    }
    colours = {"training": BLUE, "validation": ORANGE}
    figure = new_figure()
    axes = tidy(figure.subplots(), "both")
    for label, values in losses.items():
        axes.plot(epochs, values, color=colours[label], linewidth=2, label=names[label])
    judge = "validation" if "validation" in losses else "training"
    best = int(np.argmin(losses[judge]))
    lowest = losses[judge][best]
    axes.plot(epochs[best], lowest, "o", color=colours[judge], markersize=8)
    last = tr(", the last: more epochs may help") if best == len(epochs) - 1 else ""
    axes.set_title(
        tr(
            "Best {judge} loss: {lowest:.4g} at epoch {epoch:g}{last}",
            judge=names[judge],
            lowest=lowest,
            epoch=epochs[best],
            last=last,
        )
    )
    drawn = [value for values in losses.values() for value in values]
    if min(drawn) > 0 and max(drawn) > 10 * min(drawn):
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=tr("Epoch"), ylabel=tr("Loss"))
    axes.legend(loc="upper right")
    return figure
