"""Foreign sounds beside the plant: people and things, under their Japanese names."""

from collections.abc import Callable

import numpy as np
from scipy import signal

from asd.arrays import Samples, Vector
from asd.audio.synthesis.sources import SAMPLE_RATE, band, impulses, noise, ring, slow

Event = Callable[[np.random.Generator], Samples]

PEAK = 0.35
"""Peak of each event, about that of the plant itself."""
VOWELS = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
)
"""First three formants of five vowels in Hz (Peterson and Barney, 1952)."""


def table_knock(rng: np.random.Generator) -> Samples:
    """Knuckles on a wooden table: a few strokes, low modes of the board, a short click."""
    count = int(rng.integers(2, 6))
    at = np.cumsum(rng.normal(0.28, 0.03, count)).clip(0.05) * SAMPLE_RATE
    n = int(at[-1] + 0.7 * SAMPLE_RATE)
    strokes = impulses(n, at.astype(int), rng.uniform(0.5, 1.0, count))
    board = rng.uniform(0.8, 1.25)
    modes = ((150, 0.045, 1.0), (265, 0.035, 0.8), (430, 0.022, 0.6), (910, 0.010, 0.4))
    click = ((2600.0, 0.0015, 0.5), (4300.0, 0.001, 0.3))
    return ring(strokes, (*((f * board, decay, size) for f, decay, size in modes), *click), 0.4)


def voices(rng: np.random.Generator) -> Samples:
    """Two or three people at once: glottal pulses through formants that move with syllables."""
    n = int(rng.uniform(2.0, 3.5) * SAMPLE_RATE)
    talkers = [talker(n, rng) * rng.uniform(0.5, 1.0) for _ in range(int(rng.integers(2, 4)))]
    return np.asarray(sum(talkers), np.float32)


def talker(n: int, rng: np.random.Generator) -> Vector:
    """One voice: syllables of random vowels, about four a second, with pauses between words."""
    pitch_hz = rng.uniform(100, 230) * np.exp(0.10 * slow(n, 1.5, rng))
    turns = np.cumsum(pitch_hz) / SAMPLE_RATE
    puffs = impulses(n, np.flatnonzero(np.diff(np.floor(turns)) > 0), np.ones(int(turns[-1])))
    # The glottis closes softly: its pulses fall off towards high frequencies.
    glottis = signal.sosfilt(signal.butter(1, 300, fs=SAMPLE_RATE, output="sos"), puffs)
    source = glottis + 0.0005 * noise(n, rng)
    voice, begin = np.zeros(n), int(rng.uniform(0, 0.2) * SAMPLE_RATE)
    tract = rng.uniform(0.95, 1.18)
    while begin + (length := int(rng.uniform(0.14, 0.30) * SAMPLE_RATE)) < n:
        part = slice(begin, begin + length)
        spoken = source[part] * np.hanning(length)
        vowel = zip(VOWELS[rng.integers(len(VOWELS))], (80, 100, 140), strict=True)
        voice[part] += sum(resonate(spoken, formant * tract, width) for formant, width in vowel)
        begin += length + int(rng.choice([0, 0, 0, 0.2]) * SAMPLE_RATE)
    return np.asarray(voice / (np.max(np.abs(voice)) + 1e-12))


def metal_scrape(rng: np.random.Generator) -> Samples:
    """Metal drawn over metal: stick-slip excites sharp, inharmonic modes that slide in pitch."""
    n = int(rng.uniform(1.2, 2.5) * SAMPLE_RATE)
    pressure = np.hanning(n) ** 0.5 * np.exp(0.6 * slow(n, 8.0, rng))
    slide = np.cumsum(np.exp(rng.uniform(-0.25, 0.25) * np.linspace(-1, 1, n))) / SAMPLE_RATE
    base = rng.uniform(1500, 2200)
    rough = 0.6 * slow(n, 300.0, rng)
    tones = sum(
        size
        * np.sin(2 * np.pi * base * ratio * slide + rough * ratio)
        * np.exp(0.5 * slow(n, 40.0, rng))
        for ratio, size in ((1.0, 1.0), (1.58, 0.8), (2.24, 0.7), (2.92, 0.5), (4.1, 0.2))
    )
    grit = band(noise(n, rng), [(0, -50), (2000, -12), (4500, 0), (9000, -6), (16000, -20)])
    return np.asarray(pressure * (tones + 0.8 * grit), np.float32)


def fire(rng: np.random.Generator) -> Samples:
    """An open fire: crackling of wood over a soft low rumble."""
    n = int(rng.uniform(2.0, 3.5) * SAMPLE_RATE)
    count = rng.poisson(n / SAMPLE_RATE * 14)
    cracks = impulses(n, rng.integers(0, n, count), rng.pareto(2.0, count).clip(0.05, 2))
    modes = ((1900.0, 0.003, 1.0), (3400.0, 0.0015, 1.0), (6100.0, 0.0008, 0.8))
    rumble = band(noise(n, rng), [(0, -20), (80, 0), (250, -6), (900, -30), (16000, -70)])
    return np.asarray(
        ring(cracks, modes, 0.03) + 0.25 * rumble * np.exp(0.4 * slow(n, 4.0, rng)), np.float32
    )


def resonate(sound: Vector, frequency_hz: float, width_hz: float) -> Vector:
    """Filter by one resonance of unit gain at its peak."""
    b, a = signal.iirpeak(frequency_hz, frequency_hz / width_hz, fs=SAMPLE_RATE)
    return np.asarray(signal.lfilter(b, a, sound))


EVENTS: dict[str, Event] = {
    "机を叩く音": table_knock,
    "話し声": voices,
    "金属をこする音": metal_scrape,
    "火の音": fire,
}
"""The kinds of foreign sounds by the name of their files."""


def make_event(name: str, rng: np.random.Generator) -> Samples:
    """One of the `EVENTS`, with a little silence before and after as in a recording by hand."""
    sound = EVENTS[name](rng)
    silence = [np.zeros(int(rng.uniform(0.1, 0.4) * SAMPLE_RATE), np.float32) for _ in range(2)]
    whole = np.concatenate([silence[0], sound * (PEAK / np.max(np.abs(sound))), silence[1]])
    return np.asarray(whole + 2e-4 * noise(len(whole), rng), np.float32)
