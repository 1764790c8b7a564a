"""The same sound in several files is one recording."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from asd.audio.encode import transcode
from asd.audio.fingerprint import distance, fingerprint, same_sound
from asd.config.steps import CutConfig
from asd.data.preprocess import preprocess
from asd.data.preprocess_report import PreprocessReport
from asd.data.split import SIDES

RATE = 8000


def hum(seed: int, seconds: float = 3.0) -> np.ndarray:
    """A machine with the same tones in each recording, and noise of its own."""
    rng, time = np.random.default_rng(seed), np.arange(int(seconds * RATE)) / RATE
    tones = 0.2 * np.sin(2 * np.pi * 100 * time) + 0.1 * np.sin(2 * np.pi * 300 * time)
    return tones + 0.03 * rng.standard_normal(len(time))


def write(path: Path, seed: int, seconds: float = 3.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, hum(seed, seconds), RATE, format=path.suffix[1:].upper())
    return path


def run(source: Path) -> PreprocessReport:
    return preprocess(source, source.parent / "out", CutConfig(clip_seconds=1.0), overwrite=True)


def used(report: PreprocessReport) -> set[str]:
    return {clip.recording for clip in report.dataset.clips}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for seed in range(4):
        write(tmp_path / "in" / f"m{seed}.wav", seed)
    return tmp_path / "in"


def test_copies_in_other_containers_are_left_out(source: Path) -> None:
    write(source / "m0.flac", 0)
    write(source / "m0 (1).wav", 0)
    transcode(source / "m1.wav", source / "audio" / "m1.mp3", "mp3", 0)
    report = run(source)
    assert used(report) == {"m0.wav", "m1", "m2", "m3"}
    [warning] = [text for text in report.warnings if "same sound" in text]
    assert "m0.wav = m0.flac = m0 (1).wav, m1.wav = audio/m1.mp3" in warning
    assert "not used: 3 files with the same sound as another" in report.layout.note
    sounds = [clip.sha256 for clip in report.dataset.clips]
    assert len(sounds) == len(set(sounds))


def test_a_part_of_a_recording_stays_on_its_side(source: Path) -> None:
    whole = hum(3)
    soundfile.write(source / "part.wav", whole[: 2 * RATE], RATE)
    report = run(source)
    sides = {clip.split for clip in report.dataset.clips if clip.recording == "m3"}
    assert len(sides) == 1
    assert "part" not in used(report)
    assert any("m3.wav (normal) = part.wav (normal)" in text for text in report.warnings)


def test_contradicting_labels_are_named_and_never_trained(source: Path) -> None:
    write(source / "ng" / "copy.wav", 0)
    for seed in range(4):
        (source / f"m{seed}.wav").rename(write(source / "ok" / f"m{seed}.wav", seed))
    report = run(source)
    [warning] = [text for text in report.warnings if "same sound" in text]
    assert "ng/copy.wav (anomaly) = ok/m0.wav (normal)" in warning or (
        "ok/m0.wav (normal) = ng/copy.wav (anomaly)" in warning
    )
    train = {clip.sha256 for clip in report.dataset.split("train").clips}
    test = {clip.sha256 for clip in report.dataset.split("test").clips}
    assert not train & test


def test_sides_that_are_given_are_obeyed_and_told(source: Path) -> None:
    write(source / "train" / "m9.wav", 9)
    write(source / "test" / "m9.wav", 9)
    report = run(source)
    sides = {side: len(report.dataset.split(side).clips) for side in SIDES}
    assert sides["train"]
    assert sides["test"]
    assert any("m9.wav (normal, test) = train/m9.wav" in text for text in report.warnings)


def test_of_copies_whose_sides_are_given_only_equal_ones_are_left_out(source: Path) -> None:
    write(source / "copy.wav", 0)
    transcode(source / "m0.wav", source / "lossy.mp3", "mp3", 0)
    sides = {"copy.wav": "test", "lossy.mp3": "test", "m0.wav": "test"}
    rows = [f"{p.name},normal,{sides.get(p.name, 'train')}" for p in sorted(source.iterdir())]
    (source / "labels.csv").write_text("\n".join(["file,label,split", *rows]))
    report = run(source)
    assert len(report.dataset.split("test").clips) == 6
    text = " ".join(report.warnings)
    assert "copy.wav = m0.wav" in text or "m0.wav = copy.wav" in text
    assert "lossy.mp3 (normal, test)" in text


def test_recordings_of_one_machine_are_no_copies() -> None:
    prints = [fingerprint(hum(seed, 10.0).astype(np.float32), RATE) for seed in range(30)]
    assert same_sound(prints) == []
    assert min(distance(prints[0], other) for other in prints[1:]) > 0.5


def test_a_copy_is_known_by_gain_delay_and_noise() -> None:
    sound = hum(0, 6.0).astype(np.float32)
    rng = np.random.default_rng(1)
    late = np.concatenate([np.zeros(int(0.046 * RATE), np.float32), 0.3 * sound])
    noisy = sound + 0.002 * rng.standard_normal(len(sound)).astype(np.float32)
    prints = [fingerprint(x, RATE) for x in (sound, hum(5, 6.0), late, noisy)]
    assert {pair for pair in same_sound(prints) if 0 in pair} == {(0, 2), (0, 3)}


def test_what_is_too_short_or_silent_is_like_nothing() -> None:
    short = [fingerprint(np.zeros(n, np.float32), RATE) for n in (0, 100, 4000)]
    assert same_sound(short) == []
    assert same_sound([]) == []
