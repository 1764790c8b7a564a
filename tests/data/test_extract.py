"""Audio tracks are taken out whole, at the quality promised, and nothing is overwritten."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from asd.audio.decode import probe, read
from asd.audio.encode import AudioFormat, transcode, write_wav
from asd.audio.folders import find_audio
from asd.data.extract import extract_all
from asd.data.layouts import recognise
from asd.errors import AudioError, DataError, OutputError

Make = Callable[..., Any]
FORMATS: tuple[AudioFormat, ...] = ("mp3", "wav", "flac")


@pytest.fixture
def videos(tmp_path: Path, make_media: Make, make_tone: Make) -> Path:
    folder = tmp_path / "動画"
    make_media(folder / "ポンプ.mp4", [make_tone(1)], picture_s=1)
    make_media(folder / "line 2" / "fan.mkv", [make_tone(2)], picture_s=2)
    return folder


def listing(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def frame_kbps(mp3: bytes) -> list[int]:
    """Bit rates of the frames of an MPEG 1 layer III file (ISO 11172-3, 2.4.2.3), after the tag."""
    rates = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
    at, found = mp3.index(b"\xff\xfb"), []
    while at + 4 <= len(mp3):
        kbps = rates[mp3[at + 2] >> 4]
        found.append(kbps)
        at += 144000 * kbps // 44100 + (mp3[at + 2] >> 1 & 1)
    return found[1:]


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_folder_is_mirrored(videos: Path, tmp_path: Path, fmt: AudioFormat) -> None:
    out = tmp_path / "out"
    report = extract_all(videos, out, fmt)
    assert listing(out) == sorted([f"ポンプ.{fmt}", f"line 2/fan.{fmt}"])
    assert set(report.written) == set(find_audio(out))
    assert (report.kept, report.skipped) == ((), ())
    assert report.seconds == pytest.approx(3, abs=0.1)
    for path, seconds in ((out / f"ポンプ.{fmt}", 1), (out / f"line 2/fan.{fmt}", 2)):
        assert probe(path).duration_s == pytest.approx(seconds, abs=0.06)
    assert report.lines() == [f"written: 2 files, {report.seconds:.1f} s of sound"]


def test_outputs_that_are_there_are_kept_unless_overwrite(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "line 2").mkdir(parents=True)
    (out / "line 2" / "fan.wav").write_bytes(b"mine")
    report = extract_all(videos, out, "wav")
    assert report.kept == (out / "line 2" / "fan.wav",)
    assert report.kept[0].read_bytes() == b"mine"
    assert "kept: 1 files that were there" in report.lines()
    assert extract_all(videos, out, "wav").written == ()
    report = extract_all(videos, out, "wav", overwrite=True)
    assert (len(report.written), report.kept) == (2, ())
    assert probe(out / "line 2" / "fan.wav").sample_rate == 16000


def test_recordings_that_differ_in_their_suffix_only_keep_it(
    tmp_path: Path, make_media: Make, make_tone: Make
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    make_media(source / "pump.mp4", [make_tone(1)])
    make_media(source / "Pump.mov", [make_tone(2)])
    make_media(source / "fan.mp4", [make_tone(1)])
    extract_all(source, out, "flac")
    assert listing(out) == ["Pump.mov.flac", "fan.flac", "pump.mp4.flac"]
    assert probe(out / "Pump.mov.flac").duration_s == 2
    make_media(source / "pump.mp4.avi", [make_tone(1)])
    with pytest.raises(DataError, match=r"two recordings would be written as pump.mp4.flac"):
        extract_all(source, out, "flac")


def test_outputs_below_the_source_are_not_extracted_again(videos: Path) -> None:
    for _ in range(2):
        report = extract_all(videos, videos / "audio", "mp3", overwrite=True)
        assert len(report.written) == 2
    assert listing(videos / "audio") == ["line 2/fan.mp3", "ポンプ.mp3"]


def test_the_folder_of_the_source_is_no_output(videos: Path) -> None:
    before = listing(videos)
    for source in (videos, videos / "ポンプ.mp4"):
        with pytest.raises(DataError, match="output is the folder of the source"):
            extract_all(source, videos / ".." / videos.name, "mp3")
    assert listing(videos) == before
    write_wav(videos / "old" / "out" / "fan.wav", np.full(1000, 0.1), 16000)
    with pytest.raises(DataError, match="no recordings but those in the output"):
        extract_all(videos / "old", videos / "old" / "out", "wav")


def test_one_file_and_another_track_of_it(
    tmp_path: Path, make_media: Make, make_tone: Make
) -> None:
    path = make_media(tmp_path / "two.mp4", [make_tone(1, hz=300), make_tone(1, hz=2000)])
    extract_all(path, tmp_path / "out", "wav", stream=1)
    samples, rate = read(tmp_path / "out" / "two.wav")
    assert np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples) == pytest.approx(
        2000, abs=2
    )
    with pytest.raises(AudioError, match="stream=2 is not there, the file has 2 audio track"):
        extract_all(path, tmp_path / "out", "flac", stream=2)


def test_bad_recordings_are_listed_together_and_leave_nothing_behind(
    videos: Path, tmp_path: Path, make_media: Make
) -> None:
    make_media(videos / "mute.mp4", picture_s=1)
    (videos / "empty.wav").touch()
    cut = videos / "line 2" / "cut.flac"
    soundfile.write(cut, np.random.default_rng(0).uniform(-1, 1, 16000), 16000)
    cut.write_bytes(cut.read_bytes()[:20000])
    with pytest.raises(DataError) as caught:
        extract_all(videos, tmp_path / "out", "mp3")
    message = str(caught.value)
    assert message.startswith("3 of 5 recordings cannot be used: ")
    for part in ("mute.mp4: has no audio track", "empty.wav: is empty", "cut.flac: corrupt"):
        assert part in message
    assert "\n" not in message
    assert listing(tmp_path / "out") == ["line 2/fan.mp3", "ポンプ.mp3"]
    report = extract_all(videos, tmp_path / "out2", "mp3", skip_bad=True)
    assert (len(report.written), len(report.skipped)) == (2, 3)
    assert any("mute.mp4: has no audio track" in line for line in report.lines())


def test_the_same_command_again_counts_what_is_there(
    videos: Path, tmp_path: Path, make_media: Make
) -> None:
    """Bad recordings among few that are left to do are no reason to refuse all."""
    mute = videos / "mute.mp4"
    make_media(mute, picture_s=1)
    first = extract_all(videos, tmp_path / "out", "mp3", skip_bad=True)
    again = extract_all(videos, tmp_path / "out", "mp3", skip_bad=True)
    assert (len(first.written), len(first.skipped)) == (2, 1)
    assert (len(again.written), len(again.skipped)) == (0, 1)
    with pytest.raises(DataError, match=r"1 of 3 recordings cannot be used: .*mute\.mp4"):
        extract_all(videos, tmp_path / "out", "mp3")
    mute.unlink()
    assert not extract_all(videos, tmp_path / "out", "mp3").skipped


def test_mp3_has_the_highest_variable_bit_rate(tmp_path: Path) -> None:
    t = np.arange(44100 * 6) / 44100
    noise = np.random.default_rng(0).standard_normal((t.size, 2))
    # Three seconds of a tone, which needs few bits, and three of noise, which needs all.
    sound = np.where(t[:, None] < 3, 0.3 * np.sin(2 * np.pi * 440 * t)[:, None], 0.1 * noise)
    soundfile.write(tmp_path / "s.wav", sound, 44100)
    transcode(tmp_path / "s.wav", tmp_path / "s.mp3", "mp3")
    data = (tmp_path / "s.mp3").read_bytes()
    assert b"Xing" in data[:200]
    kbps = frame_kbps(data)
    assert min(kbps) < 128
    # LAME's V0 gives noise about 245 to 320 kbit/s; V2 would give some 190.
    assert np.mean(kbps[-100:-2]) > 240
    assert probe(tmp_path / "s.mp3").channels == 2


@pytest.mark.parametrize(
    ("rate", "written"), [(2000, 8000), (16000, 16000), (37800, 44100), (96000, 48000)]
)
def test_mp3_takes_the_next_higher_rate_that_it_knows(
    tmp_path: Path, rate: int, written: int
) -> None:
    path = tmp_path / "r.wav"
    write_wav(path, 0.5 * np.sin(2 * np.pi * 300 * np.arange(rate) / rate), rate)
    for fmt in FORMATS:
        assert transcode(path, tmp_path / f"out.{fmt}", fmt) == pytest.approx(1)
        info = probe(tmp_path / f"out.{fmt}")
        assert info.sample_rate == (written if fmt == "mp3" else rate)
        assert info.duration_s == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("channels", [2, 6, 8])
def test_many_channels_stay_except_in_mp3_where_they_cannot_clip(
    tmp_path: Path, channels: int
) -> None:
    path = tmp_path / "many.wav"
    tone = 0.9 * np.sin(2 * np.pi * 300 * np.arange(16000) / 16000)
    soundfile.write(path, np.tile(tone[:, None], channels), 16000)
    for fmt in FORMATS:
        transcode(path, tmp_path / f"out.{fmt}", fmt)
        assert probe(tmp_path / f"out.{fmt}").channels == (2 if fmt == "mp3" else channels)
    np.testing.assert_allclose(read(tmp_path / "out.wav")[0], tone, atol=1e-4)
    mixed = read(tmp_path / "out.mp3")[0][2000:-2000]
    # A clipped tone would have harmonics.
    spectrum = np.abs(np.fft.rfft(mixed * np.hanning(len(mixed))))
    assert spectrum[2 * len(mixed) * 500 // 16000 :].max() < spectrum.max() / 200


def test_what_a_format_cannot_hold_is_an_error_of_one_line(tmp_path: Path) -> None:
    path = tmp_path / "array.wav"
    soundfile.write(path, np.full((1000, 16), 0.1), 16000)
    with pytest.raises(AudioError, match=r"array.wav: cannot be written as flac .*16 channels"):
        transcode(path, tmp_path / "array.flac", "flac")
    assert listing(tmp_path) == ["array.wav"]


@pytest.mark.real
def test_every_real_container_extracts_or_says_why(
    real_data: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = real_data("media")
    for path in find_audio(folder):
        for fmt in FORMATS:
            target = tmp_path / f"{path.name}.{fmt}"
            if path.name == "video_without_audio.mp4":
                with pytest.raises(
                    AudioError, match=r"video_without_audio.mp4: has no audio track"
                ):
                    transcode(path, target, fmt)
                continue
            for stream in range(probe(path).n_streams):
                transcode(path, target, fmt, stream)
                stated_s = probe(path, stream).duration_s
                samples, rate = read(target)
                assert stated_s == pytest.approx(len(samples) / rate, abs=0.05), target.name
                assert probe(target).duration_s == pytest.approx(stated_s, abs=0.05), target.name


def test_labels_go_along_under_the_new_names(videos: Path, tmp_path: Path) -> None:
    (videos / "labels.csv").write_text(
        "file,label,rpm\nポンプ.mp4,normal,1400\nline 2/fan.mkv,anomaly,1500\n", encoding="utf-8"
    )
    extract_all(videos, tmp_path / "out", "wav")
    text = (tmp_path / "out" / "labels.csv").read_text(encoding="utf-8")
    assert text.splitlines() == [
        "file,label,rpm",
        "ポンプ.wav,normal,1400",
        "line 2/fan.wav,anomaly,1500",
    ]


class TestLabelled:
    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        rng = np.random.default_rng(0)
        rows = ["file,label,note"]
        for index in range(4):
            label = "anomaly" if index == 3 else "normal"
            samples = 0.1 * rng.standard_normal(8000)
            write_wav(tmp_path / "in" / f"r{index}.wav", samples.clip(-1, 1), 8000)
            rows.append(f"r{index}.wav,{label},=1+1")
        (tmp_path / "in" / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
        return tmp_path / "in"

    def add_bad(self, source: Path) -> None:
        (source / "bad.wav").write_bytes(b"RIFF broken")
        with (source / "labels.csv").open("a", encoding="utf-8") as table:
            table.write("\nbad.wav,normal,")

    def test_what_is_not_whole_is_not_taken_for_normal(self, source: Path, tmp_path: Path) -> None:
        self.add_bad(source)
        with pytest.raises(DataError, match=r"1 of 5 .*bad\.wav.*skip_bad=true"):
            extract_all(source, tmp_path / "out", "wav")
        with pytest.raises(DataError, match=r"bad\.wav' does not exist"):
            recognise(tmp_path / "out")
        for _ in range(2):  # after the error's own advice, and once more
            report = extract_all(source, tmp_path / "out", "wav", skip_bad=True)
            assert len(report.kept) == 4
            assert len(report.skipped) == 1
        labels = {r.name: r.label for r in recognise(tmp_path / "out").recordings}
        assert labels == {"r0": "normal", "r1": "normal", "r2": "normal", "r3": "anomaly"}

    def test_killed_at_any_file_it_is_labelled_or_refused(
        self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = []

        def killed(*args: Any, **named: Any) -> float:
            calls.append(args)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return transcode(*args, **named)

        monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
        monkeypatch.setattr("asd.data.extract.transcode", killed)
        with pytest.raises(KeyboardInterrupt):
            extract_all(source, tmp_path / "out", "wav")
        with pytest.raises(DataError, match="does not exist"):
            recognise(tmp_path / "out")
        monkeypatch.undo()
        assert len(extract_all(source, tmp_path / "out", "wav").kept) == 2
        assert [r.label for r in recognise(tmp_path / "out").recordings].count("anomaly") == 1

    def test_tables_in_sub_folders_go_along(self, source: Path, tmp_path: Path) -> None:
        extract_all(source.parent / "in", tmp_path / "out" / "a", "wav")
        (tmp_path / "above").mkdir()
        source.rename(tmp_path / "above" / "machine")
        extract_all(tmp_path / "above", tmp_path / "out" / "b", "wav")
        assert (tmp_path / "out" / "b" / "machine" / "labels.csv").is_file()
        with pytest.raises(DataError, match="sub-folder"):
            recognise(tmp_path / "out" / "b")

    def test_a_table_names_nothing_outside(self, source: Path, tmp_path: Path) -> None:
        write_wav(tmp_path / "outside.wav", np.zeros(800), 8000)
        for name in ("../outside.wav", str(tmp_path / "outside.wav")):
            (source / "labels.csv").write_text(f"file,label\n{name},normal\n", encoding="utf-8")
            with pytest.raises(DataError, match="leads out of"):
                recognise(source)
            with pytest.raises(DataError, match="leads out of"):
                extract_all(source, tmp_path / "out", "wav")


def test_no_room_ends_the_work_whatever_is_done_with_bad_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(3):
        write_wav(tmp_path / "in" / f"{index}.wav", np.full(800, 0.1), 8000)

    def full(_: Path, target: Path, *__: Any) -> float:
        raise OutputError(f"{target}: cannot be written (No space left on device)")

    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    monkeypatch.setattr("asd.data.extract.transcode", full)
    with pytest.raises(OutputError, match="No space left"):
        extract_all(tmp_path / "in", tmp_path / "out", "wav", skip_bad=True)


def test_a_name_that_becomes_too_long_is_told_before_the_work(
    tmp_path: Path, make_media: Make, make_tone: Make
) -> None:
    make_media(tmp_path / "in" / "a.mkv", [make_tone(1)])
    (tmp_path / "in" / "a.mkv").rename(tmp_path / "in" / ("x" * 251 + ".mkv"))
    make_media(tmp_path / "in" / "a.mkv", [make_tone(1)])
    with pytest.raises(DataError, match=r"longer than 255 bytes; rename it.*skip_bad=true"):
        extract_all(tmp_path / "in", tmp_path / "out", "flac")
    report = extract_all(tmp_path / "in", tmp_path / "out", "flac", skip_bad=True)
    assert (len(report.written), len(report.skipped)) == (1, 1)


def test_an_output_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    write_wav(tmp_path / "in" / "a.wav", np.full(800, 0.1), 8000)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"output=.*file/out: cannot be written"):
        extract_all(tmp_path / "in", tmp_path / "file" / "out", "wav")
