"""The rule of one machine, or of all: threshold, rate and p-values that agree."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from asd.decision.calibration import Calibration, Values, counted
from asd.decision.events import Event, expected_by_chance, peak_sample, runs
from asd.decision.pvalues import NormalSample, window_sample
from asd.decision.recording import recording_sample, recording_statistic, top_mean
from asd.decision.thresholds import Threshold
from asd.language import tr

_BELOW_ONE = float(np.nextafter(1.0, 0.0))


@dataclass(frozen=True)
class RecordingVerdict:
    """The judgement of a whole recording."""

    statistic: float
    """What is judged, in score units: the mean of the highest fifth of its scores."""
    p_value: float | None
    """None without calibration."""
    is_anomaly: bool
    note: str = ""
    """What the p-value rests on, where that is a model; empty for nothing."""


@dataclass(frozen=True, eq=False)
class Rule:
    r"""A threshold, the rate it stands for, and p-values that agree with both.

    A window, a recording and an event are anomalies exactly when their p-value is at most `rate`.
    For a window that is the case exactly when its score is greater than the threshold.

    A recording is judged by the mean of the highest fifth of its windows, an event by its highest
    window. Both are compared with what they are on blocks of as many windows in a row of the
    calibration recordings; a recording of one window is judged as the window.

    Notes
    -----
    **What is promised.** Let the new session (or recording, where sessions are not known) be
    exchangeable with the :math:`G` of the calibration, and those have recordings at least as long
    as the new one. Then, for any detector and any distribution, a normal window raises an alarm
    with probability `rate` at most, a normal recording does so by its verdict with probability
    `rate` at most, and so does a normal recording by any event at all, however many windows it has
    (hierarchical conformal prediction, see `NormalSample`; blocks of a recording are taken to be
    alike in distribution). The probability is over calibration and new sound together. No rate
    below :math:`1 / (G + 1)` can be promised.

    **What is modelled.** A recording longer than those of the calibration is compared with
    simulated ones (`Extension`), and the verdict's note says so. On simulated data the rate was
    kept there too, for windows that scatter normally, skewed, lognormally, or by other amounts in
    each recording (``benchmarks/bench_verdict.py``). Where each unit of the calibration is a single
    window, a recording of several is judged by the mean of its windows.

    **What is not promised.** Methods other than ``conformal`` have a rate that was not asked for:
    it is the p-value just above their threshold, so that one line is drawn for windows, recordings
    and events. ``fixed`` without calibration has no p-values; windows, and recordings by their
    statistic, are then anomalies above the threshold.
    """

    threshold: Threshold
    calibration: Calibration
    rate: float | None
    """Up to this p-value all is an anomaly; None without calibration."""

    @classmethod
    def of(cls, threshold: Threshold, calibration: Calibration) -> Self:
        """The rule that agrees with a threshold.

        The rate is that which the threshold promises. A threshold without a promise gets the
        p-value of scores just above it, so that both draw the line in one place.
        """
        if len(calibration) == 0:
            return cls(threshold, calibration, None)
        sample = window_sample(calibration)
        above = float(sample.p_above([threshold.value])[0])
        # No p-value is greater than 1: below all scores of the calibration, only less than 1 can
        # tell an alarm.
        rate = min(above, _BELOW_ONE)
        promised = threshold.promised_rate
        if promised is not None and above <= promised < sample.p_at_or_below(threshold.value):
            rate = promised
        return cls(threshold, calibration, rate)

    @cached_property
    def _windows(self) -> NormalSample:
        return window_sample(self.calibration)

    @cached_property
    def _recordings(self) -> Callable[[int], NormalSample]:
        return lru_cache(maxsize=64)(partial(recording_sample, self.calibration))

    @cached_property
    def _peaks(self) -> Callable[[int], NormalSample]:
        return lru_cache(maxsize=64)(partial(peak_sample, self.calibration))

    def windows(self, scores: Values) -> Values:
        """P-value of each window, ``(n,)``; NaN without calibration."""
        if self.rate is None:
            return np.full(len(scores), np.nan)
        p = self._windows.p_values(scores)
        # Between two scores of the calibration the p-value is that of the higher one. Where the
        # threshold lies there too, what is not above it gets that of the lower one.
        value = self.threshold.value
        at_most = np.maximum(p, self._windows.p_at_or_below(value))
        return np.where(scores > value, np.minimum(p, self.rate), at_most)

    def alarms(self, scores: Values) -> NDArray[np.bool_]:
        """Which windows are anomalies, ``(n,)``."""
        if self.rate is None:
            return np.asarray(scores > self.threshold.value)
        return np.asarray(self.windows(scores) <= self.rate)

    def recording(self, scores: Values) -> RecordingVerdict:
        """Judge a recording by the scores of its windows, ``(n,)``."""
        m = len(scores)
        if self.rate is None:
            statistic = float(top_mean(scores))
            return RecordingVerdict(statistic, None, statistic > self.threshold.value)
        statistic = float(recording_statistic(self.calibration, m)(scores))
        if m == 1:
            p = float(self.windows(scores)[0])
        else:
            p = float(self._recordings(m).p_values([statistic])[0])
        return RecordingVerdict(statistic, p, p <= self.rate, self.note(m))

    def note(self, m: int) -> str:
        """What to say of verdicts on recordings of `m` windows; empty for nothing."""
        layout = self.calibration.layout
        long_enough = len(np.unique(layout.units[layout.lengths >= m]))
        if m == 1 or long_enough == layout.n_units:
            return ""
        return tr(
            "{short} of {units} of the calibration have no recording as long as this one of {m} "
            "windows: how far windows scatter in a long recording is modelled on short ones",
            short=layout.n_units - long_enough,
            units=counted(layout.n_units, self.calibration.unit_name),
            m=m,
        )

    def events(self, scores: Values, starts: Values, ends: Values) -> list[Event]:
        """Anomalous parts of a recording; `starts` and `ends` in seconds, ``(n,)``."""
        above = self.alarms(scores)
        windows = self.windows(scores)
        events = []
        for first, last in runs(above):
            peak = first + int(np.argmax(scores[first : last + 1]))
            p = chance = None
            if self.rate is not None:
                p = self._peak_p_value(float(scores[peak]), float(windows[peak]), len(scores))
                if p > self.rate:
                    continue
                chance = expected_by_chance(p)
            end = float(ends[first : last + 1].max())
            score = float(scores[peak])
            events.append(Event(float(starts[first]), end, float(starts[peak]), score, p, chance))
        return events

    def _peak_p_value(self, score: float, window: float, m: int) -> float:
        if m == 1:
            return window
        # Windows at the edges lie in fewer blocks: never less than the window's own p-value.
        return max(window, float(self._peaks(m).p_values([score])[0]))
