"""Figures of a sweep: what was tried, and what came of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from asd.evaluation.style import BLACK, BLUE, GREY, GROUPS, VERMILLION, new_figure, styled, tidy
from asd.language import tr

_ABSENT = -0.15
"""Where a key stands that a trial does not have, on an axis from 0 to 1."""
_MISSING = object()
"""In place of the value of a key that a trial does not have."""
_FEW = 6
"""Up to so many different numbers each has a tick of its own."""
_COLUMNS = 4
_FIRM = 30
"""Below so many trials importances change much from sweep to sweep."""
_SHAPES = ("o", "s", "^")


@dataclass(frozen=True)
class Tried:
    """One completed trial."""

    number: int
    detector: str
    values: Mapping[str, Any]
    result: float


@styled
def sweep_history(trials: Sequence[Tried], metric: str, lower_is_better: bool = False) -> Figure:
    """Each trial's result in order, by detector, and the best so far.

    Parameters
    ----------
    trials : sequence of Tried
        Completed trials, in order.
    metric : str
        What the results are.
    lower_is_better : bool
        Whether the lowest result is the best.
    """
    figure = new_figure()
    axes = tidy(figure.subplots())
    numbers = [trial.number for trial in trials]
    results = np.array([trial.result for trial in trials])
    best = np.minimum.accumulate(results) if lower_is_better else np.maximum.accumulate(results)
    axes.step(numbers, best, where="post", color=BLACK, linewidth=1.2, label=tr("best so far"))
    for detector, look in _looks(trials).items():
        own = [trial for trial in trials if trial.detector == detector]
        axes.scatter(
            [trial.number for trial in own],
            [trial.result for trial in own],
            label=detector,
            zorder=3,
            **look,
        )
    axes.set(xlabel=tr("Trial"), ylabel=metric, title=tr("What each trial came to"))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside right upper")
    return figure


@styled
def sweep_importances(
    importances: Mapping[str, float], metric: str, n_trials: int | None = None
) -> Figure:
    """How much each key decides whether a trial is among the best, in shares of all keys.

    Parameters
    ----------
    importances : mapping
        Keys to shares.
    metric : str
        What they are important for.
    n_trials : int, optional
        Trials they were told from; few of them are no firm ground.
    """
    keys = sorted(importances, key=lambda key: importances[key])
    figure = new_figure(8, 1.4 + 0.28 * len(keys))
    axes = tidy(figure.subplots(), "x")
    few = n_trials is not None and n_trials < _FIRM
    caveat = tr(" (a guess from {n_trials} trials)", n_trials=n_trials) if few else ""
    bars = axes.barh(keys, [importances[key] for key in keys], color=BLUE)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=9)
    axes.margins(x=0.12)
    axes.set(
        xlabel=tr("Importance for {metric}", metric=metric),
        title=tr("What mattered{caveat}", caveat=caveat),
    )
    return figure


@styled
def sweep_parallel_coordinates(
    trials: Sequence[Tried], keys: Sequence[str], metric: str, lower_is_better: bool = False
) -> Figure:
    """One line a trial through the values of `keys`; the better, the darker.

    Parameters
    ----------
    trials : sequence of Tried
        Completed trials.
    keys : sequence of str
        Which keys, at least one; "–" is the place of trials that do not have it.
    metric : str
        What the results are.
    lower_is_better : bool
        Which end is dark.
    """
    figure = new_figure(2.5 + 1.5 * len(keys), 5)
    axes = figure.subplots()
    results = np.array([trial.result for trial in trials])
    scale = Normalize(results.min(), results.max())
    colours = colormaps["YlGnBu_r" if lower_is_better else "YlGnBu"]
    scales = [_scale([trial.values.get(key, _MISSING) for trial in trials]) for key in keys]
    order = np.argsort(results if not lower_is_better else -results, kind="stable")
    for index in order:
        line = [places[index] for places, _ in scales]
        axes.plot(line, color=colours(0.15 + 0.85 * scale(results[index])), linewidth=1.6)
    for position, (key, (_, ticks)) in enumerate(zip(keys, scales, strict=True)):
        axes.axvline(position, color=GREY, linewidth=1)
        for place, label in ticks.items():
            axes.annotate(
                label, (position, place), (4, 0), textcoords="offset points", fontsize=8,
                va="center", bbox={"facecolor": "white", "alpha": 0.75, "pad": 0.5, "lw": 0},
            )  # fmt: skip
        axes.text(position, 1.06, key.replace(".", ".\n"), ha="center", fontsize=8, va="bottom")
    axes.set_axis_off()
    axes.set(xlim=(-0.1, len(keys) - 0.6), ylim=(_ABSENT - 0.04, 1.04))
    shade = figure.colorbar(ScalarMappable(scale, colours), ax=axes, pad=0.01)
    shade.set_label(metric)
    figure.suptitle(tr("Which values went together"), x=0.01, ha="left", fontsize=12)
    return figure


@styled
def sweep_slice(trials: Sequence[Tried], keys: Sequence[str], metric: str) -> Figure:
    """Results against the values of each of `keys`, by detector.

    Parameters
    ----------
    trials : sequence of Tried
        Completed trials.
    keys : sequence of str
        Which keys, at least one; trials that do not have a key are not in its picture.
    metric : str
        What the results are.
    """
    columns = min(_COLUMNS, len(keys))
    rows = math.ceil(len(keys) / columns)
    figure = new_figure(3.1 * columns + 1, 2.7 * rows)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    looks = _looks(trials)
    for axes, key in zip(grid.flat, keys, strict=False):
        own = [trial for trial in trials if key in trial.values]
        _draw_slice(tidy(axes), own, key, looks)
    for axes in grid[:, 0]:
        axes.set_ylabel(metric)
    for axes in list(grid.flat)[len(keys) :]:
        axes.set_axis_off()
    if len(looks) > 1:
        dots = [axes.scatter([], [], label=name, **look) for name, look in looks.items()]
        figure.legend(handles=dots, loc="outside right upper")
    return figure


@styled
def sweep_front(
    trials: Sequence[Tried], other: Sequence[float], metrics: tuple[str, str], best: Sequence[int]
) -> Figure:
    """Two results against each other, and the trials that no other beats in both.

    Parameters
    ----------
    trials : sequence of Tried
        Completed trials.
    other : sequence of float
        Their results in the second metric.
    metrics : tuple of str
        Names of the two.
    best : sequence of int
        Numbers of the trials on the front.
    """
    figure = new_figure()
    axes = tidy(figure.subplots(), "both")
    points = {trial.number: (y, trial.result) for trial, y in zip(trials, other, strict=True)}
    for detector, look in _looks(trials).items():
        own = [points[trial.number] for trial in trials if trial.detector == detector]
        x, y = np.array(own).T
        axes.scatter(x, y, label=detector, **look)
    front = sorted(points[number] for number in best)
    axes.plot(*np.array(front).T, "o-", color=VERMILLION, mfc="none", ms=9, label=tr("front"))
    axes.set(xlabel=metrics[1], ylabel=metrics[0], title=tr("What can be had for what"))
    if min(other) > 0 and max(other) / min(other) > 20:
        axes.set_xscale("log")
    figure.legend(loc="outside right upper")
    return figure


def _draw_slice(
    axes: Axes, own: Sequence[Tried], key: str, looks: Mapping[str, Mapping[str, Any]]
) -> None:
    places, ticks = _scale([trial.values[key] for trial in own])
    results = np.array([trial.result for trial in own])
    for detector, look in looks.items():
        mine = np.array([trial.detector == detector for trial in own], dtype=bool)
        axes.scatter(places[mine], results[mine], **look)
    crowded = len(ticks) > _FEW
    turned = max(map(len, ticks.values()), default=0) > 6 and len(ticks) > 2
    rotation = 90 if crowded and turned else 25 if turned else 0
    axes.set_xticks(list(ticks), list(ticks.values()), rotation=rotation)
    axes.set(xlabel=key, xlim=(-0.12, 1.12))


def _looks(trials: Sequence[Tried]) -> dict[str, dict[str, Any]]:
    """Colour of each detector's dots, and their shape, which changes where colours run out."""
    names = sorted({trial.detector for trial in trials})
    looks = {}
    for index, name in enumerate(names):
        turn, colour = divmod(index, len(GROUPS))
        dots = {"color": GROUPS[colour], "marker": _SHAPES[turn % len(_SHAPES)]}
        looks[name] = {**dots, "s": 34, "edgecolor": "white", "linewidth": 0.5}
    return looks


