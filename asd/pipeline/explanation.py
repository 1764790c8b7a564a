"""Where in a recording, and at which frequencies, its most unusual sound is."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asd.arrays import Spectrogram, Vector
from asd.audio.container import Watch
from asd.decision.events import runs
from asd.features.base import Axes
from asd.pipeline.judge import Judge
from asd.pipeline.verdict import Verdict

Span = tuple[float, float]

MOST_SPANS = 3
"""Bands, and stretches of time, that are told at most: the most unusual ones."""
_USUAL = 0.25
"""Quantile of a profile that stands for what is not unusual in it."""
_SHARE = 0.5
"""Of the way from there to the peak: what lies above is told."""
_FLAT = 2.0
"""A profile whose peak is not this many times its usual value has no place that stands out."""
_SMOOTH_S = 0.1
"""Time over which a profile is smoothed, in seconds."""


@dataclass(frozen=True)
class Explanation:
    """What is unusual in the window of a recording that has the highest score."""

    bands_hz: tuple[Span, ...]
    """Lowest and highest frequency of each band, rising; none where the rows of the front end are
    no frequencies."""
    times_s: tuple[Span, ...]
    """Start and end of each stretch, in seconds from the start of the recording, rising."""


def explain(
    judge: Judge,
    source: Path | bytes,
    verdict: Verdict,
    machine: str | None = None,
    watch: Watch | None = None,
) -> Explanation:
    """Say what is unusual in a recording that was judged.

    Parameters
    ----------
    judge : Judge
        What judged it.
    source, machine, watch
        As they were given to `Judge.judge`.
    verdict : Verdict
        What came of it.
    """
    worst = verdict.worst
    end_s = worst.start_s + worst.duration_s
    window = judge.parts(source, [(worst.start_s, end_s)], watch)
    [unusual] = judge.scorer.explain_samples(window, machine)
    axes = judge.scorer.of_machine(machine).front_ends[0].axes()
    return located(unusual, axes, worst.start_s, end_s)


def located(unusual: Spectrogram, axes: Axes, start_s: float, end_s: float) -> Explanation:
    """Where a map is high.

    Parameters
    ----------
    unusual : ndarray, shape (n_rows, n_frames)
        How unusual each part of a window is, >= 0.
    axes : Axes
        What rows and columns are.
    start_s, end_s : float
        The window, in seconds.
    """
    values = np.asarray(unusual, dtype=np.float64)
    width = max(1, round(_SMOOTH_S / axes.seconds_per_frame))
    # Frames first, then rows in those frames, then frames in those rows: each sharpens the other.
    frames = _spans(_smoothed(values.mean(axis=0), width))
    rows = _spans(values[:, _covered(frames)].mean(axis=1))
    frames = _spans(_smoothed(values[_covered(rows)].mean(axis=0), width))
    times = tuple(
        (
            round(start_s + first * axes.seconds_per_frame, 3),
            round(min(end_s, start_s + (last + 1) * axes.seconds_per_frame), 3),
        )
        for first, last in frames
    )
    return Explanation(_bands(rows, axes), times)


def _bands(rows: list[tuple[int, int]], axes: Axes) -> tuple[Span, ...]:
    if axes.row_unit != "Hz":
        return ()
    between = (axes.rows[1:] + axes.rows[:-1]) / 2
    edges = np.concatenate([axes.rows[:1], between, axes.rows[-1:]])
    return tuple(
        (round(float(edges[first]), 1), round(float(edges[last + 1]), 1)) for first, last in rows
    )


def _spans(profile: Vector) -> list[tuple[int, int]]:
    """First and last place of each stretch in which a profile is high; all of a flat one."""
    usual, peak = float(np.quantile(profile, _USUAL)), float(profile.max())
    if peak <= _FLAT * usual or peak == 0:
        return [(0, len(profile) - 1)]
    found = list(runs(profile >= usual + _SHARE * (peak - usual)))
    found.sort(key=lambda span: -float(profile[span[0] : span[1] + 1].sum()))
    return sorted(found[:MOST_SPANS])


def _covered(spans: list[tuple[int, int]]) -> list[int]:
    return [place for first, last in spans for place in range(first, last + 1)]


def _smoothed(profile: Vector, width: int) -> Vector:
    """Mean over `width` places around each; fewer at the ends."""
    kernel = np.ones(min(width, len(profile)))
    total = np.convolve(profile, kernel, mode="same")
    return np.asarray(total / np.convolve(np.ones(len(profile)), kernel, mode="same"))
