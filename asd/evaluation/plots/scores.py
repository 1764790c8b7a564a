"""Scores of all clips: histogram, and the bar of each file."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any
from unicodedata import east_asian_width

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.markers import CARETDOWN
from matplotlib.patches import Patch
from numpy.typing import NDArray

from asd.evaluation.style import (
    ANOMALY,
    BLACK,
    GREY,
    GROUPS,
    NORMAL,
    new_figure,
    score_label,
    score_scale,
    shorten,
    styled,
    tidy,
)
from asd.evaluation.table import GroupBy, ScoreTable, group_word
from asd.language import tr

Values = NDArray[np.float64]

MAX_NAMES = 48
"""With more clips than this their names do not fit below the bars."""
MAX_GROUPS = 24
"""With more groups than this the last are drawn as one."""
LINE_INCHES = 0.17
"""Height of a line of text."""


@styled
def score_histogram(table: ScoreTable) -> Figure:
    """How the scores of normal and anomalous clips are spread, and where the threshold cuts."""
    figure = new_figure()
    axes = tidy(figure.subplots())
    axes.set_xscale(**score_scale([*table.scores, table.threshold]))
    bins = _bins(axes, table.scores)
    classes = (
        (tr("normal"), table.normal, NORMAL),
        (tr("anomalous"), table.anomalous, ANOMALY),
        (tr("not labelled"), ~(table.normal | table.anomalous), GREY),
    )
    for name, members, colour in classes:
        scores = table.scores[members]
        if len(scores) == 0:
            continue
        above = float((scores > table.threshold).mean())
        label = tr("{name}: {n} clips, {above:.1%} above", name=name, n=len(scores), above=above)
        style: dict[str, Any] = {"bins": bins, "weights": np.full(len(scores), 1 / len(scores))}
        axes.hist(scores, **style, color=colour, alpha=0.45, label=label)
        axes.hist(scores, **style, color=colour, histtype="step", linewidth=1.6)
    label = tr("threshold {value:.4g}", value=table.threshold)
    axes.axvline(table.threshold, color=BLACK, linewidth=1.6, linestyle="--", label=label)
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.set(
        xlabel=score_label(),
        ylabel=tr("Share of the clips of a class"),
        title=tr("Scores of the test clips"),
    )
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@styled
def score_bars(table: ScoreTable, by: GroupBy = "condition") -> Figure:
    """One bar a clip, ordered by group and then by score.

    Bars are coloured by group (for `pitch`, by the shift); the band
    below them is dark where the clip is an anomaly. With few clips their names stand below, with
    many those of the groups.

    Parameters
    ----------
    table : ScoreTable
        The scored clips.
    by : {"condition", "domain", "machine", "pitch"}
        What the clips of a group share.
    """
    names, order, starts = _order(table, by)
    figure = new_figure(12.0, 6.2 if len(table) <= MAX_NAMES else 5.4)
    axes, band = figure.subplots(2, 1, sharex=True, height_ratios=[22, 1])
    tidy(axes)
    _draw_bars(axes, table.scores[order], starts, table.threshold)
    label = tr("threshold {value:.4g}", value=table.threshold)
    axes.axhline(table.threshold, color=BLACK, linewidth=1.4, linestyle="--", label=label)
    missed = np.flatnonzero((table.anomalous & ~table.is_anomaly)[order])
    if len(missed):
        axes.plot(
            missed + 0.5, table.scores[order][missed], marker=CARETDOWN, linestyle="none",
            color=ANOMALY, markersize=9, markeredgecolor="white", clip_on=False, zorder=4,
            label=tr("missed ({n})", n=len(missed)),
        )  # fmt: skip
    # In two lines: names of conditions below may leave the axis little height.
    axes.set(ylabel=score_label().replace(" (", "\n("), xlim=(0, len(table)))
    axes.tick_params(bottom=False)
    alarms = int(table.is_anomaly.sum())
    axes.set_title(
        tr(
            "Score of each clip, by {by}: {alarms} of {n} above the threshold",
            by=group_word(by),
            alarms=alarms,
            n=len(table),
        )
    )
    _draw_truth(band, table, order)
    for edge in starts[1:-1]:
        axes.axvline(edge, color=GREY, linewidth=0.8)
    handles = [*axes.get_legend_handles_labels()[0], Patch(color=ANOMALY, label=tr("anomaly"))]
    sized = [f"{shorten(name, 20)} ({n})" for name, n in zip(names, np.diff(starts), strict=True)]
    if len(table) <= MAX_NAMES:
        files = [shorten(PurePosixPath(table.clips[row].path).name) for row in order]
        band.set_xticks(np.arange(len(files)) + 0.5, files, rotation=90)
        handles += [Patch(color=_colour(i), label=name) for i, name in enumerate(sized)]
    else:
        _name_groups(band, sized, starts)
    figure.legend(handles=handles, loc="outside upper right", ncols=min(len(handles), 5))
    return figure


def _bins(axes: Axes, scores: Values) -> Values:
    """Edges that are equally far apart on the x axis as it is scaled."""
    low, high = float(scores.min()), float(scores.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    count = int(np.clip(2 * np.sqrt(len(scores)), 10, 60)) + 1
    scale = axes.xaxis.get_transform()
    left, right = scale.transform([low, high])
    edges = np.asarray(scale.inverted().transform(np.linspace(left, right, count)))
    # There and back again is not exact, and the extreme scores must not fall out.
    edges[0], edges[-1] = low, high
    return edges


def _order(table: ScoreTable, by: GroupBy) -> tuple[list[str], NDArray[np.int64], list[int]]:
    """Names of the groups, row numbers in the order of the bars, and where each group starts."""
    groups = table.groups(by)
    if by == "pitch":
        groups = _by_shift(groups)
    else:
        # Normal groups first, then from the hardest to the easiest to tell from them.
        groups = dict(
            sorted(
                groups.items(),
                key=lambda item: (
                    bool((table.anomalous & item[1]).any()),
                    float(np.median(table.scores[item[1]])),
                ),
            )
        )
    names, masks = list(groups), list(groups.values())
    if len(names) > MAX_GROUPS:
        rest = np.any(masks[MAX_GROUPS - 1 :], axis=0)
        names = [*names[: MAX_GROUPS - 1], tr("{n} others", n=len(names) - MAX_GROUPS + 1)]
        masks = [*masks[: MAX_GROUPS - 1], rest]
    rows = [np.flatnonzero(mask) for mask in masks]
    rows = [members[np.argsort(table.scores[members], kind="stable")] for members in rows]
    starts = np.concatenate([[0], np.cumsum([len(members) for members in rows])])
    return names, np.concatenate(rows), starts.tolist()


def _by_shift(groups: dict[str, NDArray[np.bool_]]) -> dict[str, NDArray[np.bool_]]:
    """Pitch groups by the size of the shift, smallest first, down before up."""
    shifts = {float(name.removeprefix("pitch_")): members for name, members in groups.items()}
    return {
        (tr("{shift:+g} semitones", shift=shift) if shift else tr("not shifted")): shifts[shift]
        for shift in sorted(shifts, key=lambda shift: (abs(shift), shift))
    }


def _draw_bars(axes: Axes, scores: Values, starts: Sequence[int], threshold: float) -> None:
    shown = np.append(scores, threshold)
    scale = score_scale(shown)
    low, high = float(shown.min()), float(shown.max())
    margin = 0.05 * (high - low or 1.0)
    if scale["value"] == "log":
        bottom, top = low / 1.5, high * 1.5
    elif scale["value"] == "symlog":
        bottom, top = low - 0.2 * abs(low), high + 0.5 * abs(high)
    else:
        # Scores have no natural zero; from 0 only where that leaves the differences visible.
        bottom, top = (0.0 if 0 <= low <= high / 2 else low - margin), high + margin
    # Gaps between bars help the eye while there are few, and blur into stripes when many.
    gap = 0.12 if len(scores) <= 120 else 0.0
    left = np.arange(len(scores)) + gap
    right = np.arange(len(scores)) + 1 - gap
    foot = np.full(len(scores), bottom)
    corners = np.stack(
        [
            np.stack([left, foot], axis=-1),
            np.stack([left, scores], axis=-1),
            np.stack([right, scores], axis=-1),
            np.stack([right, foot], axis=-1),
        ],
        axis=1,
    )
    colours = np.repeat([_colour(i) for i in range(len(starts) - 1)], np.diff(starts)).tolist()
    axes.set_yscale(**scale)
    axes.add_collection(PolyCollection(list(corners), facecolors=colours, antialiased=gap > 0))
    axes.set_ylim(bottom, top)


def _draw_truth(band: Axes, table: ScoreTable, order: NDArray[np.int64]) -> None:
    truth = np.where(table.anomalous, 2, np.where(table.normal, 0, 1))[order]
    colours = ListedColormap(["#EDEDED", "white", ANOMALY])
    extent = (0.0, float(len(order)), 0.0, 1.0)
    band.imshow(
        truth[None],
        aspect="auto",
        cmap=colours,
        vmin=0,
        vmax=2,
        extent=extent,
        interpolation="nearest",
    )
    tidy(band, grid=None).set(yticks=[0.5], yticklabels=[tr("truth")])
    band.tick_params(length=0)
    band.spines[:].set_visible(False)


def _name_groups(band: Axes, names: Sequence[str], starts: Sequence[int]) -> None:
    """Group names below the bars, upright where they are too long, none where it is too narrow."""
    inches = 11.0 * np.diff(starts) / starts[-1]
    upright = any(_width(name) > room for name, room in zip(names, inches, strict=True))
    centres = np.asarray(starts[:-1]) + np.diff(starts) / 2
    shown = [i for i, room in enumerate(inches) if not upright or room > LINE_INCHES]
    labels = [names[i] for i in shown]
    band.set_xticks(centres[shown], labels, rotation=90 if upright else 0)


def _width(text: str) -> float:
    """Roughly how many inches `text` takes: Japanese characters are wide."""
    return sum(0.13 if east_asian_width(character) in "WF" else 0.085 for character in text)


def _colour(index: int) -> str:
    return GROUPS[index % len(GROUPS)]