def _scale(values: Sequence[Any]) -> tuple[NDArray[np.float64], dict[float, str]]:
    """Places from 0 to 1 of values, absent ones below, and the ticks that explain them."""
    given = {value for value in values if value is not _MISSING}
    if len(given) > _FEW and all(isinstance(value, int | float) for value in given):
        places, ticks = _continuous(values)
    else:
        ordered = sorted(given, key=_order)
        top = max(1, len(ordered) - 1)
        known = {value: index / top for index, value in enumerate(ordered)}
        places = np.array([known.get(value, _ABSENT) for value in values])
        ticks = {place: _label(value) for value, place in known.items()}
    if any(value is _MISSING for value in values):
        ticks[_ABSENT] = "–"
    return places, ticks


def _order(value: Any) -> tuple[int, float, str]:
    """Numbers by size, words by letter, and nothing last."""
    if isinstance(value, int | float):
        return 0, value, ""
    return (2, 0.0, "") if value is None else (1, 0.0, str(value))


def _continuous(values: Sequence[Any]) -> tuple[NDArray[np.float64], dict[float, str]]:
    table = np.array([math.nan if value is _MISSING else float(value) for value in values])
    low, high = np.nanmin(table), np.nanmax(table)
    log = low > 0 and high / low >= 20
    ends = np.log([low, high]) if log else np.array([low, high])
    shown = np.log(table) if log else table
    places = np.nan_to_num((shown - ends[0]) / (ends[1] - ends[0]), nan=_ABSENT)
    middles = np.linspace(ends[0], ends[1], 3)
    ticks = np.exp(middles) if log else middles
    return places, {index / 2: _label(float(tick)) for index, tick in enumerate(ticks)}


def _label(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower()
