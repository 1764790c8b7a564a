"""Clips are what was recorded, of one length and rate, each on one side."""

import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asd.data import manifest
from asd.data.rates import rate_warnings, rates_of, usual_rate
from asd.data.sound import sound_of
from asd.data.verify import verify
from asd.errors import NotEnoughClipsError
from tests.data.cutting import RATE, counts, fleet, run, write


def test_clips_are_the_recording_sample_by_sample(tmp_path: Path) -> None:
    source = fleet(tmp_path / "in", seconds=10.7)
    report = run(source, tmp_path / "out")
    assert manifest.load(tmp_path / "out") == report.dataset
    verify(report.dataset)
    for recording in ("r0", "r4"):
        clips = [clip for clip in report.dataset.clips if clip.recording == recording]
        assert [clip.start_s for clip in clips] == list(range(10))
        parts = [soundfile.read(report.dataset.file(clip), dtype="int16") for clip in clips]
        whole, _ = soundfile.read(source / f"{recording}.wav", dtype="int16")
        assert all(rate == RATE for _, rate in parts)
        np.testing.assert_array_equal(np.concatenate([part for part, _ in parts]), whole[:40000])
    assert report.dropped_s == pytest.approx(5 * 0.7)
    assert not list((tmp_path / "out").glob("pieces"))


def test_no_clip_has_room_for_more_than_was_recorded(tmp_path: Path) -> None:
    source = fleet(tmp_path / "in", seconds=4)
    samples = np.random.default_rng(0).normal(0, 0.1, 4 * 48000)
    soundfile.write(source / "studio.wav", samples, 48000)
    report = run(source, tmp_path / "out", sample_rate=None)
    assert report.sample_rate == RATE
    assert {soundfile.info(report.dataset.file(c)).samplerate for c in report.dataset.clips} == {
        RATE
    }
    (source / "notes.wav").write_text("no sound", encoding="utf-8")
    assert usual_rate(rates_of([source / "notes.wav", source / "studio.wav"])) == 16000


def test_layout_labels_and_sides_reach_the_manifest(tmp_path: Path) -> None:
    source = tmp_path / "in"
    for name in ("a", "b", "c"):
        write(source / f"{name}.wav", 4)
    (source / "labels.csv").write_text(
        "file,label,split,machine,condition,domain,recording\n"
        "a.wav,normal,train,M1,idle,source,day 1\n"
        "b.wav,normal,train,M1,idle,source,day 2\n"
        "c.wav,anomaly,test,M2,knock,target,\n"
    )
    report = run(source, tmp_path / "out")
    assert counts(report) == {
        ("train", "normal"): 4,
        ("valid", "normal"): 4,
        ("test", "anomaly"): 4,
    }
    clip = report.dataset.split("test").clips[0]
    assert (clip.machine, clip.condition, clip.domain) == ("M2", "knock", "target")
    assert {clip.recording for clip in report.dataset.clips} == {"day 1", "day 2", "c"}
    text = "\n".join(report.lines())
    assert "layout: labels.csv with 3 recordings" in text
    assert "| all that is used |          | 1 (4.0 s) | 1 (4.0 s) | 1 (4.0 s) |" in text
    assert "warning: test has no normal clip" in text
    assert (
        "2 normal recordings to train and calibrate on can promise a false-alarm rate of 33%"
        in text
    )


def test_the_ranges_of_the_training_are_known_with_sessions_too(tmp_path: Path) -> None:
    source = fleet(tmp_path / "in", 6, seconds=2)
    rows = [f"r{number}.wav,normal,day {number // 2}" for number in range(6)]
    (source / "labels.csv").write_text("\n".join(["file,label,session", *rows]), encoding="utf-8")
    ranges = sound_of(run(source, tmp_path / "out").dataset).ranges
    assert ranges is not None
    assert ranges == sound_of(manifest.load(tmp_path / "out")).ranges


