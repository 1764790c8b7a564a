"""Folders of the original scripts: split, recording and truth from the names."""

from pathlib import Path

from asd.data.layouts import Layout, Recording, recognise


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def by_name(layout: Layout) -> dict[str, Recording]:
    return {recording.name: recording for recording in layout.recordings}


def test_split_recording_and_truth_come_from_the_names(tmp_path: Path) -> None:
    layout = recognise(
        tree(
            tmp_path,
            "train/day1_seg0001.wav",
            "pitch-train/-3_day1_seg0001.wav",
            "valid/day2_seg0001.wav",
            "pitch-valid/+1.5_day2_seg0001.wav",
            "test/day3_seg0007.wav",
            "noised-test/day3_seg0007_noisy_机を叩く_+6.3dB.wav",
            "noised-test/day3_seg0008_noisy_wind_-2.0dB.wav",
            "noised-pitched-test/6_day3_seg0007_noisy_火の音2_-10.0dB.wav",
            "noise/机を叩く.m4a",
            "input-mp3data/day1.mp3",
            "anomalies/day3_seg0007.wav",
        )
    )
    named = by_name(layout)
    assert layout.kind == "scripts"
    assert {name: (r.whole, r.split, r.label, r.condition) for name, r in named.items()} == {
        "train/day1_seg0001": ("day1", "train", "normal", ""),
        "pitch-train/-3_day1_seg0001": ("day1", "train", "normal", "pitch_down_3"),
        "valid/day2_seg0001": ("day2", "valid", "normal", ""),
        "pitch-valid/+1.5_day2_seg0001": ("day2", "valid", "normal", "pitch_up_1.5"),
        "test/day3_seg0007": ("day3", "test", "normal", ""),
        "noised-test/day3_seg0007_noisy_机を叩く_+6.3dB": (
            ("day3", "test", "anomaly", "noise_机を叩く")
        ),
        "noised-test/day3_seg0008_noisy_wind_-2.0dB": ("day3", "test", "normal", "noise_wind"),
        "noised-pitched-test/6_day3_seg0007_noisy_火の音2_-10.0dB": (
            ("day3", "test", "anomaly", "noise_火の音")
        ),
    }
    both = named["noised-pitched-test/6_day3_seg0007_noisy_火の音2_-10.0dB"]
    assert (both.pitch_semitones, both.noise, both.noise_gain_db) == (6, "火の音2", -10)
    assert "an anomaly where the file name has Japanese characters" in layout.note
    assert "not used: 3 files outside train, valid and test, first anomalies/" in layout.note
    assert not layout.warnings


def test_a_recording_on_several_sides_is_obeyed_and_told(tmp_path: Path) -> None:
    layout = recognise(tree(tmp_path, "train/a_seg0000.wav", "test/a_seg0001.wav"))
    assert {r.whole: r.split for r in layout.recordings} == {
        "a (train)": "train",
        "a (test)": "test",
    }
    [warning] = layout.warnings
    assert warning.startswith("1 recording with segments on several sides, as the scripts drew")


def test_anomalies_of_train_are_left_out(tmp_path: Path) -> None:
    layout = recognise(
        tree(tmp_path, "train/a_seg0001.wav", "train/漏れ_seg0001.wav", "test/b_seg0001.wav")
    )
    assert "train/漏れ_seg0001" not in by_name(layout)
    [warning] = layout.warnings
    assert "1 file of train with Japanese characters" in warning


def test_where_all_recordings_are_called_in_japanese_the_noise_says(tmp_path: Path) -> None:
    layout = recognise(
        tree(
            tmp_path,
            "train/給湯器_seg0001.wav",
            "test/給湯器2_seg0001.wav",
            "noised-test/給湯器2_seg0002_noisy_火_+1.0dB.wav",
        )
    )
    labels = {Path(name).parts[0]: r.label for name, r in by_name(layout).items()}
    assert labels == {"train": "normal", "test": "normal", "noised-test": "anomaly"}
    assert "where the name of the sound laid over has Japanese characters" in layout.note


def test_sets_beside_each_other_are_machines(tmp_path: Path) -> None:
    layout = recognise(tree(tmp_path, "data1/train/a_seg0001.wav", "data5/test/a_seg0002.wav"))
    assert {(r.machine, r.whole) for r in layout.recordings} == {
        ("data1", "data1/a"),
        ("data5", "data5/a"),
    }


def test_other_trees_with_such_words_are_no_scripts(tmp_path: Path) -> None:
    assert recognise(tree(tmp_path / "a", "train/1.wav", "test/2.wav")).kind == "flat"
    labelled = tree(tmp_path / "b", "train/ok/a_seg0001.wav", "test/ng/a_seg0002.wav")
    assert recognise(labelled).kind == "folders"
