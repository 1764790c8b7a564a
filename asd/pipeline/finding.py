"""What is unusual in a sound, in figures: which bands, how much louder or quieter, and when."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from asd.arrays import Spectrogram, Vector
from asd.features.base import Axes
from asd.pipeline.usual import LOW, POWER, Expected, profile

Rhythm = Literal["steady", "repeating", "once", "several"]
Span = tuple[float, float]

_LEAST = 3.0
"""Bands are unusual from so many times the scatter of normal clips on."""
_OF_PEAK = 0.5
"""A band reaches as far as the evidence is this share of its highest."""
_GAP_ROWS = 3
_MOST_BANDS = 3
_TONAL_ROWS = 3
_STEADY = 0.6
"""Share of the frames from which on a sound is there for most of the time."""
_LEAST_DB = 3.0
_GAP_S = 0.15
"""Parts less than this apart are one."""
_LEAST_PERIODIC = 0.5
"""Autocorrelation from which on something repeats."""
_LEAST_DEPTH_DB = 6.0

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Finding:
    """What is unusual in a sound."""

    bands_hz: tuple[Span, ...]
    """Lower and upper edge of each band, the most unusual first; all louder, or all quieter."""
    times_s: tuple[Span, ...]
    """When, from the start of the sound."""
    level_db: float | None
    """Above (positive) or below the usual, in these bands at these times; None where level does
    not tell it from the usual."""
    rhythm: Rhythm
    rate_hz: float | None
    """How often a second it repeats."""
    duration_s: float
    """Length of the sound."""
    tonal: bool
    """A tone: steady, and as narrow as can be told."""
    floor_hz: float
    """Lower edge of the lowest band there is."""
    ceiling_hz: float
    """Upper edge of the highest band there is."""

    def within(self, start_s: float, duration_s: float) -> "Finding":
        """The same as a part of a sound of `duration_s` that begins at its `start_s`."""
        times = tuple((start_s + start, start_s + end) for start, end in self.times_s)
        return replace(self, times_s=times, duration_s=duration_s)


def find(
    sound: Spectrogram, axes: Axes, expected: Expected | None, unusual: Spectrogram | None
) -> Finding | None:
    """Find what is unusual in a sound.

    Parameters
    ----------
    sound : ndarray of shape (n_bands, n_frames)
        Levels in dB.
    axes : Axes
        Of `sound`: bands in Hz.
    expected : Expected or None
        What it would be like, were it as usual; without it levels say nothing.
    unusual : ndarray of shape (n_bands, n_frames), optional
        What the detector finds unusual, >= 0: says which bands come first, and alone where no
        level is unusual.

    Returns
    -------
    Finding or None
        None where nothing stands out.
    """
    weights = np.ones(len(sound)) if unusual is None else np.asarray(unusual.mean(axis=1), float)
    weights = weights / (weights.max() or 1.0)
    if expected is not None:
        evidence = _evidence(sound, expected)
        bands = _bands(evidence, weights)
        if bands:
            louder = bool(evidence[bands[0]].mean() > 0)
            alike = [band for band in bands if (evidence[band].mean() > 0) == louder]
            return _of_level(sound, axes, expected, alike, louder)
    if unusual is None or not unusual.any():
        return None
    rows = weights >= _OF_PEAK
    band = max(_runs(rows, _GAP_ROWS), key=lambda run: float(weights[run].sum()))
    return _of_map(unusual, axes, band)


def _evidence(sound: Spectrogram, expected: Expected) -> Vector:
    """How many times the usual scatter each band is away, with the sign of the change."""
    away = (profile(sound) - expected.profile) / expected.scatter
    # Codecs leave holes in quiet moments: what is then lower than usual is no less of a sound.
    away[LOW] = np.maximum(away[LOW], 0)
    strongest = np.abs(away).argmax(axis=0)
    return np.asarray(away[strongest, np.arange(away.shape[1])], np.float64)


def _bands(evidence: Vector, weights: Vector) -> list[slice]:
    """Runs of rows that are unusual, those first that count most."""
    size = np.abs(evidence)
    peak = float(size.max())
    if peak < _LEAST:
        return []
    unusual = size >= max(_LEAST, _OF_PEAK * peak)
    runs = [
        run for sign in (1, -1) for run in _runs(unusual & (np.sign(evidence) == sign), _GAP_ROWS)
    ]
    runs.sort(key=lambda run: -float((size[run] * (0.5 + weights[run])).sum()))
    return runs[:_MOST_BANDS]


def _runs(mask: Mask, gap: int) -> list[slice]:
    """Runs of True, joined over at most `gap` places between."""
    places = np.flatnonzero(mask)
    if not len(places):
        return []
    parts = np.split(places, np.flatnonzero(np.diff(places) > gap + 1) + 1)
    return [slice(int(part[0]), int(part[-1]) + 1) for part in parts]


def _of_level(
    sound: Spectrogram, axes: Axes, expected: Expected, bands: list[slice], louder: bool
) -> Finding:
    rows = np.concatenate([np.arange(band.start, band.stop) for band in bands])
    power = _smooth(np.power(10, sound[rows].astype(np.float64) / 10).sum(axis=0))
    usual = float(np.power(10, expected.profile[POWER, rows] / 10).sum())
    excess = 10 * np.log10(power / usual)
    towards = excess if louder else -excess
    there, rhythm, rate = _rhythm(towards, axes.seconds_per_frame)
    level = 10 * np.log10(float(power[there].mean()) / usual)
    tonal = louder and len(rows) <= _TONAL_ROWS and rhythm == "steady"
    return _finding(axes, bands, there, rhythm, rate, float(level), tonal)


def _of_map(unusual: Spectrogram, axes: Axes, band: slice) -> Finding:
    course = _smooth(unusual[band].mean(axis=0).astype(np.float64))
    decibels = 10 * np.log10(course / (np.median(course) or 1.0) + 1e-9)
    there, rhythm, rate = _rhythm(decibels, axes.seconds_per_frame)
    return _finding(axes, [band], there, rhythm, rate, None, False)


def _smooth(course: Vector) -> Vector:
    """Mean over three frames: the power of noise in a few bands leaps from frame to frame."""
    return np.asarray(uniform_filter1d(course, 3), np.float64)


def _rhythm(course_db: Vector, step_s: float) -> tuple[Mask, Rhythm, float | None]:
    """At which frames something is there, and whether steadily, again and again, or once.

    Parameters
    ----------
    course_db : ndarray of shape (n_frames,)
        By how much the usual is passed.
    step_s : float
        From frame to frame.
    """
    peak = float(np.quantile(course_db, 0.98))
    there = course_db >= max(_LEAST_DB, _OF_PEAK * peak) if peak > _LEAST_DB else course_db >= 0
    if not there.any():
        there = course_db >= course_db.max()
    rate = _rate(course_db, step_s)
    if rate is not None:
        return there, "repeating", rate
    if there.mean() >= _STEADY:
        return there, "steady", None
    parts = _runs(there, round(_GAP_S / step_s))
    return there, "once" if len(parts) == 1 else "several", None


def _rate(course_db: Vector, step_s: float) -> float | None:
    """How often a second it comes again, from the autocorrelation; None where it does not."""
    depth = float(np.subtract(*np.quantile(course_db, (0.98, 0.2))))
    if depth < _LEAST_DEPTH_DB or len(course_db) < 16:
        return None
    course = np.clip(course_db, np.quantile(course_db, 0.2), None)
    course = course - course.mean()
    n = len(course)
    whole = np.correlate(course, course, "full")[n - 1 :]
    alike = whole / whole[0] * n / np.arange(n, 0, -1)
    first = int(np.argmax(alike < 0.2)) or n
    # At least five times in the sound, or it cannot be told from chance.
    lags = np.arange(max(first, 2), n // 5)
    if not len(lags):
        return None
    best = float(alike[lags].max())
    if best < _LEAST_PERIODIC:
        return None
    near = lags[alike[lags] >= 0.9 * best]
    return 1 / (_peak(alike, int(near[0])) * step_s)


def _peak(alike: Vector, lag: int) -> float:
    """The lag of the next maximum, between frames, by a parabola."""
    while lag + 1 < len(alike) and alike[lag + 1] > alike[lag]:
        lag += 1
    before, here, after = alike[lag - 1 : lag + 2]
    curve = before - 2 * here + after
    return lag + (0.5 * (before - after) / curve if curve < 0 else 0.0)


def _finding(
    axes: Axes,
    bands: list[slice],
    there: Mask,
    rhythm: Rhythm,
    rate: float | None,
    level_db: float | None,
    tonal: bool,
) -> Finding:
    step, edges = axes.seconds_per_frame, _edges(axes.rows)
    seconds = len(there) * step
    parts = _runs(there, round(_GAP_S / step))
    times = [(part.start * step, part.stop * step) for part in parts]
    if rhythm in ("steady", "repeating"):
        times = [(times[0][0], times[-1][1])]
    return Finding(
        bands_hz=tuple((float(edges[band.start]), float(edges[band.stop])) for band in bands),
        times_s=tuple((float(start), float(end)) for start, end in times),
        level_db=level_db,
        rhythm=rhythm,
        rate_hz=rate,
        duration_s=seconds,
        tonal=tonal,
        floor_hz=float(edges[0]),
        ceiling_hz=float(edges[-1]),
    )


def _edges(centres: Vector) -> Vector:
    """Edges of bands from their centres, ``(n + 1,)``."""
    inner = (centres[:-1] + centres[1:]) / 2
    first, last = max(0.0, 2 * centres[0] - inner[0]), 2 * centres[-1] - inner[-1]
    return np.concatenate([[first], inner, [last]])