def test_the_same_input_gives_the_same_digest(tmp_path: Path) -> None:
    source = fleet(tmp_path / "in")
    first, again = run(source, tmp_path / "a"), run(source, tmp_path / "b")
    other = run(source, tmp_path / "c", seed=43)
    assert first.dataset.digest == again.dataset.digest != other.dataset.digest


def test_names_are_readable_unique_and_japanese(tmp_path: Path) -> None:
    source = tmp_path / "in"
    names = ["給湯器/一号.wav", "給湯器_一号.wav", "Pump.wav", "pump.flac", "長" * 80 + ".wav"]
    for name in names:
        write(source / name, 2)
    clips = run(source, tmp_path / "out", clip_seconds=0.25).dataset.clips
    stems = {clip.recording: Path(clip.path).name for clip in clips if clip.start_s == 0.25}
    assert stems == {
        "給湯器/一号": "給湯器_一号_0000.250s.wav",
        "給湯器_一号": "給湯器_一号~2_0000.250s.wav",
        "Pump": "Pump_0000.250s.wav",
        "pump": "pump~2_0000.250s.wav",
        "長" * 80: "長" * 50 + "_0000.250s.wav",
    }
    assert all(clip.path.startswith(f"{clip.split}/") for clip in clips)


@pytest.mark.parametrize(
    ("seconds", "remainder", "lengths", "dropped"),
    [
        (2.5, "drop", [1, 1], 0.5),
        (2.5, "keep", [1, 1, 0.5], 0),
        (2.4, "keep", [1, 1], 0.4),
        (3.0, "keep", [1, 1, 1], 0),
        (0.3, "drop", [0.3], 0),
        (0.3, "keep", [0.3], 0),
    ],
)
def test_remainder(
    tmp_path: Path, seconds: float, remainder: str, lengths: list[float], dropped: float
) -> None:
    write(fleet(tmp_path / "in") / "last.wav", seconds)
    report = run(tmp_path / "in", tmp_path / "out", remainder=remainder)
    clips = [clip for clip in report.dataset.clips if clip.recording == "last"]
    assert [clip.duration_s for clip in clips] == lengths
    assert report.dropped_s == pytest.approx(dropped)
    assert report.short == (("last",) if seconds < 1 else ())


def test_channel_and_resampling(tmp_path: Path) -> None:
    source = fleet(tmp_path / "in")
    time = np.arange(4 * 16000) / 16000
    left, right = 0.5 * np.sin(2 * np.pi * 500 * time), 0.25 * np.sin(2 * np.pi * 500 * time)
    soundfile.write(source / "stereo.wav", np.stack([left, right], axis=1), 16000)
    for number in range(5):
        (source / f"r{number}.wav").unlink()
    for channel, amplitude in ((None, 0.375), (0, 0.5), (1, 0.25)):
        report = run(
            source, tmp_path / f"out {channel}", clip_seconds=0.5, channel=channel, sample_rate=8000
        )
        samples, rate = soundfile.read(report.dataset.file(report.dataset.clips[1]))
        assert (rate, len(samples)) == (8000, 4000)
        assert np.sqrt(2 * np.mean(samples**2)) == pytest.approx(amplitude, rel=1e-3)


def test_one_recording_is_split_in_time(tmp_path: Path) -> None:
    report = run(write(tmp_path / "day.wav", 30), tmp_path / "out")
    clips = report.dataset.clips
    assert counts(report) == {
        ("train", "normal"): 20,
        ("valid", "normal"): 5,
        ("test", "normal"): 3,
    }
    ends = {split: max(c.start_s for c in clips if c.split == split) for split in ("train", "test")}
    assert ends == {"train": 19, "test": 29}
    assert any("day is the only recording" in line for line in report.lines())
    with pytest.raises(NotEnoughClipsError, match=r"day: .*lower clip_seconds"):
        run(tmp_path / "day.wav", tmp_path / "short", clip_seconds=10.0)
    assert {path.name for path in tmp_path.iterdir()} == {"day.wav", "out"}


