"""A gas burner with its fan, motor and pump, as a microphone in the room hears it.

The level of each source, the room and the microphone differ from recording to recording, and the
load drifts within one: that is the variation a detector has to accept as normal.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import signal

from asd.arrays import Samples, Vector
from asd.audio.synthesis.sources import (
    SAMPLE_RATE,
    band,
    impulses,
    noise,
    ring,
    sine,
    slow,
)

BLADES = 7
"""Blades of the fan."""
MAINS_HZ = 50.0
"""Frequency of the mains."""
NOMINAL_SHAFT_HZ = 47.5
"""Revolutions a second of the fan at full load: a two-pole induction motor with 5 % slip."""


@dataclass(frozen=True)
class Running:
    """How the plant runs during one recording, sample by sample."""

    load: Vector
    """Share of full load, ``(n,)``, about 0.4 to 1."""
    shaft: Vector
    """Angle of the fan's shaft in revolutions, ``(n,)``."""

    def __len__(self) -> int:
        return len(self.load)


@dataclass(frozen=True)
class Fault:
    """What a fault changes in the sound of the plant."""

    added: Samples | float = 0.0
    """Sound of its own, ``(n,)``."""
    roar_gain: Samples | float = 1.0
    """Factor on the combustion roar, ``(n,)``."""
    fan_gain: Samples | float = 1.0
    """Factor on the sound of the fan, ``(n,)``."""


@dataclass(frozen=True)
class Room:
    """The room's response between plant and microphone, the same in all recordings of a plant."""

    response: Vector = field(repr=False)

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Room":
        """A decaying response of 60 ms: direct sound, then diffuse reflections."""
        time = np.arange(int(0.06 * SAMPLE_RATE)) / SAMPLE_RATE
        response = 0.04 * rng.standard_normal(len(time)) * np.exp(-time / 0.012)
        response[0] = 1.0
        return cls(response)


@dataclass(frozen=True)
class Setting:
    """What is otherwise than at the plant that is learned from; nothing by default."""

    gain_db: float = 0.0
    """Of the recorder."""
    tilt_db: float = 0.0
    """How much more the microphone hears of the highest notes than of the lowest."""
    room: int = 0
    """Which of the rooms of a seed the plant stands in."""
    speed: float = 1.0
    """Factor on the speed of the fan."""
    roar_db: float = 0.0
    """Level of the combustion roar."""
    fan_db: float = 0.0
    """Level of the fan."""
    motor_db: float = 0.0
    """Level of the motor."""
    pump_db: float = 0.0
    """Level of the pump."""


def start(seconds: float, rng: np.random.Generator, factor: float = 1.0) -> Running:
    """Draw how the plant runs for a while: its load, and its speed, which follows the load.

    Parameters
    ----------
    seconds : float
        How long.
    rng : Generator
        Source of everything random.
    factor : float
        On the speed, as `Setting.speed`.
    """
    n = round(seconds * SAMPLE_RATE)
    load = np.clip(rng.uniform(0.55, 0.95) + 0.06 * slow(n, 0.05, rng), 0.4, 1.0)
    speed = 1 + 0.03 * (load - 0.75) + rng.normal(0, 0.006) + 0.0015 * slow(n, 0.5, rng)
    return Running(load, np.cumsum(NOMINAL_SHAFT_HZ * factor * speed) / SAMPLE_RATE + rng.uniform())


def record(
    running: Running,
    room: Room,
    rng: np.random.Generator,
    fault: Fault | None = None,
    setting: Setting | None = None,
) -> Samples:
    """The sound of the running plant at the microphone, ``(n,)`` float32, not limited to [-1, 1].

    Parameters
    ----------
    running : Running
        From `start`.
    room : Room
        The plant's room.
    rng : Generator
        Source of everything random.
    fault : Fault, optional
        What is wrong with the plant.
    setting : Setting, optional
        What is otherwise about the plant and how it is recorded.
    """
    fault, setting = fault or Fault(), setting or Setting()
    sound = roar(running, rng) * (fault.roar_gain * level(rng, 1.5, setting.roar_db))
    sound += fan(running, rng) * (fault.fan_gain * level(rng, 1.5, setting.fan_db))
    sound += motor(running, rng) * level(rng, 2.0, setting.motor_db)
    sound += pump(len(running), rng) * level(rng, 2.0, setting.pump_db)
    sound += relay(len(running), rng) * level(rng, 3.0)
    sound += fault.added
    return microphone(sound, room, rng, setting)


