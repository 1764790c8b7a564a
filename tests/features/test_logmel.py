"""The front end equals librosa, whatever the config and the sound."""

import warnings
from typing import Any, Literal, get_args

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asd.arrays import Spectrogram
from asd.config import LogMelConfig
from asd.features.logmel import _LEVELS, LogMel, level_gain, power_level

Level = Literal["power", "none", "rms", "decibels", "mean"]


def kept(**fields: Any) -> LogMelConfig:
    """Log-mel with the level of the recording, as librosa gives it."""
    return LogMelConfig.parse({"level": "none", **fields})


CONFIGS = [
    kept(),
    kept(power=1),
    kept(sample_rate=2000),
    kept(sample_rate=44100, n_fft=2048, hop_length=441, n_mels=64),
    kept(f_min=50, f_max=6000, n_mels=40, n_fft=400, hop_length=160),
    kept(n_fft=1023, hop_length=300, n_mels=33),
    kept(n_fft=256, hop_length=128),
]


def sounds(sample_rate: int) -> dict[str, Spectrogram]:
    time = np.arange(2 * sample_rate) / sample_rate
    noise = 0.1 * np.random.default_rng(0).standard_normal(len(time))
    tone = 0.5 * np.sin(2 * np.pi * 0.1 * sample_rate * time)
    found = {
        "noise": noise,
        "tone": tone,
        "16 bit": np.round(tone * 32767) / 32768,
        "half silent": np.where(time < 1, noise, 0.0),
        "silence": np.zeros(len(time)),
    }
    return {name: samples.astype(np.float32) for name, samples in found.items()}


def by_librosa(samples: Spectrogram, config: LogMelConfig) -> Spectrogram:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mel = librosa.feature.melspectrogram(
            y=samples,
            sr=config.sample_rate,
            n_fft=config.n_fft,
            hop_length=config.hop_length,
            n_mels=config.n_mels,
            fmin=config.f_min,
            fmax=config.f_max,
            power=config.power,
        )
    return np.asarray(librosa.power_to_db(mel, top_db=None))


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_equals_librosa(config: LogMelConfig) -> None:
    front_end = LogMel(config)
    for name, samples in sounds(config.sample_rate).items():
        found = front_end(samples)
        assert found.dtype == np.float32
        assert found.flags.c_contiguous
        assert found.shape == (config.n_mels, front_end.n_frames(len(samples)))
        np.testing.assert_allclose(found, by_librosa(samples, config), atol=1e-3, err_msg=name)


def test_clip_max_scales_as_the_original_scripts_did() -> None:
    config = LogMelConfig(scaling="clip_max")
    for name, samples in sounds(config.sample_rate).items():
        mel = librosa.feature.melspectrogram(y=samples, sr=16000, n_fft=1024, hop_length=512)
        expected = (np.clip(librosa.power_to_db(mel, ref=np.max), -80, 0) + 80) / 80
        np.testing.assert_allclose(LogMel(config)(samples), expected, atol=1e-5, err_msg=name)


@settings(deadline=None, max_examples=15)
@given(n_samples=st.integers(1, 3000), n_fft=st.integers(32, 1100))
def test_every_length_gives_frames_as_librosa_does(n_samples: int, n_fft: int) -> None:
    config = kept(n_fft=n_fft, hop_length=min(n_fft, 100), n_mels=8)
    samples = np.random.default_rng(n_samples).standard_normal(n_samples).astype(np.float32)
    found = LogMel(config)(samples)
    assert found.shape == (8, LogMel(config).n_frames(n_samples))
    np.testing.assert_allclose(found, by_librosa(samples, config), atol=1e-3)


@pytest.mark.parametrize("sample_rate", [1000, 2000, 8000, 16000, 44100, 48000])
def test_no_band_is_empty_by_default(sample_rate: int) -> None:
    config = kept(sample_rate=sample_rate)
    noise = np.random.default_rng(0).standard_normal(4096).astype(np.float32)
    assert LogMel(config)(noise).min() > -90


def test_bands_without_bins_stay_at_the_floor_without_a_warning() -> None:
    noise = np.random.default_rng(0).standard_normal(4096).astype(np.float32)
    found = LogMel(kept(n_fft=128, hop_length=64, f_max=500))(noise)
    assert np.isfinite(found).all()
    assert found.min() == pytest.approx(-100, abs=1e-3)


def test_read_only_samples_are_taken_as_they_are() -> None:
    samples = sounds(16000)["noise"]
    before = samples.copy()
    samples.flags.writeable = False
    for level in get_args(Level):
        LogMel(LogMelConfig(level=level))(samples)
    np.testing.assert_array_equal(samples, before)


def test_a_clip_in_a_batch_is_the_clip_alone() -> None:
    clips = np.random.default_rng(0).standard_normal((3, 5000)).astype(np.float32)
    front_end = LogMel(LogMelConfig())
    found = front_end.batch(clips)
    for clip, expected in zip(clips, found, strict=True):
        np.testing.assert_array_equal(front_end(clip), expected)


