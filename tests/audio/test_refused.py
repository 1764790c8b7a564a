"""What is cut short, damaged, silent or no sound is refused with one line that says why."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from asd.audio.completeness import Length
from asd.audio.decode import (
    probe,
    read,
    read_clip,
    stream_blocks,
)
from asd.audio.encode import transcode, write_wav
from asd.audio.signal_check import SignalCheck
from asd.errors import AudioError
from tests.audio.conftest import break_off, rms_db

Make = Callable[..., Any]


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
    loud_enough = SignalCheck("quiet.wav")
    loud_enough.feed(np.array([0.0, 2 / 32768]))
    loud_enough.finish()
    too_quiet = SignalCheck("quiet.wav")
    too_quiet.feed(np.array([0.0, 1 / 32768]))
    with pytest.raises(AudioError, match=r"quiet.wav: is silent"):
        too_quiet.finish()
    check = SignalCheck("late.wav")
    check.feed(np.zeros(100))
    check.feed(np.array([0.5]))
    check.feed(np.zeros(100))
    check.finish()


@pytest.mark.parametrize("value", [1.01, -1.01, np.nan, np.inf])
def test_samples_beyond_full_scale_are_not_written(tmp_path: Path, value: float) -> None:
    with pytest.raises(AudioError, match=r"loud.wav: samples reach .*lower the gain"):
        write_wav(tmp_path / "loud.wav", np.array([0.0, value]), 16000)
    assert list(tmp_path.iterdir()) == []
