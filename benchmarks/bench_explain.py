"""Do sentences name the right frequencies and times? The demo's faults tell.

``python -m benchmarks.bench_explain [models]``, written to docs/benchmarks.md. The truth is what
the fault alone changes: the same recording is synthesised with it and without; and of noises laid
over healthy clips, where and when they were.
"""

import logging
import sys
import zlib
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.signal import butter, sosfilt

from asd.arrays import Samples, Spectrogram
from asd.audio.decode import read_clip
from asd.audio.synthesis.sources import SAMPLE_RATE
from asd.config import LogMelConfig
from asd.config.recipes import recipe_of
from asd.config.steps import DEMO_DATA, TrainConfig
from asd.data.demo import RECORDINGS
from asd.data.demo.faults import FAULTS, SEVERITIES
from asd.data.demo.plant import Room
from asd.data.demo.truth import with_and_without
from asd.data.manifest import Clip, Dataset
from asd.data.opening import open_dataset
from asd.features.logmel import LogMel
from asd.features.store import FeatureStore
from asd.pipeline.explain import Explanation, explain
from asd.pipeline.finding import Span
from asd.pipeline.pipeline import Pipeline
from asd.text import markdown_table
from asd.tracking.store import cache_root
from benchmarks.page import write_section

MODELS = ("auto", "knn")
TAKE_S = 20.0
_LEAST_DB = 2.0
_OF_PEAK = 0.3
"""A band belongs to the fault where it changes at least this share of what it changes most."""
ENOUGH = 0.5
"""Share of the sentence's bands and times that has to lie in the fault's."""


OVERLAID_HZ = ((300, 600), (900, 1500), (2500, 4000), (5000, 7500))
OVERLAID_S = 1.5
OVERLAID_DB = (0.0, -10.0)
"""Noises laid over healthy clips: bands, length, and levels re the clip."""
HEALTHY = 12
TOP = 0.01
"""Share of a map's cells, the highest, that are to lie on the noise."""
BLUR_S, BLUR = 0.3, 1.1
"""How far beside it in time, and times its edges in frequency, still is on it."""


class Truth(NamedTuple):
    """Where and when a fault changes the sound."""

    bands_hz: list[Span]
    times_s: list[Span]


def truth(faulty: Samples, healthy: Samples, rate: int) -> Truth:
    """Where a sound with a fault differs from the same without it."""
    front_end = LogMel(LogMelConfig(sample_rate=rate, level="none"))
    change = front_end(faulty) - front_end(healthy)
    smooth = np.abs([np.convolve(row, np.ones(3) / 3, "same") for row in change])
    most = np.quantile(smooth, 0.95, axis=1)
    rows = most >= max(_LEAST_DB, _OF_PEAK * float(most.max()))
    axes = front_end.axes()
    half = np.diff(axes.rows, append=axes.rows[-1]) / 2
    bands = [(c - h, c + h) for c, h in zip(axes.rows[rows], half[rows], strict=True)]
    return Truth(_joined(bands), _times(smooth[rows], axes.seconds_per_frame))


def _times(smooth: Spectrogram, step_s: float) -> list[Span]:
    if not len(smooth):
        return []
    frames = np.flatnonzero(smooth.max(axis=0) >= _LEAST_DB)
    return _joined([(frame * step_s, (frame + 1) * step_s) for frame in frames], 0.15)


def _joined(spans: list[Span], gap: float = 100.0) -> list[Span]:
    joined: list[Span] = []
    for low, high in spans:
        if joined and low - joined[-1][1] <= gap:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((float(low), float(high)))
    return joined


def share(named: Sequence[Span], true: Sequence[Span], octaves: bool = False) -> float:
    """Share of what a sentence names that is true, in seconds or octaves; 0 where it is silent."""
    if octaves:
        named, true = (
            [(np.log2(max(low, 20)), np.log2(max(high, 20))) for low, high in spans]
            for spans in (named, true)
        )
    total = sum(high - low for low, high in named)
    inside = sum(
        max(0.0, min(high, true_high) - max(low, true_low))
        for low, high in named
        for true_low, true_high in true
    )
    return inside / total if total else 0.0


def agrees(explanation: Explanation, true: Truth) -> bool:
    """Most of the bands and of the times that a sentence names are those of the fault."""
    in_band = share(explanation.bands_hz, true.bands_hz, octaves=True)
    in_time = share(explanation.times_s, true.times_s)
    return min(in_band, in_time) >= ENOUGH


def truth_of(clip: Clip, rate: int) -> Truth:
    """The truth of a clip of the demo."""
    fault, severity, _ = clip.recording.rsplit("_", 2)
    name = f"{RECORDINGS}/{clip.recording}.mp4"
    rng = np.random.default_rng([0, zlib.crc32(name.encode())])
    pair = with_and_without(fault, severity, TAKE_S, Room.draw(np.random.default_rng(0)), rng)
    begin, end = (round(s * SAMPLE_RATE) for s in (clip.start_s, clip.start_s + clip.duration_s))
    true = truth(pair[0][begin:end], pair[1][begin:end], SAMPLE_RATE)
    # What lies above the clips' own range is in no clip.
    return Truth([band for band in true.bands_hz if band[0] < rate / 2], true.times_s)


