"""Decisions at the threshold: confusion matrix, false alarms by condition."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from asd.decision.promise import DAY_S, WEEK_S, Promise
from asd.errors import DataError
from asd.evaluation.metrics import alarm_interval
from asd.evaluation.style import ANOMALY, BLACK, BLUE, NORMAL, new_figure, shorten, styled, tidy
from asd.evaluation.table import GroupBy, ScoreTable, group_word
from asd.language import tr


@styled
def confusion_matrix(table: ScoreTable) -> Figure:
    """Truth against decision: counts, and shares of each true class; `unknown` takes no part."""
    alarm = table.is_anomaly
    counts = np.array(
        [
            [(truth & ~alarm).sum(), (truth & alarm).sum()]
            for truth in (table.normal, table.anomalous)
        ]
    )
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    figure = new_figure(5.6, 4.6)
    axes = tidy(figure.subplots(), grid=None)
    # Right decisions are blue and wrong ones vermillion, the more so the more frequent.
    right = LinearSegmentedColormap.from_list("right", ["white", NORMAL])
    wrong = LinearSegmentedColormap.from_list("wrong", ["white", ANOMALY])
    names = ((tr("rightly quiet"), tr("false alarms")), (tr("faults missed"), tr("faults found")))
    for row, column in np.ndindex(2, 2):
        share = float(shares[row, column])
        colours = right if row == column else wrong
        axes.fill_between([column, column + 1], row, row + 1, color=colours(0.06 + 0.8 * share))
        ink = "white" if share > 0.75 else "black"
        centre = column + 0.5
        axes.text(centre, row + 0.42, f"{counts[row, column]}", size=22, ha="center", color=ink)
        text = (
            tr("{what}, {share:.1%}", what=names[row][column], share=share)
            if totals[row]
            else names[row][column]
        )
        axes.text(centre, row + 0.68, text, ha="center", color=ink)
    axes.set(xlim=(0, 2), ylim=(2, 0), xticks=[0.5, 1.5], yticks=[0.5, 1.5])
    axes.set_xticklabels([tr("no alarm"), tr("alarm")])
    axes.set_yticklabels(
        [tr("normal\n({n} clips)", n=totals[0, 0]), tr("anomalous\n({n} clips)", n=totals[1, 0])]
    )
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(
        xlabel=tr("Decision"),
        ylabel=tr("Truth"),
        title=tr("Decisions at threshold {value:.4g}", value=table.threshold),
    )
    return figure


@styled
def false_alarm_by_condition(
    table: ScoreTable, by: GroupBy = "condition", promised_rate: float | None = None
) -> Figure:
    """False-alarm rate of the normal clips of each group, with its 95 % interval over recordings.

    Parameters
    ----------
    table : ScoreTable
        The scored clips.
    by : {"condition", "domain", "machine", "pitch"}
        What the clips of a group share.
    promised_rate : float, optional
        The rate that the threshold promises, drawn as a line.

    Raises
    ------
    DataError
        There is no normal clip.
    """
    masks = {name: table.normal & members for name, members in table.groups(by).items()}
    masks = {tr("all"): table.normal} | {name: mask for name, mask in masks.items() if mask.any()}
    if not table.normal.any():
        raise DataError(tr("false alarms need normal clips in the test set"))
    sizes = np.array([int(mask.sum()) for mask in masks.values()])
    alarms = np.array([int(table.is_anomaly[mask].sum()) for mask in masks.values()])
    rates = alarms / sizes
    low, high = np.array([alarm_interval(table.select(mask)) for mask in masks.values()]).T
    figure = new_figure(8.0, 1.8 + 0.38 * len(masks))
    axes = tidy(figure.subplots(), "x")
    rows = np.arange(len(masks))
    axes.hlines(
        rows,
        low,
        high,
        color=BLUE,
        linewidth=5,
        alpha=0.35,
        label=tr("95 % interval over recordings"),
    )
    axes.plot(rates, rows, "o", color=BLUE, markersize=8, label=tr("seen on this test set"))
    for row, k, n, end in zip(rows, alarms, sizes, high, strict=True):
        axes.annotate(
            tr("{k} of {n}", k=k, n=n),
            (end, row),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
        )
    if promised_rate is not None:
        label = tr("promised: {rate:.2%}", rate=promised_rate)
        axes.axvline(promised_rate, color=BLACK, linestyle="--", linewidth=1.4, label=label)
    right = max([*high.tolist(), promised_rate or 0.0])
    axes.set(xlim=(0, max(0.05, 1.15 * right)), ylim=(len(masks) - 0.5, -0.5))
    axes.set_yticks(rows, [shorten(name.replace("pitch_", tr("semitones "))) for name in masks])
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel(tr("False-alarm rate (share of normal clips judged anomalous)"))
    axes.set_title(tr("False alarms by {by}", by=group_word(by)))
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@styled
def promise(told: Promise, decision_s: float) -> Figure:
    """False alarms a day that a number of recordings can promise at best, and where one is.

    Parameters
    ----------
    told : Promise
        What the recordings at hand can promise.
    decision_s : float
        Seconds from one verdict to the next.
    """
    figure = new_figure(6.4, 3.8)
    axes = tidy(figure.subplots(), "both")
    most = max(told.n_units + told.more_for_one_a_week, told.n_units, 1)
    counts = np.unique(np.geomspace(1, 1.5 * most, 200).round())
    axes.loglog(counts, DAY_S / decision_s / (counts + 1), color=BLUE, linewidth=2.2)
    axes.minorticks_off()
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,g}")
    for rate, name in ((1.0, tr("one a day")), (DAY_S / WEEK_S, tr("one a week"))):
        axes.axhline(rate, color=BLACK, linestyle="--", linewidth=1)
        axes.annotate(name, (1, rate), xytext=(2, 3), textcoords="offset points")
    axes.plot(told.n_units, told.alarms_per_day, "o", color=BLUE, markersize=9)
    axes.annotate(
        tr("{n} now: {alarms:,.0f} a day", n=told.n_units, alarms=told.alarms_per_day),
        (told.n_units, told.alarms_per_day),
        xytext=(8, 6),
        textcoords="offset points",
    )
    axes.set(
        xlabel=tr("Recordings (or sessions) of the machine running well"),
        ylabel=tr("False alarms a day"),
        title=tr("What can be promised, one verdict every {every:g} s", every=decision_s),
    )
    return figure
