"""Recordings are read whole and right, or refused with one line that says why."""

import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asd.audio.completeness import Length
from asd.audio.decode import (
    AUDIO_SUFFIXES,
    AudioInfo,
    SignalCheck,
    check_signal,
    find_audio,
    probe,
    read,
    read_clip,
    stream_blocks,
)
from asd.audio.encode import transcode, write_wav
from asd.errors import AudioError, DataError

Make = Callable[..., Any]
RATES = {".ogg": 48000, ".webm": 48000}
EXACT = (".wav", ".flac", ".aiff", ".mp3", ".ogg", ".webm", ".mp4", ".m4a", ".mov")


@pytest.fixture(params=[*EXACT, ".mkv", ".avi", ".aac"])
def container(request: pytest.FixtureRequest, tmp_path: Path, make_media: Make) -> Path:
    """Four seconds of noise in each kind of container, under a Japanese name."""
    rate = RATES.get(request.param, 16000)
    noise = 0.2 * np.random.default_rng(0).standard_normal(4 * rate)
    video = request.param in (".mp4", ".mov", ".mkv", ".avi")
    path: Path = make_media(
        tmp_path / "録音" / f"ポンプ{request.param}", [noise], rate, picture_s=4 * video
    )
    return path


def break_off(path: Path, keep: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * keep)])
    return path


def rms_db(samples: Any) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64))))


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


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_a_file_cut_short_is_refused(container: Path, keep: float) -> None:
    with pytest.raises(AudioError, match=r"ポンプ.*cut short"):
        read(break_off(container, keep))


def test_an_ogg_file_cut_within_its_last_page_is_refused(
    tmp_path: Path, make_media: Make, make_tone: Make
) -> None:
    path = make_media(tmp_path / "a.ogg", [make_tone(2, 48000)], 48000)
    data = path.read_bytes()
    last = data.rindex(b"OggS")
    for end in (len(data) - 1, last + 30, last + 20):
        with pytest.raises(AudioError, match=r"a.ogg: cut short, its end is missing"):
            probe(break_off(path, end / len(data)))
        path.write_bytes(data)
    assert len(read(path)[0]) == 96000


def test_a_hole_in_the_middle_is_not_skipped_over(container: Path) -> None:
    data = container.read_bytes()
    middle = len(data) // 2
    container.write_bytes(data[:middle] + data[middle + 6001 :])
    with pytest.raises(AudioError, match=r"ポンプ.*(cut short|corrupt)"):
        read(container)


def test_damage_in_the_middle_of_compressed_sound_is_refused(container: Path) -> None:
    if container.suffix in (".wav", ".aiff"):
        pytest.skip("plain samples carry nothing by which damage could be seen")
    data = bytearray(container.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = np.random.default_rng(1).bytes(4000)
    container.write_bytes(data)
    with pytest.raises(AudioError, match=r"ポンプ.*(cut short|corrupt)"):
        read(container)


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


def test_a_missing_file_an_empty_file_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"none.wav: cannot be opened .*check the path"):
        read(tmp_path / "none.wav")
    (tmp_path / "empty.wav").touch()
    with pytest.raises(AudioError, match=r"empty.wav: is empty \(0 bytes\)"):
        read(tmp_path / "empty.wav")
    with pytest.raises(AudioError, match="audio of 0 bytes: is empty"):
        read(b"")
    (tmp_path / "text.wav").write_text("Monday: all well.\n" * 99, encoding="utf-8")
    with pytest.raises(AudioError, match=r"text.wav: cannot be read .*no audio or video"):
        read(tmp_path / "text.wav")


def test_a_playlist_cannot_make_us_open_another_file(tmp_path: Path) -> None:
    write_wav(tmp_path / "secret.wav", np.full(16000, 0.5), 16000)
    other = (tmp_path / "secret.wav").as_uri()
    for text in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile {other}\n",
    ):
        with pytest.raises(AudioError, match="no audio or video"):
            read(text.encode())


def test_a_video_without_sound_is_refused(tmp_path: Path, make_media: Make) -> None:
    path = make_media(tmp_path / "mute.mp4", picture_s=1)
    with pytest.raises(AudioError, match=r"mute.mp4: has no audio track; record .* with sound"):
        probe(path)


def test_a_wav_header_that_promises_more_is_refused_but_not_an_open_one(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    write_wav(path, np.full(1000, 0.5), 16000)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4

    def promise(size: int) -> Path:
        data[at : at + 4] = size.to_bytes(4, "little")
        path.write_bytes(data)
        return path

    with pytest.raises(AudioError, match="its header promises 2400 bytes but 2000 are"):
        probe(promise(2400))
    # What a recorder leaves that writes to a pipe or lost its power.
    for unknown in (0, 0xFFFFFFFF):
        assert len(read(promise(unknown))[0]) == 1000


def test_a_long_wav_header_that_promises_more_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.full(1000, 0.5), 16000, format="RF64", subtype="PCM_16")
    assert len(read(path)[0]) == 1000
    with pytest.raises(AudioError, match="promises 2000 bytes"):
        read(break_off(path, 0.5))