def test_a_long_recording_is_never_in_memory_whole(tmp_path: Path) -> None:
    seconds = 600
    path = write(tmp_path / "long.wav", seconds)
    tracemalloc.start()
    report = run(path, tmp_path / "out", clip_seconds=10.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(report.dataset.clips) == seconds / 10 - 2
    assert peak < seconds * RATE * 4 / 4


def test_one_of_everything_is_one_table(tmp_path: Path) -> None:
    source = tmp_path / "in"
    for name in ("OK/a", "OK/b", "OK/c", "正常/d", "NG/belt/x", "old/y"):
        write(source / f"{name}.wav", 2)
    shutil.copy(source / "OK" / "a.wav", source / "OK" / "a (1).wav")
    write(source / "OK" / "short.wav", 0.5)
    (source / "OK" / "gone.wav").symlink_to("nowhere.wav")
    (source / "OK" / "text.wav").write_text("no sound", encoding="utf-8")
    (source / "notes.txt").touch()
    report = run(source, tmp_path / "out", skip_bad=True)
    lines = report.lines()
    table = [line for line in lines if line.startswith("|")]
    assert [line.split(" | ")[1].strip() for line in table if "not used" in line] == [
        "not used: 1 file that cannot be used",
        "not used: 1 file with the same sound as another",
        "not used: 1 file outside these folders",
        "not used: 1 link to a file that is not there",
        "not used: 1 file of no suffix of sound or video (.txt 1)",
    ]
    assert any(line.startswith("| NG/belt/") and line.endswith("1 (2.0 s) |") for line in table)
    assert any(line.startswith("| 正常/") for line in table)
    assert "shorter than a clip, kept at their own length: 1 recording, OK/short" in lines
    assert any("old/ (1)" in line for line in lines if line.startswith("warning"))


def test_recordings_that_lower_the_rate_of_all_are_named(tmp_path: Path) -> None:
    source = fleet(tmp_path / "in")
    samples = np.random.default_rng(0).normal(0, 0.1, (2, 4 * 16000))
    for number, own in enumerate(samples):
        soundfile.write(source / f"studio{number}.wav", own, 16000)
    assert not rate_warnings(rates_of(sorted(source.glob("*.wav"))), source), "most are low"
    for number in range(1, 5):
        (source / f"r{number}.wav").unlink()
    report = run(source, tmp_path / "out", sample_rate=None)
    [warning] = [text for text in report.warnings if text.startswith("cut at 4000 Hz")]
    assert "because of 1 recording of 3: r0.wav;" in warning
    assert warning.endswith("leave it out to keep it")


@pytest.mark.real
def test_motor(tmp_path: Path, real_data: Callable[[str], Path]) -> None:
    report = run(real_data("motor"), tmp_path / "motor", clip_seconds=2.0, sample_rate=16000)
    assert counts(report) == {
        ("train", "normal"): 40,
        ("valid", "normal"): 10,
        ("test", "normal"): 30,
        ("test", "anomaly"): 70,
    }
    sides: dict[str, set[str]] = {}
    for clip in report.dataset.clips:
        sides.setdefault(clip.recording, set()).add(clip.split)
    assert all(len(side) == 1 for side in sides.values())
    assert {clip.machine for clip in report.dataset.clips} == {"M1", "M2"}


@pytest.mark.real
@pytest.mark.parametrize("sample_rate", [2000, 16000])
def test_heart(tmp_path: Path, real_data: Callable[[str], Path], sample_rate: int) -> None:
    source = tmp_path / "heart"
    source.mkdir()
    rows = (real_data("heart") / "labels.csv").read_text().splitlines()
    (source / "labels.csv").write_text("\n".join(rows[:61]))
    for row in rows[1:61]:
        name = row.split(",")[0]
        (source / name).symlink_to(real_data("heart") / name)
    report = run(source, tmp_path / "out", clip_seconds=2.0, sample_rate=sample_rate)
    assert len({clip.recording for clip in report.dataset.clips}) == 60
    files = [report.dataset.file(clip) for clip in report.dataset.clips]
    assert {soundfile.info(file).frames for file in files} == {2 * sample_rate}
