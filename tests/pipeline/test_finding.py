"""What is unusual in a sound: bands, level, rhythm and times, of sounds of which they are known."""

import numpy as np
import pytest

from asd.arrays import Spectrogram
from asd.features.base import Axes
from asd.pipeline.finding import Finding, find
from asd.pipeline.usual import Expected, NormalClip, profile

N_BANDS, N_FRAMES, STEP_S = 40, 400, 0.025
AXES = Axes(
    np.arange(100.0, 100.0 * N_BANDS + 1, 100.0, dtype=np.float64), "Hz", STEP_S, "Level (dB)"
)
SECONDS = N_FRAMES * STEP_S


def usual() -> Spectrogram:
    """A sound that wavers by about 1 dB in each band."""
    return np.random.default_rng(0).normal(-30, 1, (N_BANDS, N_FRAMES)).astype(np.float32)


def found(change: Spectrogram, unusual: Spectrogram | None = None) -> Finding | None:
    """What is found in the usual sound with a change in dB."""
    expected = Expected(profile(usual()), np.ones((4, N_BANDS)), NormalClip("a.wav", "0", "data"))
    return find(usual() + change, AXES, expected, unusual)


def changed(rows: slice, frames: slice, level_db: float) -> Spectrogram:
    """A change of some bands at some times."""
    change = np.zeros((N_BANDS, N_FRAMES), np.float32)
    change[rows, frames] = level_db
    return change


def test_the_usual_sound_has_nothing_that_stands_out() -> None:
    assert found(changed(slice(0, 0), slice(0, 0), 0)) is None


@pytest.mark.parametrize("level_db", [14.0, -9.0])
def test_a_steady_change_of_a_band(level_db: float) -> None:
    finding = found(changed(slice(9, 20), slice(None), level_db))
    assert finding is not None
    assert finding.bands_hz == ((950.0, 2050.0),)
    assert finding.times_s == ((0.0, SECONDS),)
    assert finding.rhythm == "steady"
    assert finding.level_db == pytest.approx(level_db, abs=0.3)
    assert not finding.tonal


def test_a_narrow_steady_sound_is_a_tone() -> None:
    finding = found(changed(slice(9, 10), slice(None), 20))
    assert finding is not None
    assert finding.tonal


def test_what_repeats_has_its_rate() -> None:
    change = np.zeros((N_BANDS, N_FRAMES), np.float32)
    for start in range(10, N_FRAMES, 20):
        change[:4, start : start + 4] = 18
    finding = found(change)
    assert finding is not None
    assert finding.rhythm == "repeating"
    assert finding.rate_hz == pytest.approx(2.0, abs=0.05)
    assert finding.bands_hz == ((50.0, 450.0),)


def test_what_comes_once_has_its_time() -> None:
    finding = found(changed(slice(5, 12), slice(200, 240), 15))
    assert finding is not None
    assert finding.rhythm == "once"
    [(start, end)] = finding.times_s
    assert start == pytest.approx(5.0, abs=0.1)
    assert end == pytest.approx(6.0, abs=0.1)


def test_what_comes_now_and_then_has_each_of_its_times() -> None:
    change = sum(changed(slice(5, 12), slice(at, at + 20), 15) for at in (40, 130, 310))
    finding = found(np.asarray(change, np.float32))
    assert finding is not None
    assert finding.rhythm == "several"
    assert [round(start, 1) for start, _ in finding.times_s] == pytest.approx(
        [1, 3.2, 7.7], abs=0.1
    )


def test_the_map_of_the_detector_says_which_band_comes_first() -> None:
    change = changed(slice(2, 8), slice(None), 12) + changed(slice(25, 31), slice(None), 12)
    unusual = changed(slice(25, 31), slice(None), 5) + np.float32(0.1)
    finding = found(change, unusual)
    assert finding is not None
    assert finding.bands_hz[0] == (2550.0, 3150.0)
    assert finding.bands_hz[1] == (250.0, 850.0)


def test_the_map_speaks_alone_where_no_level_is_unusual() -> None:
    unusual = changed(slice(25, 31), slice(100, 150), 5) + np.float32(0.1)
    finding = found(changed(slice(0, 0), slice(0, 0), 0), unusual)
    assert finding is not None
    assert finding.level_db is None
    assert finding.bands_hz == ((2550.0, 3150.0),)
    [(start, end)] = finding.times_s
    assert start == pytest.approx(2.5, abs=0.1)
    assert end == pytest.approx(3.75, abs=0.1)
