"""What goes wrong in the plant, and how it sounds: five faults in three severities each."""

from collections.abc import Callable

import numpy as np

from asd.audio.synthesis.sources import SAMPLE_RATE, band, impulses, noise, ring, sine, slow
from asd.data.demo.plant import Fault, Running

SEVERITIES = ("mild", "medium", "strong")
"""From hardly to plainly audible."""


def bearing_knock(running: Running, size: float, rng: np.random.Generator) -> Fault:
    """A pit in the outer race: each ball that rolls over it strikes a resonance of the housing.

    An outer race with 8 balls is struck about ``0.4 * 8`` times a revolution; the balls slip, so
    the strikes are not strictly periodic, and the load on the bearing turns with the shaft.
    """
    strikes = 3.2 * running.shaft
    at = np.flatnonzero(np.diff(np.floor(strikes)) > 0)
    at = np.clip(at + rng.normal(0, 0.0002 * SAMPLE_RATE, len(at)).astype(int), 0, len(running) - 1)
    turn = 1 + 0.6 * sine(running.shaft[at])
    sizes = turn * np.exp(rng.normal(0, 0.25, len(at)))
    modes = ((2900.0, 0.0025, 1.0), (4700.0, 0.0015, 0.7))
    return Fault(added=np.float32(size) * ring(impulses(len(running), at, sizes), modes, 0.02))


def gas_leak(running: Running, size: float, rng: np.random.Generator) -> Fault:
    """A jet of gas from a small opening: broad noise with a hump at some kHz, almost steady."""
    hiss = band(
        noise(len(running), rng), [(0, -60), (1500, -30), (5200, 0), (9000, -3), (16000, -9)]
    )
    breath = 1 + 0.1 * slow(len(running), 2.0, rng)
    return Fault(added=np.asarray(size * breath * hiss, np.float32))


def blade_rub(running: Running, size: float, rng: np.random.Generator) -> Fault:
    """A blade that touches the housing: a short scrape once a revolution, in spells."""
    scrape = band(
        noise(len(running), rng), [(0, -50), (900, -20), (2200, 0), (3800, -2), (7000, -30)]
    )
    touch = np.exp(-0.5 * (((running.shaft % 1.0) - 0.5) / 0.06) ** 2)
    spells = np.clip(0.3 + slow(len(running), 1.0, rng), 0, 1.5)
    return Fault(added=np.asarray(size * spells * touch * scrape, np.float32))


def misfire(running: Running, size: float, rng: np.random.Generator) -> Fault:
    """The flame lifts off for a moment and lights again with a thump.

    `size` is the share of the flame that is lost, and the misfires a second.
    """
    n = len(running)
    count = max(1, rng.poisson(size * n / SAMPLE_RATE))
    at = rng.integers(0, n, count)
    lost = np.zeros(n)
    for start, seconds in zip(at, rng.uniform(0.08, 0.30, count), strict=True):
        out = int(seconds * SAMPLE_RATE)
        lost[start : start + out] = np.hanning(2 * out)[:out][: n - start]
    lit = np.minimum(at + int(0.2 * SAMPLE_RATE), n - 1)
    thumps = ring(
        impulses(n, lit, size * rng.uniform(0.5, 1.0, count)),
        ((70.0, 0.05, 1.0), (135.0, 0.03, 0.5)),
        0.3,
    )
    return Fault(added=0.25 * thumps, roar_gain=np.asarray(1 - min(size, 0.95) * lost, np.float32))


def imbalance(running: Running, size: float, rng: np.random.Generator) -> Fault:
    """Mass off the axis: a tone at the shaft's frequency, and the fan's sound beats with it."""
    turn = running.shaft + rng.uniform()
    tone = sine(turn) + 0.5 * sine(2 * turn + 0.1) + 0.25 * sine(3 * turn + 0.3)
    return Fault(
        added=np.asarray(0.12 * size * tone, np.float32),
        fan_gain=np.asarray(1 + min(size, 0.9) * sine(turn), np.float32),
    )


FAULTS: dict[str, tuple[Callable[[Running, float, np.random.Generator], Fault], tuple[float, ...]]]
FAULTS = {
    "bearing_knock": (bearing_knock, (0.031, 0.05, 0.10)),
    "gas_leak": (gas_leak, (0.020, 0.035, 0.09)),
    "blade_rub": (blade_rub, (0.085, 0.14, 0.28)),
    "misfire": (misfire, (0.65, 1.0, 1.6)),
    "imbalance": (imbalance, (0.24, 0.4, 1.0)),
}
"""Each fault with its size at each of the `SEVERITIES`.

A mild fault hides in what differs between healthy recordings: a nearest neighbour on the mean and
standard deviation of log-mel bands, of 10 s clips brought to one level, finds it with an AUC of
0.65 to 0.85, a medium one with 0.95 to 1.
"""


def make_fault(name: str, severity: str, running: Running, rng: np.random.Generator) -> Fault:
    """One of the `FAULTS` at one of the `SEVERITIES`."""
    effect, sizes = FAULTS[name]
    return effect(running, sizes[SEVERITIES.index(severity)], rng)
