"""Samples come out of frames as FFmpeg itself would convert them, and go to any other rate."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asd.audio.decode import read
from asd.audio.resample import Block, Unpacker, resampled
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


def _source(rate: int) -> Unpacker:
    source = Unpacker("a.wav")
    source.sample_rate = rate
    return source


def _resampled(blocks: list[Block], rate: int, to: int) -> Block:
    return np.concatenate(list(resampled(blocks, _source(rate), to)), axis=1)


RATES = [(44100, 16000), (48000, 16000), (44101, 16000), (8000, 16000), (192000, 11025)]


@given(
    sizes=st.lists(st.integers(0, 30000), max_size=5),
    rates=st.sampled_from([*RATES, (16000, 16000)]),
    channels=st.integers(1, 3),
)
def test_blocks_of_any_length_give_the_same_samples_and_none_is_lost(
    sizes: list[int], rates: tuple[int, int], channels: int
) -> None:
    shape = (channels, sum(sizes) + 5000)
    sound = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    whole = _resampled([sound], *rates)
    assert len(whole) == channels
    assert abs(whole.shape[1] - shape[1] * rates[1] / rates[0]) <= 0.5
    parts = np.array_split(sound, np.cumsum(sizes), axis=1)
    np.testing.assert_array_equal(_resampled(parts, *rates), whole)
    alone = [_resampled([row[None]], *rates)[0] for row in sound]
    np.testing.assert_array_equal(alone, whole, "no channel hears another")


@pytest.mark.parametrize(("rate", "to"), [*RATES, (768_000, 500), (500, 768_000)])
def test_sound_stays_where_it_is_in_time(rate: int, to: int) -> None:
    hz = min(rate, to) / 5
    sound, expected = (np.sin(2 * np.pi * hz * np.arange(2 * r) / r) for r in (rate, to))
    [out] = _resampled([sound[None].astype(np.float32)], rate, to)
    inside = slice(to // 2, -(to // 2))
    np.testing.assert_allclose(out[inside], expected[inside], atol=1e-5)


def test_channels_are_mixed_as_they_would_be_after_resampling(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).uniform(-1, 1, (48000, 2))
    soundfile.write(tmp_path / "two.wav", sound, 48000)
    left, right = (read(tmp_path / "two.wav", 16000, channel)[0] for channel in (0, 1))
    mean, _ = read(tmp_path / "two.wav", 16000)
    np.testing.assert_allclose(mean, (left + right) / 2, atol=1e-6)


def test_resampling_keeps_no_more_than_a_block() -> None:
    def blocks(n: int) -> Iterator[Block]:
        return (np.ones((1, 1 << 15), np.float32) for _ in range(n))

    tracemalloc.start()
    for _ in resampled(blocks(500), _source(44100), 16000):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20, "of 66 MB"