def roar(running: Running, rng: np.random.Generator) -> Samples:
    """Combustion: a hump of noise below 1 kHz that moves up with the load, and flickers.

    Turbulent flames radiate a broad maximum at some hundred Hz and fall off steeply above it.
    """
    n = len(running)
    white = noise(n, rng)
    low = band(white, [(0, -30), (60, -6), (180, 0), (500, -10), (1500, -28), (6000, -50)])
    high = band(white, [(0, -30), (60, -10), (320, 0), (900, -8), (2500, -24), (8000, -44)])
    share = running.load.astype(np.float32)
    flicker = np.exp(0.18 * slow(n, 6.0, rng) + 0.10 * slow(n, 0.7, rng)).astype(np.float32)
    return np.asarray(0.9 * flicker * share * ((1 - share) * low + share * high), np.float32)


def fan(running: Running, rng: np.random.Generator) -> Samples:
    """Blade-pass tone with harmonics, a trace of shaft rotation, and the rush of air."""
    blade = BLADES * running.shaft
    tones = 0.015 * sine(running.shaft + rng.uniform())
    for k in range(5):
        tones += np.float32(0.08 * 10 ** (-8 * k / 20)) * sine((k + 1) * blade + rng.uniform())
    air = band(
        noise(len(running), rng), [(0, -40), (300, -8), (1200, 0), (4000, -12), (12000, -30)]
    )
    rush = 0.10 * air * (1 + 0.3 * sine(blade)) * running.load.astype(np.float32)
    return np.asarray(tones + rush, np.float32)


def motor(running: Running, rng: np.random.Generator) -> Samples:
    """Hum at the mains frequency and its even harmonics, louder under load."""
    n = len(running)
    mains = np.cumsum(MAINS_HZ * (1 + 0.0006 * slow(n, 0.1, rng))) / SAMPLE_RATE
    parts = ((1, 0.015), (2, 0.05), (4, 0.02), (6, 0.01), (12, 0.003))
    hum = np.zeros(n, np.float32)
    for order, size in parts:
        hum += np.float32(size) * sine(order * mains + rng.uniform())
    return hum * (0.6 + 0.4 * running.load.astype(np.float32))


def pump(n: int, rng: np.random.Generator) -> Samples:
    """Pulses of a circulation pump ringing in a pipe; the pump goes on and off."""
    strokes = np.cumsum(rng.normal(1.0, 0.02, int(n / SAMPLE_RATE * 12) + 2)) / rng.uniform(
        8.5, 9.5
    )
    on = slow(n, 0.04, rng) > -0.6
    at = (strokes * SAMPLE_RATE).astype(int)
    at = at[at < n]
    pulses = impulses(n, at, on[at] * rng.normal(1.0, 0.15, len(at)))
    return 0.10 * ring(pulses, ((620.0, 0.020, 1.0), (1180.0, 0.012, 0.5)), 0.12)


def relay(n: int, rng: np.random.Generator) -> Samples:
    """Clicks of the control's relays, a few a minute, each a closing and a bounce."""
    at = rng.integers(0, n, rng.poisson(n / SAMPLE_RATE / 12))
    sizes = rng.uniform(0.4, 1.0, len(at))
    bounce = np.minimum(at + rng.integers(150, 500, len(at)), n - 1)
    clicks = impulses(n, np.concatenate([at, bounce]), np.concatenate([sizes, 0.4 * sizes]))
    return 0.3 * ring(clicks, ((2300.0, 0.004, 1.0), (4100.0, 0.002, 0.8)), 0.03)


def microphone(sound: Samples, room: Room, rng: np.random.Generator, setting: Setting) -> Samples:
    """What the camera records: room, place and tone of the microphone, its gain and noise."""
    place = rng.standard_normal(len(room.response)) * np.abs(room.response)
    place[0] = 0.0
    tone = rng.normal(0, 1.2, 6) + setting.tilt_db * np.linspace(-0.5, 0.5, 6)
    corners = [(f, float(db)) for f, db in zip((0, 150, 600, 2000, 6000, 16000), tone, strict=True)]
    heard = signal.oaconvolve(sound, (room.response + 0.5 * place).astype(np.float32))[: len(sound)]
    heard = band(heard, corners) * (0.55 * level(rng, 1.5, setting.gain_db))
    hiss = noise(len(sound), rng) * np.float32(6e-4 * level(rng, 2.0, setting.gain_db))
    return np.asarray(heard + hiss, np.float32)


def level(rng: np.random.Generator, spread_db: float, mean_db: float = 0.0) -> np.float32:
    """A random factor, normal in dB around `mean_db`."""
    return np.float32(10 ** ((np.clip(rng.normal(), -2, 2) * spread_db + mean_db) / 20))
