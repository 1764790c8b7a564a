"""The pipeline on its own: saved and loaded, and as the judge of recordings of any length."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from asd.config import LogMelConfig, ThresholdConfig
from asd.data.manifest import Clip, Dataset, file_digest
from asd.detectors.knn import Knn, KnnConfig
from asd.errors import AsdError, AudioError, DetectorError
from asd.evaluation.thresholds import fit_threshold
from asd.features.logmel import LogMel
from asd.pipeline import Pipeline, TrainedOn

RATE = 8000
CONFIG = LogMelConfig(sample_rate=RATE, n_mels=16)


def hum(seed: int, seconds: float, knock_at: float | None = None) -> np.ndarray:
    """A humming machine; something knocks in it for a second from `knock_at` on."""
    t = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(t))
    signal = 0.2 * np.sin(2 * np.pi * 200 * t) + 0.05 * noise
    if knock_at is not None:
        inside = (t >= knock_at) & (t < knock_at + 1)
        signal += inside * 0.5 * np.sin(2 * np.pi * 1500 * t) * (np.sin(2 * np.pi * 4 * t) > 0.9)
    return np.asarray(signal, np.float32)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """Fitted on 1 s clips of hum; calibrated on 40 clips of 20 recordings."""
    front_end = LogMel(CONFIG)
    detector = Knn(KnnConfig()).fit([front_end(hum(seed, 1)) for seed in range(20)], [])
    scores = detector.score([front_end(hum(seed, 1)) for seed in range(100, 140)])
    recordings = np.arange(40) // 2
    return Pipeline(
        features=CONFIG,
        detector=detector,
        threshold=fit_threshold(ThresholdConfig(), scores, None, recordings),
        calibration=scores,
        calibration_recordings=recordings,
        clip_seconds=1.0,
        trained_on=TrainedOn("hum", "data/hum", "0123456789abcdef"),
    )


def write(path: Path, samples: np.ndarray) -> Path:
    soundfile.write(path, samples, RATE)
    return path


def test_comes_back_from_disk_as_it_was(pipeline: Pipeline, tmp_path: Path) -> None:
    folder = tmp_path / "pipeline"
    pipeline.save(folder)
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".json", ".npz"}
    loaded = Pipeline.load(folder)
    for name in ("features", "threshold", "clip_seconds", "trained_on"):
        assert getattr(loaded, name) == getattr(pipeline, name)
    np.testing.assert_array_equal(loaded.calibration, pipeline.calibration)
    np.testing.assert_array_equal(loaded.calibration_recordings, pipeline.calibration_recordings)
    assert loaded.detector.name == "knn"
    assert loaded.detector.config == pipeline.detector.config
    path = write(tmp_path / "音.wav", hum(5, 2.3, knock_at=1))
    assert loaded.judge(path) == pipeline.judge(path)


def test_a_long_recording_is_judged_by_its_worst_window(pipeline: Pipeline, tmp_path: Path) -> None:
    path = write(tmp_path / "long.wav", hum(6, 5.4, knock_at=2))
    verdict = pipeline.judge(path)
    assert [window.start_s for window in verdict.windows] == [0, 1, 2, 3, 4, 4.4]
    assert {window.duration_s for window in verdict.windows} == {1.0}
    assert verdict.duration_s == pytest.approx(5.4)
    assert verdict.worst is verdict.windows[2]
    assert [window.is_anomaly for window in verdict.windows] == [False, False, True] + [False] * 3
    assert verdict.threshold == pipeline.threshold.value
    assert pipeline.judge(path.read_bytes()) == verdict


def test_a_window_is_judged_as_if_it_came_alone(pipeline: Pipeline, tmp_path: Path) -> None:
    samples = hum(7, 3)
    whole = pipeline.judge(write(tmp_path / "whole.wav", samples))
    for number, window in enumerate(whole.windows):
        part = samples[number * RATE : (number + 1) * RATE]
        [alone] = pipeline.judge(write(tmp_path / "part.wav", part)).windows
        assert alone == replace(window, start_s=0.0)


def test_a_short_recording_is_one_window(pipeline: Pipeline, tmp_path: Path) -> None:
    verdict = pipeline.judge(write(tmp_path / "short.wav", hum(8, 0.4)))
    [window] = verdict.windows
    assert (window.start_s, window.duration_s, verdict.duration_s) == (0.0, 0.4, 0.4)
    assert verdict.p_value == window.p_value


def test_silence_is_not_judged(pipeline: Pipeline, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="silent"):
        pipeline.judge(write(tmp_path / "silent.wav", np.zeros(2 * RATE)))


def test_p_values_weigh_recordings_alike(pipeline: Pipeline) -> None:
    by_hand = replace(
        pipeline,
        calibration=np.array([1.0, 2.0, 3.0]),
        calibration_recordings=np.array([0, 0, 1]),
    )
    # Of the first recording none, half and all are at least as high; of the second all or none.
    expected = [(1 + 1 + 1) / 3, (1 + 0.5 + 1) / 3, (1 + 0 + 1) / 3, 1 / 3]
    assert by_hand.p_values(np.array([0.5, 1.5, 2.5, 3.5])).tolist() == pytest.approx(expected)


def test_a_recording_has_the_p_value_of_its_windows_together(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    verdict = pipeline.judge(write(tmp_path / "long.wav", hum(9, 4, knock_at=1)))
    assert verdict.worst.p_value == pytest.approx(1 / 21), "above all 20 recordings"
    assert verdict.p_value == pytest.approx(4 / 21)
    quiet = pipeline.judge(write(tmp_path / "quiet.wav", hum(10, 30)))
    assert quiet.p_value <= 1


def test_a_window_raises_an_alarm_exactly_when_its_p_value_is_within_the_promise(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    promised = pipeline.threshold.promised_rate
    assert promised is not None
    windows = pipeline.judge(write(tmp_path / "long.wav", hum(11, 60, knock_at=7))).windows
    assert {window.is_anomaly for window in windows} == {True, False}
    for window in windows:
        assert window.is_anomaly == (window.p_value <= promised)


def test_clips_of_a_data_set_are_judged_as_recordings_are(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """But for silence, which a clip may hold: the machine may have paused."""
    sounds = [hum(12, 1), hum(13, 3.4, knock_at=2), hum(14, 0.5), hum(15, 2, knock_at=0)]
    clips = []
    for index, samples in enumerate([*sounds, np.zeros(2 * RATE, np.float32)]):
        path = write(tmp_path / f"{index}.wav", samples)
        values = {
            "path": path.name,
            "recording": path.stem,
            "start_s": 0,
            "duration_s": len(samples) / RATE,
            "split": "test",
            "label": "normal",
            "sha256": file_digest(path),
        }
        clips.append(Clip.model_validate(values))
    scores, p_values = pipeline.judge_dataset(Dataset(tmp_path, tuple(clips)), tmp_path / "cache")
    assert np.isfinite(scores).all()
    for clip, score, p_value in zip(clips[:-1], scores, p_values, strict=False):
        verdict = pipeline.judge(tmp_path / clip.path)
        assert verdict.worst.anomaly_score == pytest.approx(score, rel=1e-9)
        assert verdict.p_value == pytest.approx(p_value)


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    header = json.loads(path.read_text(encoding="utf-8"))
    change(header)
    path.write_text(json.dumps(header), encoding="utf-8")


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "pipeline.json").unlink(),
        lambda folder: (folder / "pipeline.json").write_text("{", encoding="utf-8"),
        lambda folder: (folder / "pipeline.json").write_text("[]", encoding="utf-8"),
        lambda folder: edit(folder / "pipeline.json", lambda header: header.pop("threshold")),
        lambda folder: edit(
            folder / "pipeline.json", lambda header: header["threshold"].pop("value")
        ),
        lambda folder: (folder / "calibration.npz").unlink(),
        lambda folder: (folder / "calibration.npz").write_bytes(b""),
        lambda folder: (folder / "calibration.npz").write_bytes(b"PK\x03\x04 cut short"),
        lambda folder: np.savez(folder / "calibration.npz", scores=np.zeros(3)),
        lambda folder: (folder / "detector" / "detector.json").unlink(),
        lambda folder: (folder / "detector" / "arrays.npz").unlink(),
    ],
    ids=[
        "no header",
        "header cut",
        "header of another kind",
        "no threshold",
        "threshold without value",
        "no calibration",
        "calibration empty",
        "calibration cut",
        "calibration without recordings",
        "no detector",
        "detector without arrays",
    ],
)
def test_a_broken_folder_is_refused_in_one_line(
    pipeline: Pipeline, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    folder = tmp_path / "pipeline"
    pipeline.save(folder)
    damage(folder)
    with pytest.raises(DetectorError, match="not a saved") as caught:
        Pipeline.load(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_field_of_the_front_end_is_named(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.save(tmp_path)
    edit(tmp_path / "pipeline.json", lambda header: header["features"].update(n_bins=3))
    with pytest.raises(AsdError, match=r"features\.n_bins: unknown key"):
        Pipeline.load(tmp_path)
