"""Videos and sound files as a camera or a telephone writes them, through PyAV."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]
Picture = NDArray[np.uint8]

WIDTH, HEIGHT = 64, 48
"""Size of the picture in pixels."""
FRAMES_PER_S = 2
"""Pictures a second."""
BIT_RATE = 80_000
"""Bits a second of the AAC sound."""


def write_mp4(path: Path, samples: Sound, sample_rate: int) -> None:
    """Write a video with AAC sound, and a flame that burns higher when it is loud.

    Parameters
    ----------
    path : Path
        File to write; its folder must exist.
    samples : ndarray, shape (n,)
        Mono sound within [-1, 1].
    sample_rate : int
        Sampling rate in Hz.
    """
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as output:
        video = output.add_stream("mpeg4", rate=FRAMES_PER_S)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = _sound_stream(output, sample_rate)
        step = sample_rate // FRAMES_PER_S
        for number, begin in enumerate(range(0, len(samples), step)):
            part = samples[begin : begin + step]
            frame = av.VideoFrame.from_ndarray(flame(part), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_S)
            output.mux(video.encode(frame))
            output.mux(sound.encode(_sound_frame(part, begin, sample_rate)))
        output.mux(video.encode(None))
        output.mux(sound.encode(None))


def write_m4a(path: Path, samples: Sound, sample_rate: int) -> None:
    """Write AAC sound in an M4A file; the parameters are those of `write_mp4`."""
    with av.open(str(path), "w", format="ipod", options={"fflags": "+bitexact"}) as output:
        sound = _sound_stream(output, sample_rate)
        output.mux(sound.encode(_sound_frame(samples, 0, sample_rate)))
        output.mux(sound.encode(None))


def flame(samples: Sound) -> Picture:
    """A flame whose height follows the level of a piece of sound, ``(HEIGHT, WIDTH, 3)``."""
    level_db = 10 * np.log10(np.mean(np.square(samples)) + 1e-9)
    height = HEIGHT * float(np.clip((level_db + 50) / 40, 0.1, 1.0))
    up = np.arange(HEIGHT)[::-1, None] / height
    aside = (np.arange(WIDTH) - WIDTH / 2) / (WIDTH / 4)
    heat = np.clip(1.2 - up - aside**2, 0, 1)
    return np.stack([60 + 195 * heat, 30 + 170 * heat**2, 40 + 60 * heat**4], -1).astype(np.uint8)


def _sound_stream(output: av.container.OutputContainer, sample_rate: int) -> av.AudioStream:
    stream = output.add_stream("aac", rate=sample_rate, layout="mono")
    stream.options = {"aac_coder": "fast"}
    stream.bit_rate = BIT_RATE
    # Without it the encoder writes its version into the file.
    stream.codec_context.flags |= av.codec.context.Flags.bitexact
    return stream


def _sound_frame(samples: Sound, begin: int, sample_rate: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
    frame.sample_rate = sample_rate
    frame.pts, frame.time_base = begin, Fraction(1, sample_rate)
    return frame
