"""A short recording in every container, and as each codec keeps it: where the fuzzer begins."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np

RATE = 16000
SEEDS = {
    "pcm_s16le": ("wav", "w64", "avi", "mov"),
    "pcm_f32le": ("wav",),
    "pcm_s24le": ("wav",),
    "adpcm_ms": ("wav",),
    "pcm_s16be": ("aiff", "caf", "au"),
    "flac": ("flac", "ogg", "matroska"),
    "libopus": ("ogg", "webm"),
    "aac": ("mp4", "matroska", "flv", "adts", "mpegts"),
    "mp2": ("mpegts", "mpeg"),
    "libmp3lame": ("mp3", "avi"),
    "ac3": ("ac3",),
    "wmav2": ("asf",),
}
"""Containers by what is in them."""
_AT_48_KHZ = {"libopus", "ac3"}


def write_seeds(folder: Path) -> list[Path]:
    """Write all seeds; one file a container and codec, of less than 20 kB each."""
    folder.mkdir(parents=True, exist_ok=True)
    return list(_written(folder))


def _written(folder: Path) -> Iterator[Path]:
    for codec, containers in SEEDS.items():
        for container in containers:
            path = folder / f"{container}-{codec}"
            _encode(path, container, codec, 48000 if codec in _AT_48_KHZ else RATE)
            yield path


def _encode(path: Path, container: str, codec: str, rate: int) -> None:
    t = np.arange(round(0.2 * rate)) / rate
    sound = 0.3 * np.sin(2 * np.pi * 440 * t) + 0.01 * np.random.default_rng(0).standard_normal(
        t.size
    )
    with av.open(str(path), "w", format=container) as output:
        stream = cast(av.AudioStream, output.add_stream(codec, rate=rate, layout="mono"))
        stream.bit_rate = 32000  # WMA knows no more at this rate
        frame = av.AudioFrame.from_ndarray(sound.astype(np.float32)[None], "flt", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
