"""The meter reads known answers off synthetic recordings, however they are cut into blocks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import resample_poly

from asd.audio.condition import Condition, Meter
from asd.audio.decode import read, stream_blocks

RATE = 16000


def noise(seconds: float = 3.0, rate: int = RATE, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate))


def measured(signal: np.ndarray, rate: int = RATE, channel: int | None = None) -> Condition:
    meter = Meter(channel)
    meter.feed(np.atleast_2d(signal).astype(np.float32), rate)
    return meter.condition()


def test_an_ordinary_recording_has_nothing_unusual() -> None:
    condition = measured(noise())
    assert (condition.sample_rate, condition.channels, condition.duration_s) == (RATE, 1, 3.0)
    assert condition.level_db == pytest.approx(-20, abs=0.1)
    assert (condition.clipped, condition.dropouts, condition.silent) == (0, 0, 0)
    assert condition.band_hz == RATE / 2
    assert (condition.cancel_db, condition.imbalance_db) == (0, 0)


def test_an_offset_is_no_level() -> None:
    assert measured(noise() + 0.25).level_db == pytest.approx(-20, abs=0.1)
    assert measured(np.full(RATE, 0.25)).silent == 1


def test_the_share_of_clipped_samples() -> None:
    signal = noise()
    signal[1000:1300] = 1.0
    signal[2000:2180] = -1.0
    assert measured(signal).clipped == pytest.approx(480 / signal.size)
    both = np.stack([signal, noise(seed=1)])
    assert measured(both).clipped == pytest.approx(240 / signal.size)
    assert measured(both, channel=1).clipped == 0


def test_breaks_of_zeros_are_dropouts_and_pauses_are_not() -> None:
    signal = noise()
    signal[5000:5080] = 0  # 5 ms
    signal[15990:16300] = 0  # across the edge of what is looked at in one go
    signal[30000:30040] = 0  # 2.5 ms: too short
    assert measured(signal).dropouts == 2
    assert measured(signal).dropouts_per_minute == pytest.approx(40)
    padded = np.concatenate([np.zeros(4000), noise(), np.zeros(4000)])
    assert measured(padded).dropouts == 0, "before and after the sound"
    faded = noise() * np.abs(np.sin(np.pi * np.arange(3 * RATE) / RATE)) ** 3
    faded[RATE - 200 : RATE + 200] = 0
    assert measured(faded).dropouts == 0, "a pause fades out and in"
    faint = np.round(noise() * 8) / 32768 * (noise(seed=2) > 0.25)
    assert measured(faint).dropouts == 0, "steps of 16 bits"


def test_a_dropout_as_long_as_several_seconds_is_one() -> None:
    signal = np.concatenate([noise(1.5), np.zeros(5 * RATE), noise(1.5)])
    assert measured(signal).dropouts == 1
    assert measured(signal).silent == pytest.approx(5 / 8)


@pytest.mark.parametrize(("low", "high"), [(8000, 16000), (8000, 48000), (16000, 48000)])
def test_sound_of_a_lower_rate_ends_where_its_band_ends(low: int, high: int) -> None:
    raised = resample_poly(noise(rate=low), high // low, 1)
    steps = np.round(raised * 32768) / 32768
    for signal in (raised, steps):
        # scipy's filter lets a tenth more through.
        assert low / 2 <= measured(signal, high).band_hz <= 1.15 * low / 2


def test_a_hum_with_little_above_it_is_no_limited_band() -> None:
    t = np.arange(3 * RATE) / RATE
    hum = sum(np.sin(2 * np.pi * 100 * k * t) / k**2 for k in range(1, 9))
    assert measured(0.3 * hum + noise() * 1e-3).band_hz == RATE / 2
    assert measured(0.3 * np.sin(2 * np.pi * 3000 * t)).band_hz == RATE / 2


def test_channels_that_cancel_and_one_that_is_louder() -> None:
    machine, own, other = noise(), noise(seed=1) / 100, noise(seed=2) / 100
    opposite = measured(np.stack([machine + own, -machine + other]))
    assert opposite.cancel_db == pytest.approx(43, abs=0.5)
    assert opposite.level_db == pytest.approx(-63, abs=0.5)
    assert measured(np.stack([machine, -machine]), channel=0).cancel_db == 0
    assert measured(np.stack([machine, machine])).cancel_db == pytest.approx(0, abs=0.01)
    apart = measured(np.stack([noise(seed=k) for k in range(8)]))
    assert apart.cancel_db == pytest.approx(9, abs=0.2), "10 lg 8"
    assert apart.imbalance_db == pytest.approx(0, abs=0.2)
    assert measured(np.stack([machine, machine / 100])).imbalance_db == pytest.approx(40, abs=0.1)
    assert measured(np.stack([machine, 0 * machine])).imbalance_db == pytest.approx(100, abs=0.1)


@given(sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=20))
def test_blocks_of_any_length_give_the_same(sizes: list[int]) -> None:
    signal = np.stack([noise(2.5), noise(2.5, seed=1)]).astype(np.float32)
    signal[:, 7000:7200] = 0
    whole = measured(signal)
    meter = Meter()
    for part in np.array_split(signal, np.cumsum(sizes), axis=1):
        meter.feed(part, RATE)
    assert meter.condition() == whole
    assert whole.dropouts == 1


def test_it_listens_to_the_file_as_it_is_while_it_is_decoded(
    tmp_path: Path, make_media: Callable[..., Path]
) -> None:
    """What is clipped or missing shows at the file's own rate, and no more once resampled."""
    signal = np.clip(20 * noise(3, 48000), -1, 1)
    signal[48000:48300] = 0
    path = tmp_path / "pump.wav"
    soundfile.write(path, np.stack([signal, signal], 1), 48000)
    meter = Meter()
    blocks = np.concatenate(list(stream_blocks(path, RATE, meter=meter)))
    np.testing.assert_array_equal(blocks, read(path, RATE)[0])
    condition = meter.condition()
    assert (condition.sample_rate, condition.channels) == (48000, 2)
    assert condition.duration_s == pytest.approx(3)
    assert condition.dropouts == 1
    assert condition.clipped == pytest.approx(np.mean(np.abs(signal) >= 0.99))
    video = make_media(tmp_path / "pump.mp4", [noise(3, 48000).astype(np.float32)], 48000)
    meter = Meter()
    seconds = sum(map(len, stream_blocks(video, RATE, meter=meter))) / RATE
    assert meter.condition().duration_s == pytest.approx(seconds, abs=1e-3), "no padding"


def test_nothing_and_next_to_nothing_can_be_measured() -> None:
    assert Meter().condition().duration_s == 0
    assert measured(np.array([0.5])).duration_s == 1 / RATE
