"""Recordings are read whole and right."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asd.audio.decode import (
    AudioInfo,
    probe,
    read,
    read_clip,
    stream_blocks,
)
from asd.audio.encode import write_wav
from asd.errors import AudioError
from tests.audio.conftest import EXACT, rms_db

Make = Callable[..., Any]


def test_every_container_gives_its_length_and_tells_it(container: Path) -> None:
    samples, rate = read(container)
    info = probe(container)
    # Raw AAC, AVI and Matroska have no edit list that would take out the codec's padding.
    tolerance = 1e-6 if container.suffix in EXACT else 0.13
    assert len(samples) / rate == pytest.approx(4.0, abs=tolerance)
    assert samples.dtype == np.float32
    assert (info.sample_rate, info.channels, info.n_streams) == (rate, 1, 1)
    assert info.duration_s == pytest.approx(4.0, abs=0.2)


def test_a_container_in_memory_is_read_like_the_file(container: Path) -> None:
    np.testing.assert_array_equal(read(container.read_bytes())[0], read(container)[0])


def test_the_mean_of_the_channels_is_taken_or_one_of_them(tmp_path: Path) -> None:
    signal = np.sin(np.arange(16000) / 20)
    # Eight channels, as arrays of microphones give them.
    channels = np.stack([signal * k / 10 for k in range(8)], axis=1)
    path = tmp_path / "array.wav"
    soundfile.write(path, channels, 16000)
    np.testing.assert_allclose(read(path)[0], signal * 0.35, atol=1e-4)
    np.testing.assert_allclose(read(path, channel=7)[0], signal * 0.7, atol=1e-4)
    with pytest.raises(
        AudioError, match=r"array.wav: channel=8 is not there, the track has 8; .*channel=0 to 7"
    ):
        read(path, channel=8)


def test_the_audio_track_is_chosen_by_stream(
    tmp_path: Path, make_media: Make, make_tone: Make
) -> None:
    quiet, loud = make_tone(1) / 10, make_tone(1)
    path = make_media(tmp_path / "two.mp4", [quiet, loud], picture_s=1)
    assert probe(path, stream=1).n_streams == 2
    assert rms_db(read(path, stream=1)[0]) - rms_db(read(path)[0]) == pytest.approx(20, abs=0.5)
    for stream in (2, -1):
        with pytest.raises(AudioError, match=rf"two.mp4: stream={stream} .* has 2 audio track"):
            read(path, stream=stream)


@pytest.mark.parametrize("rate", [44100, 48000])
def test_resampling_keeps_what_fits_and_lets_nothing_fold_back(tmp_path: Path, rate: int) -> None:
    t = np.arange(rate) / rate
    levels = {}
    for hz in (1000, 7200, 8000, 8400, 12000):
        soundfile.write(tmp_path / "t.wav", 0.5 * np.sin(2 * np.pi * hz * t), rate, subtype="FLOAT")
        samples, _ = read(tmp_path / "t.wav", sample_rate=16000)
        assert len(samples) == 16000
        levels[hz] = rms_db(samples[2000:-2000]) - rms_db(0.5 * np.sin(2 * np.pi * hz * t))
    assert levels[1000] == pytest.approx(0, abs=0.01)
    assert levels[7200] == pytest.approx(0, abs=0.02), "flat to 0.9 of the new Nyquist frequency"
    assert max(levels[hz] for hz in (8000, 8400, 12000)) < -120


def test_resampling_does_not_shift_in_time(tmp_path: Path) -> None:
    samples = np.zeros(48000)
    samples[24000] = 0.9
    soundfile.write(tmp_path / "click.wav", samples, 48000)
    assert np.argmax(read(tmp_path / "click.wav", sample_rate=16000)[0]) == 8000


@settings(deadline=None, max_examples=15)
@given(block_s=st.floats(0.01, 3.0), rate=st.sampled_from([None, 8000, 22050]))
def test_blocks_are_of_one_length_and_join_to_the_whole(
    tmp_path_factory: pytest.TempPathFactory, block_s: float, rate: int | None
) -> None:
    path = tmp_path_factory.mktemp("blocks") / "noise.wav"
    write_wav(path, np.random.default_rng(0).uniform(-1, 1, 17001), 16000)
    blocks = list(stream_blocks(path, rate, block_s=block_s))
    length = round(block_s * (rate or 16000))
    assert {len(block) for block in blocks[:-1]} <= {length}
    assert 0 < len(blocks[-1]) <= length
    np.testing.assert_array_equal(np.concatenate(blocks), read(path, rate)[0])


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    peaks = []
    for minutes in (1, 8):
        path = tmp_path / f"{minutes}.wav"
        noise = np.random.default_rng(0).integers(-9000, 9000, 60 * 4000, dtype=np.int16)
        soundfile.write(path, np.tile(noise, minutes), 4000)
        tracemalloc.start()
        total = sum(block.size for block in stream_blocks(path, sample_rate=2000))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert total == minutes * 60 * 2000
    assert peaks[1] < 1.2 * peaks[0]


def test_tags_in_another_encoding_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "tagged.wav"
    write_wav(path, np.full(1000, 0.5), 16000)
    name = "ポンプ".encode("shift_jis")
    info = b"INFOINAM" + len(name).to_bytes(4, "little") + name
    data = path.read_bytes()
    path.write_bytes(data[:12] + b"LIST" + len(info).to_bytes(4, "little") + info + data[12:])
    assert len(read(path)[0]) == 1000


def test_an_mp3_without_a_stated_length_is_read_to_its_end(
    tmp_path: Path, make_media: Make, make_tone: Make
) -> None:
    path = make_media(tmp_path / "open.mp3", [make_tone(3)], write_xing="0")
    data = path.read_bytes()
    # Behind a large picture, as music players write it, and before an old tag.
    tag = b"ID3\x04\x00\x00" + bytes([0, 6, 13, 32]) + bytes(6 * 2**14 + 13 * 2**7 + 32)
    path.write_bytes(tag + data[data.index(b"\xff\xf3") :] + b"TAG" + b"x" * 125)
    assert len(read(path)[0]) / 16000 == pytest.approx(3, abs=0.1)


def test_a_clip_is_read_alike_by_both_ways(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, 16000)
    write_wav(tmp_path / "clip.wav", noise, 16000)
    fast = read_clip(tmp_path / "clip.wav", 16000)
    assert fast.dtype == np.float32
    np.testing.assert_array_equal(fast, read(tmp_path / "clip.wav")[0])
    np.testing.assert_array_equal(
        read_clip(tmp_path / "clip.wav", 8000), read(tmp_path / "clip.wav", 8000)[0]
    )
    with pytest.raises(AudioError, match=r"none.wav: cannot be opened"):
        read_clip(tmp_path / "none.wav", 16000)


def test_written_samples_come_back_within_half_a_step(tmp_path: Path) -> None:
    path = tmp_path / "録音" / "クリップ.wav"
    samples = np.array([-1.0, -0.5, 0.0, 1 / 32768, 0.25, 1.0])
    write_wav(path, samples, 16000)
    np.testing.assert_allclose(read_clip(path, 16000), samples, atol=1 / 32768)
    assert soundfile.info(path).subtype == "PCM_16"
    assert list(path.parent.iterdir()) == [path]
    # What was read can be written again without change.
    write_wav(tmp_path / "again.wav", read_clip(path, 16000), 16000)
    assert (tmp_path / "again.wav").read_bytes() == path.read_bytes()


@pytest.mark.real
@pytest.mark.parametrize("name", ["motor_healthy_M1_1750", "motor_propeller_M2_1650"])
@pytest.mark.parametrize("suffix", [".mp4", ".m4a"])
def test_aac_sounds_like_the_recording_it_was_made_of(
    real_data: Callable[[str], Path], name: str, suffix: str
) -> None:
    folder = real_data("media")
    decoded, _ = read(folder / f"{name}{suffix}", sample_rate=16000)
    original, rate = read(folder / f"{name}_reference.wav")
    assert (len(decoded), rate) == (len(original), 16000)
    spectra = (
        np.fft.rfft(decoded, 2 * len(decoded)) * np.fft.rfft(original, 2 * len(decoded)).conj()
    )
    lag = int(np.argmax(np.fft.irfft(spectra)))
    assert lag in (0, 1, 2 * len(decoded) - 1)
    below = np.fft.rfftfreq(len(decoded), 1 / rate) < 0.45 * rate  # where resampling is flat
    heard, made = (np.fft.irfft(np.fft.rfft(x) * below) for x in (decoded, original))
    assert np.corrcoef(heard, made)[0, 1] > 0.99


@pytest.mark.real
def test_a_probe_of_a_real_video_with_two_tracks(real_data: Callable[[str], Path]) -> None:
    path = real_data("media") / "nasa_13013.mp4"
    assert probe(path, 1) == AudioInfo(pytest.approx(13.056), 16000, 2, "aac", 2)  # type: ignore[arg-type]
