"""Data sets are written whole or not at all; what is in the way is named."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from asd.audio.encode import write_wav
from asd.config.steps import CutConfig
from asd.data import manifest
from asd.data.preprocess import preprocess, preview
from asd.data.verify import verify
from asd.errors import AudioError, ConfigError, DataError
from tests.data.cutting import RATE, fleet, run, write


class TestBadInput:
    def test_all_bad_recordings_are_listed_and_nothing_is_left(self, tmp_path: Path) -> None:
        source = fleet(tmp_path / "in")
        (source / "text.wav").write_text("not a sound")
        (source / "empty.wav").touch()
        write_wav(source / "silent.wav", np.zeros(RATE * 2), RATE)
        write(source / "blink.wav", 0.05)
        soundfile.write(source / "nan.wav", np.full(RATE, np.nan), RATE, subtype="FLOAT")
        with pytest.raises(DataError) as caught:
            run(source, tmp_path / "out")
        bad = ("text", "empty", "silent", "blink", "nan")
        assert all(f"{name}.wav" in str(caught.value) for name in bad)
        assert "\n" not in str(caught.value)
        assert [path.name for path in tmp_path.iterdir()] == ["in"]

        report = run(source, tmp_path / "out", skip_bad=True)
        assert len(report.skipped) == len(bad)
        assert {clip.recording for clip in report.dataset.clips} == {f"r{n}" for n in range(5)}
        assert sum(line.startswith("skipped: ") for line in report.lines()) == len(bad)

    def test_one_bad_recording_alone(self, tmp_path: Path) -> None:
        with pytest.raises(AudioError, match=r"blink\.wav: holds 0\.050 s"):
            run(write(tmp_path / "blink.wav", 0.05), tmp_path / "out", skip_bad=True)

    def test_nothing_to_train_on(self, tmp_path: Path) -> None:
        write(tmp_path / "in" / "abnormal" / "a.wav")
        with pytest.raises(DataError, match="nothing to train on"):
            run(tmp_path / "in", tmp_path / "out")

    def test_clip_length(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"clip_seconds=0\.05: must be at least 0\.1"):
            run(fleet(tmp_path / "in"), tmp_path / "out", clip_seconds=0.05)


class TestOutput:
    def test_existing_data_set_is_replaced_only_on_demand(self, tmp_path: Path) -> None:
        source, output = fleet(tmp_path / "in"), tmp_path / "out"
        before = run(source, output).dataset
        with pytest.raises(DataError, match="overwrite=true"):
            run(source, output, seed=43)
        after = run(source, output, seed=43, overwrite=True).dataset
        assert manifest.load(output).digest == after.digest != before.digest
        assert {path.name for path in tmp_path.iterdir()} == {"in", "out"}

    def test_what_the_same_command_has_made_before_is_done(self, tmp_path: Path) -> None:
        source, output = fleet(tmp_path / "in"), tmp_path / "out"
        first = run(source, output)
        stamps = {path: path.stat().st_mtime_ns for path in output.rglob("*.wav")}
        second = run(source, output)
        assert second.lines()[0].startswith("made before by the same command")
        assert second.lines()[1:] == first.lines()
        assert second.dataset == first.dataset
        assert {path: path.stat().st_mtime_ns for path in output.rglob("*.wav")} == stamps
        write(source / "r0.wav", 5.0, 7)
        with pytest.raises(DataError, match="overwrite=true"):
            run(source, output)

    def test_data_set_stays_when_its_replacement_fails(self, tmp_path: Path) -> None:
        source, output = fleet(tmp_path / "in"), tmp_path / "out"
        before = run(source, output).dataset
        (source / "r0.wav").write_text("not a sound")
        with pytest.raises(DataError, match=r"r0\.wav"):
            run(source, output, overwrite=True)
        verify(manifest.load(output))
        assert manifest.load(output).digest == before.digest

    def test_a_folder_of_other_things_is_never_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.txt").touch()
        with pytest.raises(DataError, match="no data set"):
            run(fleet(tmp_path / "in"), tmp_path / "out", overwrite=True)

    def test_output_and_source_do_not_overlap(self, tmp_path: Path) -> None:
        for output in (tmp_path / "in" / "out", tmp_path / "in", tmp_path):
            with pytest.raises(DataError, match="overlaps"):
                run(fleet(tmp_path / "in"), output)


def test_verify_names_changed_audio(tmp_path: Path) -> None:
    dataset = run(fleet(tmp_path / "in"), tmp_path / "out").dataset
    changed = dataset.clips[3]
    write(dataset.file(changed), 1, seed=99)
    with pytest.raises(DataError, match=changed.path) as caught:
        verify(dataset)
    assert dataset.clips[4].path not in str(caught.value)
    verify(dataset.select(lambda clip: clip != changed))


def test_a_preview_is_the_report_of_the_step_and_writes_nothing(tmp_path: Path) -> None:
    source = fleet(tmp_path / "in")
    write(source / "copy.wav", seed=0)
    wish = CutConfig(clip_seconds=1.0, sample_rate=RATE)
    seen = preview(source, tmp_path / "out", wish)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert seen.lines() == preprocess(source, tmp_path / "out", wish).lines()
    assert any("same sound" in line for line in seen.lines())
