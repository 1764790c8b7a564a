"""Recordings for the tests: synthesised, and broken in every way that happens."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from numpy.typing import NDArray

Signal = NDArray[np.float32]

CODECS = {
    ".wav": "pcm_s16le",
    ".flac": "flac",
    ".aiff": "pcm_s16be",
    ".mp3": "libmp3lame",
    ".ogg": "libopus",
    ".webm": "libopus",
    ".avi": "libmp3lame",
}


def tone(seconds: float, sample_rate: int = 16000, hz: float = 440.0) -> Signal:
    """A tone of amplitude 0.3 in a little noise, which no codec can save bits on."""
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    noise = np.random.default_rng(0).standard_normal(t.size)
    return np.asarray(0.3 * np.sin(2 * np.pi * hz * t) + 0.01 * noise, np.float32)


def write_media(
    path: Path,
    tracks: Sequence[Signal] = (),
    sample_rate: int = 16000,
    picture_s: float = 0.0,
    **options: str,
) -> Path:
    """Write tracks, each ``(n,)`` or ``(channels, n)``, into the container of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options) as output:
        codec = CODECS.get(path.suffix, "aac")
        shaped = [np.atleast_2d(track) for track in tracks]
        layouts = ["mono" if len(track) == 1 else f"{len(track)} channels" for track in shaped]
        layouts = ["stereo" if layout == "2 channels" else layout for layout in layouts]
        encoders = [
            cast(av.AudioStream, output.add_stream(codec, rate=sample_rate, layout=layout))
            for layout in layouts
        ]
        if picture_s:
            _write_picture(output, picture_s)
        for track, layout, encoder in zip(shaped, layouts, encoders, strict=True):
            packed = np.ascontiguousarray(track.T, np.float32).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
            frame.sample_rate = sample_rate
            frame.pts, frame.time_base = 0, Fraction(1, sample_rate)
            output.mux(encoder.encode(frame))
            output.mux(encoder.encode(None))
    return path


def _write_picture(output: Any, seconds: float) -> None:
    video = output.add_stream("mpeg4", rate=10, width=32, height=32, pix_fmt="yuv420p")
    for number in range(round(seconds * 10)):
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        picture.pts, picture.time_base = number, Fraction(1, 10)
        output.mux(video.encode(picture))
    output.mux(video.encode(None))


@pytest.fixture
def make_tone() -> Callable[..., Signal]:
    """Give the function that synthesises a tone."""
    return tone


@pytest.fixture
def make_media() -> Callable[..., Path]:
    """Give the function that writes containers."""
    return write_media
