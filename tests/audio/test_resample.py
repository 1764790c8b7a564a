"""Samples come out of frames as FFmpeg itself would convert them, whatever their format."""

import av
import numpy as np
import pytest

from asd.audio.resample import Unpacker
from asd.errors import AudioError

FORMATS = ("u8", "s16", "s32", "flt", "dbl")
RATE = 8000


def _frame(form: str, layout: str, n: int = 700, rate: int = RATE) -> av.AudioFrame:
    """Noise in a format, of up to ten channels, as FFmpeg makes it."""
    channels = av.AudioLayout(layout).nb_channels
    noise = np.random.default_rng(n).uniform(-1, 1, (1, channels * n)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(noise, format="flt", layout=layout)
    frame.sample_rate = rate
    return av.AudioResampler(form, layout, rate).resample(frame)[0]


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1", "7.1"])
@pytest.mark.parametrize("form", [*FORMATS, *(f"{form}p" for form in FORMATS), "s64"])
def test_samples_are_those_that_ffmpeg_makes_of_them(form: str, layout: str) -> None:
    frames = [_frame(form, layout, n) for n in (700, 20, 33)]
    converter = av.AudioResampler("flt", layout, RATE)
    converted = [out.to_ndarray() for frame in frames for out in converter.resample(frame)]
    channels = frames[0].layout.nb_channels
    expected = np.concatenate(converted, axis=1).reshape(-1, channels).T
    unpacked = np.concatenate(list(Unpacker("a.wav").blocks(frames)), axis=1)
    assert unpacked.dtype == np.float32
    np.testing.assert_array_equal(unpacked, expected)


@pytest.mark.parametrize(
    "other", [_frame("s16", "stereo"), _frame("s16", "mono", rate=2 * RATE), _frame("u8", "mono")]
)
def test_what_changes_midway_is_refused(other: av.AudioFrame) -> None:
    with pytest.raises(AudioError, match=r"a\.wav: sample rate or channels change midway"):
        list(Unpacker("a.wav").blocks([_frame("s16", "mono"), other]))


def test_many_frames_come_out_at_once() -> None:
    frames = [_frame("s16", "mono", 1024)] * 100
    blocks = list(Unpacker("a.wav").blocks(frames))
    assert sum(block.shape[1] for block in blocks) == 100 * 1024
    assert len(blocks) < 10