def test_level_rms_brings_the_samples_to_one_loudness() -> None:
    samples = sounds(16000)["noise"]
    np.testing.assert_allclose(
        LogMel(LogMelConfig(level="rms"))(samples),
        by_librosa(samples * level_gain(samples, 512), LogMelConfig()),
        atol=1e-3,
    )


@pytest.mark.parametrize("level", ["power", "rms", "decibels", "mean"])
def test_the_gain_of_the_recording_is_forgotten_in_the_front_end(level: Level) -> None:
    samples = sounds(16000)["noise"]
    front_end = LogMel(LogMelConfig(level=level))
    np.testing.assert_allclose(front_end(samples * np.float32(0.03)), front_end(samples), atol=1e-3)


def test_the_gain_of_the_recording_is_forgotten_unless_it_is_asked_for() -> None:
    samples = sounds(16000)["noise"]
    louder = samples * np.float32(2)
    assert LogMelConfig().level == "power"
    gained = LogMel(kept())(louder) - LogMel(kept())(samples)
    np.testing.assert_allclose(gained, 20 * np.log10(2), atol=1e-3)


@settings(deadline=None, max_examples=20)
@given(gain_db=st.floats(-40, 20), n_samples=st.integers(1, 20000), seed=st.integers(0, 99))
def test_clips_of_any_length_forget_the_gain(gain_db: float, n_samples: int, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.03, n_samples).astype(np.float32)
    front_end = LogMel(LogMelConfig(sample_rate=8000, n_mels=8))
    gained = front_end(noise * np.float32(10 ** (gain_db / 20)))
    # The floor of -100 dB is not moved by a gain; the very quietest values meet it.
    audible = front_end(noise) > -30
    np.testing.assert_allclose(gained[audible], front_end(noise)[audible], atol=1e-2)


def test_the_level_is_the_median_over_frames_of_their_power() -> None:
    decibels = np.array([[10, 0, -30, 20, 0], [-90, 0, -30, 20, 0]], np.float32)
    assert power_level(decibels) == pytest.approx(0, abs=1e-6)
    assert power_level(decibels[:, :1]) == pytest.approx(10 - 10 * np.log10(2), abs=1e-6)
    levels = {"power": 0.0, "decibels": 0.0, "mean": -10.0}
    for level, expected in levels.items():
        assert _LEVELS[level](decibels) == pytest.approx(expected, abs=1e-6)


def test_silent_bands_do_not_move_the_level() -> None:
    rng = np.random.default_rng(0)
    loud = rng.normal(-20, 1, (4, 50))
    quiet, quieter = rng.normal(-90, 1, (28, 50)), rng.normal(-70, 1, (28, 50))
    levels = [power_level(np.concatenate([loud, rest])) for rest in (quiet, quieter)]
    assert levels[0] == pytest.approx(levels[1], abs=0.01)


def test_clicks_do_not_change_the_level() -> None:
    clip = np.full((4, 9), -30, np.float32)
    clip[:, 3] = 20
    assert power_level(clip) == pytest.approx(-30, abs=1e-4)


def test_level_is_that_of_the_machine_not_of_clicks() -> None:
    samples = sounds(16000)["noise"]
    clicked = samples.copy()
    clicked[::4000] = 1.0
    assert 20 * np.log10(level_gain(clicked, 512) / level_gain(samples, 512)) == pytest.approx(
        0, abs=0.5
    )


def test_level_of_known_sounds() -> None:
    assert level_gain(np.full(1000, 0.5, np.float32), 100) == pytest.approx(0.2)
    assert level_gain(np.full(7, 0.5, np.float32), 100) == pytest.approx(0.2)
    assert level_gain(np.zeros(1000, np.float32), 100) == pytest.approx(1000)
    assert np.isfinite(LogMel(LogMelConfig(level="rms"))(np.zeros(1000, np.float32))).all()


@pytest.mark.parametrize(
    ("sample_rate", "expected"),
    [
        (2000, (128, 64, 32)),
        (8000, (512, 256, 128)),
        (16000, (1024, 512, 128)),
        (44100, (2048, 1024, 128)),
    ],
)
def test_the_defaults_follow_the_sample_rate(
    sample_rate: int, expected: tuple[int, int, int]
) -> None:
    config = LogMelConfig(sample_rate=sample_rate)
    assert (config.n_fft, config.hop_length, config.n_mels) == expected
    assert LogMelConfig(sample_rate=sample_rate, n_fft=1024).n_fft == 1024


@given(sample_rate=st.integers(1000, 192000))
@settings(max_examples=25, deadline=None)
def test_by_default_no_band_is_without_a_bin(sample_rate: int) -> None:
    config = LogMelConfig(sample_rate=sample_rate)
    bank = librosa.filters.mel(sr=sample_rate, n_fft=config.n_fft, n_mels=config.n_mels)
    assert (bank.max(axis=1) > 0).all()
