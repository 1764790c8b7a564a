"""Laying sounds over others, with hand-worked numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from asd.audio.overlay import overlay, snr_gain_db, trim_silence, within_full_scale
from asd.errors import AudioError


def samples(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def test_adds_at_the_position_with_the_gain() -> None:
    mixed, headroom_db = overlay(samples(0.1, 0.1, 0.1, 0.1), samples(0.2, -0.2), 1, -20.0)
    np.testing.assert_allclose(mixed, [0.1, 0.12, 0.08, 0.1], rtol=1e-6)
    assert headroom_db == 0.0


def test_cuts_off_what_reaches_beyond_the_end() -> None:
    mixed, _ = overlay(samples(0, 0, 0), samples(0.5, 0.4, 0.3), 2, 0.0)
    np.testing.assert_allclose(mixed, [0, 0, 0.5])


def test_turns_the_whole_down_instead_of_clipping() -> None:
    mixed, headroom_db = overlay(samples(0.5, 1.0, -0.5), samples(1.0), 1, 0.0)
    np.testing.assert_allclose(mixed, [0.25, 1.0, -0.25])
    assert headroom_db == pytest.approx(6.0206, abs=1e-4)


@pytest.mark.parametrize("position", [-1, 3])
def test_refuses_a_position_outside(position: int) -> None:
    with pytest.raises(ValueError, match="position"):
        overlay(samples(0, 0, 0), samples(1), position, 0.0)


def test_mixes_as_pydub_does() -> None:
    # Not at the top: pydub warns when it is imported before asd.audio.overlay.
    from pydub import AudioSegment

    rng = np.random.default_rng(0)
    base, event = (rng.uniform(-0.3, 0.3, n).astype(np.float32) for n in (8000, 3000))
    segments = [
        AudioSegment(
            (part * 32768).astype("<i2").tobytes(), sample_width=2, frame_rate=8000, channels=1
        )
        for part in (base, event)
    ]
    expected = segments[0].overlay(segments[1].apply_gain(-4.0), position=250)
    mixed, _ = overlay(base, event, 2000, -4.0)
    # pydub rounds to 16 bits at each step.
    np.testing.assert_allclose(mixed, np.array(expected.get_array_of_samples()) / 32768, atol=1e-4)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-5, 5, width=32), max_size=20))
def test_full_scale_is_never_passed_and_the_headroom_brings_back_the_original(
    values: list[float],
) -> None:
    fitted, headroom_db = within_full_scale(samples(*values))
    assert np.max(np.abs(fitted), initial=0) <= 1.0
    assert headroom_db >= 0
    restored = fitted * 10 ** (headroom_db / 20)
    # The smallest numbers there are cannot be made smaller and come back.
    np.testing.assert_allclose(restored, samples(*values), rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 6.0])
def test_the_gain_gives_the_ratio(snr_db: float) -> None:
    rng = np.random.default_rng(1)
    base, event = (level * rng.standard_normal(4000).astype(np.float32) for level in (0.1, 0.02))
    laid = event * 10 ** (snr_gain_db(base, event, snr_db) / 20)
    assert 10 * np.log10(np.mean(base**2) / np.mean(laid**2)) == pytest.approx(snr_db, abs=1e-4)


def test_silence_has_no_ratio() -> None:
    with pytest.raises(AudioError, match="noise_gain_db"):
        snr_gain_db(samples(0, 0), samples(0.1, 0.1), 3.0)


def test_trims_silence_at_both_ends_and_keeps_pauses() -> None:
    sound = np.concatenate(
        [np.zeros(1600), np.full(800, 0.2), np.zeros(800), np.full(800, -0.2), np.zeros(3200)]
    ).astype(np.float32)
    np.testing.assert_array_equal(trim_silence(sound, 16000), sound[1600:4000])


def test_trims_a_faint_sound_as_well_as_a_loud_one() -> None:
    sound = samples(*[0.0] * 320, *[1e-5] * 320)
    assert len(trim_silence(sound, 16000)) == 320


def test_nothing_is_left_of_silence() -> None:
    assert len(trim_silence(np.zeros(1000, np.float32), 16000)) == 0