def test_a_track_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16000)
    with pytest.raises(AudioError, match=r"holds no sound \(0 samples\)"):
        read(tmp_path / "none.wav")


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


def test_a_pause_is_reported_in_mp4_and_refused_elsewhere() -> None:
    length = Length()
    for tenths in (0, 1, 22, 23):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600)), format="dbl", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, tenths, Fraction(1, 10)
        length.add(frame)
    with pytest.raises(AudioError, match=r"a.mkv: corrupt, 2.00 s are missing in between"):
        length.check("a.mkv", "matroska", 2.4)
    assert length.check("a.mp4", "mov", 2.4) == ["pauses of 2.00 s are left out"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, bad: float, subtype: str) -> None:
    path = tmp_path / "bad.wav"
    samples = np.full(16000, 0.1)
    samples[8000] = bad
    soundfile.write(path, samples, 16000, subtype=subtype)
    for rate in (16000, 8000):
        with pytest.raises(AudioError, match=r"bad.wav: has NaN or infinite samples"):
            read(path, sample_rate=rate)
        with pytest.raises(AudioError, match=r"bad.wav: has NaN or infinite samples"):
            read_clip(path, rate)
    with pytest.raises(AudioError, match=r"bad.wav: has NaN or infinite samples"):
        transcode(path, tmp_path / "bad.mp3", "mp3")
    assert not (tmp_path / "bad.mp3").exists()


def test_silence_is_refused_for_a_recording_but_not_for_a_clip(tmp_path: Path) -> None:
    path = tmp_path / "silent.wav"
    write_wav(path, np.zeros(16000), 16000)
    for call in (
        lambda: read(path),
        lambda: list(stream_blocks(path)),
        lambda: transcode(path, tmp_path / "silent.flac", "flac"),
    ):
        with pytest.raises(AudioError, match=r"silent.wav: is silent \(never above -90 dBFS\)"):
            call()
    assert len(read_clip(path, 16000)) == 16000
    assert len(read_clip(path, 8000)) == 8000


@pytest.mark.parametrize("rate", [None, 8000])
def test_channels_that_cancel_are_named_as_the_cause_of_silence(
    tmp_path: Path, rate: int | None
) -> None:
    sound = np.random.default_rng(0).uniform(-1, 1, 16000)
    soundfile.write(tmp_path / "two.wav", np.stack([sound, -sound], axis=1), 16000, "FLOAT")
    with pytest.raises(AudioError, match=r"two.wav: its channels cancel, .*channel=left"):
        read(tmp_path / "two.wav", rate)
    assert rms_db(read(tmp_path / "two.wav", rate, channel=0)[0]) > -10


def test_silence_begins_at_the_last_step_of_16_bits() -> None:
    check_signal(np.array([0.0, 2 / 32768]), "quiet.wav")
    with pytest.raises(AudioError, match=r"quiet.wav: is silent"):
        check_signal(np.array([0.0, 1 / 32768]), "quiet.wav")
    check = SignalCheck("late.wav")
    check.feed(np.zeros(100))
    check.feed(np.array([0.5]))
    check.feed(np.zeros(100))
    check.finish()


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


@pytest.mark.parametrize("value", [1.01, -1.01, np.nan, np.inf])
def test_samples_beyond_full_scale_are_not_written(tmp_path: Path, value: float) -> None:
    with pytest.raises(AudioError, match=r"loud.wav: samples reach .*lower the gain"):
        write_wav(tmp_path / "loud.wav", np.array([0.0, value]), 16000)
    assert list(tmp_path.iterdir()) == []


def test_recordings_are_found_sorted_at_any_depth_but_not_hidden_ones(tmp_path: Path) -> None:
    names = ["b/ポンプ.MP4", "a.wav", "b/c/d.flac"]
    for name in [*names, ".hidden.wav", ".git/x.wav", ".partial-1.wav", "notes.txt", "._a.wav"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    assert find_audio(tmp_path) == sorted(tmp_path / name for name in names)
    assert find_audio(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in AUDIO_SUFFIXES)


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match=rf"{tmp_path}: no recordings .*\.mp4.*\.wav"):
        find_audio(tmp_path)
    with pytest.raises(DataError, match="none: no such file or folder; check source"):
        find_audio(tmp_path / "none")


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