@cache
def fitted(model: str) -> tuple[Dataset, Pipeline]:
    """The demo, and a model fitted on it, once a process."""
    data, store = open_dataset(DEMO_DATA), FeatureStore(cache_root())
    recipe = recipe_of(TrainConfig(model=model))
    return data, Pipeline.fit(recipe, data.split("train"), data.split("valid"), store)[0]


def measure(model: str) -> list[list[str]]:
    """A row a severity: the share of sentences that agree, of all faults and of each."""
    data, pipeline = fitted(model)
    right: dict[tuple[str, str], list[bool]] = {}
    rate = pipeline.scorer.sample_rate
    for clip in data.split("test", "anomaly").clips:
        fault, _, severity = clip.condition.rpartition("_")
        told = explain(pipeline, read_clip(data.file(clip), rate), clip.machine)
        right.setdefault((severity, fault), []).append(agrees(told, truth_of(clip, rate)))
    rows = []
    for severity in SEVERITIES:
        parts = [right.get((severity, fault), []) for fault in FAULTS]
        every = [value for part in parts for value in part]
        rows.append([model, severity, *(f"{np.mean(part):.0%}" for part in (every, *parts))])
    return rows


def overlaid(model: str) -> list[str]:
    """A row: by level, the share of the highest cells of maps that lie on the noise laid over."""
    data, pipeline = fitted(model)
    rate, rng = pipeline.scorer.sample_rate, np.random.default_rng(0)
    healthy = data.split("test", "normal").clips[:HEALTHY]
    sounds = [read_clip(data.file(clip), rate) for clip in healthy]
    cells = []
    for level_db in OVERLAID_DB:
        shares = []
        for samples in sounds:
            for band_hz in OVERLAID_HZ:
                start_s = rng.uniform(1, len(samples) / rate - OVERLAID_S - 1)
                noise = _noise(band_hz, round(OVERLAID_S * rate), rate, rng)
                noise *= np.float32(10 ** (level_db / 20) * np.std(samples) / np.std(noise))
                mixed, first = samples.copy(), round(start_s * rate)
                mixed[first : first + len(noise)] += noise
                shares.append(_on_noise(pipeline, mixed, band_hz, start_s))
        cells.append(f"{np.mean(shares):.0%}")
    return [model, *cells]


def _noise(
    band_hz: tuple[int, int], n_samples: int, rate: int, rng: np.random.Generator
) -> Samples:
    stages = butter(4, band_hz, "band", fs=rate, output="sos")
    return np.asarray(sosfilt(stages, rng.standard_normal(n_samples)), np.float32)


def _on_noise(
    pipeline: Pipeline, samples: Samples, band_hz: tuple[int, int], start_s: float
) -> float:
    """Share of the highest cells of the map, by what they hold, that lie on the noise."""
    [unusual] = pipeline.scorer.explain_samples([samples])
    axes = pipeline.scorer.front_ends[0].axes()
    seconds = np.arange(unusual.shape[1]) * axes.seconds_per_frame
    rows = (axes.rows >= band_hz[0] / BLUR) & (axes.rows <= band_hz[1] * BLUR)
    columns = (seconds >= start_s - BLUR_S) & (seconds <= start_s + OVERLAID_S + BLUR_S)
    top = np.where(unusual >= np.quantile(unusual, 1 - TOP), unusual, 0)
    return float(top[np.ix_(rows, columns)].sum() / top.sum())


def main() -> None:
    """Measure, and write the section of docs/benchmarks.md."""
    logging.basicConfig(level=logging.WARNING)
    models = sys.argv[1:] or list(MODELS)
    rows = [row for model in models for row in measure(model)]
    laid = ["model", *(f"{level_db:g} dB" for level_db in OVERLAID_DB)]
    lines = [
        "`python -m benchmarks.bench_explain`. Share of the test clips with a fault of the demo "
        f"whose sentence names bands of which at least {ENOUGH:.0%} (in octaves) are the fault's, "
        f"and times of which at least {ENOUGH:.0%} are. The fault's are where the same recording, "
        f"synthesised with the fault and without, differs by {_LEAST_DB:g} dB or more.",
        "",
        *markdown_table(["model", "severity", "all", *FAULTS], rows),
        "",
        f"Noises of {OVERLAID_S:g} s in four bands, laid over {HEALTHY} healthy clips at a level "
        f"re the clip: share of the highest {TOP:.0%} of the map's cells, by what they hold, that "
        f"lies on the noise, give or take {BLUR_S:g} s and a tenth of a band's edges.",
        "",
        *markdown_table(laid, [overlaid(model) for model in models], "l" + "r" * len(OVERLAID_DB)),
    ]
    write_section("explain", "Sentences against the truth", lines)


if __name__ == "__main__":
    main()
