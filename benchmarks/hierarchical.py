"""Simulated scores of recordings: each has a level, about which its windows scatter."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asd.config import ThresholdConfig
from asd.decision.calibration import Calibration
from asd.decision.decision import Decision

Values = NDArray[np.float64]
Noise = Callable[[np.random.Generator, int, int], Values]

WINDOW_S = 10.0


def _normal(rng: np.random.Generator, n: int, m: int) -> Values:
    return rng.normal(size=(n, m))


def _skewed(rng: np.random.Generator, n: int, m: int) -> Values:
    return rng.exponential(size=(n, m))


def _own_spread(rng: np.random.Generator, n: int, m: int) -> Values:
    """Recordings that scatter by other amounts."""
    return np.asarray(rng.normal(size=(n, m)) * np.exp(0.4 * rng.normal(size=(n, 1))))


FAMILIES: dict[str, Noise] = {
    "normal": _normal,
    "skewed": _skewed,
    "own spread": _own_spread,
    "lognormal": _normal,
}
"""How windows scatter about the level of their recording; `lognormal` scores are the exponential of
normal ones."""


@dataclass(frozen=True)
class World:
    """What the scores of normal recordings are like; their variance is about 1."""

    family: str
    ratio: float
    """Spread of the windows within a recording over the spread between recordings."""

    def draw(self, rng: np.random.Generator, n: int, m: int) -> Values:
        """Scores of `n` recordings of `m` windows, ``(n, m)``."""
        between = 1 / np.sqrt(1 + self.ratio**2)
        levels = between * rng.normal(size=(n, 1))
        scores = levels + self.ratio * between * FAMILIES[self.family](rng, n, m)
        return np.asarray(np.exp(scores / 2) if self.family == "lognormal" else scores)


@dataclass(frozen=True)
class Study:
    """One simulated data set: a world, and what was recorded of it."""

    world: World
    n_recordings: int
    n_windows: int
    """Windows of each calibration recording."""

    def calibration(self, rng: np.random.Generator) -> Calibration:
        """Its calibration."""
        scores = self.world.draw(rng, self.n_recordings, self.n_windows)
        numbers = np.repeat(np.arange(self.n_recordings), self.n_windows)
        return Calibration.of(scores.ravel(), numbers)

    def decide(self, calibration: Calibration, rate: float) -> Decision:
        """A conformal decision at a false-alarm rate."""
        return Decision.fit(ThresholdConfig(false_alarm_rate=rate), calibration)


def random_study(rng: np.random.Generator, most: int = 200) -> Study:
    """A data set of 5 to `most` recordings of 1 to 60 windows, spread ratio 0.1 to 10."""
    world = World(str(rng.choice(list(FAMILIES))), float(10 ** rng.uniform(-1, 1)))
    n = round(float(np.exp(rng.uniform(np.log(5), np.log(most)))))
    return Study(world, n, int(rng.choice([1, 2, 6, 30, 60])))


def alarms(decision: Decision, scores: Values, machine: str | None = None) -> tuple[bool, bool]:
    """Whether a recording ``(m,)`` alarms by its verdict, and by an event."""
    starts = WINDOW_S * np.arange(len(scores))
    events = decision.events(scores, starts, np.full(len(scores), WINDOW_S), machine)
    return decision.recording(scores, machine).is_anomaly, bool(events)


def alarm_rates(decision: Decision, scores: Values) -> tuple[float, float]:
    """Share of recordings ``(n, m)`` that alarm by their verdict, and by an event."""
    verdicts, events = np.mean([alarms(decision, recording) for recording in scores], axis=0)
    return float(verdicts), float(events)
