"""What the original scripts left goes through the steps as it is."""

import shutil
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pytest
import soundfile
from mlflow.entities import Run

from asd.config.steps import EvaluateConfig, PreprocessConfig, TrainConfig
from asd.data import manifest
from asd.steps import evaluate, preprocess, train

RATE = 8000


def write(path: Path, seed: int, knock: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(2 * RATE) / RATE
    sound = 0.2 * np.sin(2 * np.pi * 200 * time)
    sound += 0.05 * np.random.default_rng(seed).standard_normal(len(time))
    if knock:
        sound += 0.4 * np.sin(2 * np.pi * 1500 * time) * (np.sin(2 * np.pi * 4 * time) > 0.9)
    soundfile.write(path, sound, RATE)


@pytest.fixture
def folders(workspace: Path) -> Path:
    """``train valid test noised-test noised-pitched-test`` of two recordings, by their names."""
    root = workspace / "data1"
    for seed in range(12):
        side = ("train", "train", "train", "valid", "valid", "test")[seed % 6]
        name = f"burner{seed % 2}_seg{seed:04}"
        write(root / side / f"{name}.wav", seed)
        if side == "test":
            write(root / "noised-test" / f"{name}_noisy_机を叩く_+6.3dB.wav", 50 + seed, True)
            pitched = root / "noised-pitched-test" / f"-3_{name}_noisy_机を叩く_+2.0dB.wav"
            write(pitched, 80 + seed, True)
            shutil.copy(root / side / f"{name}.wav", root / "noised-test")
        if side == "train":
            write(root / "pitch-train" / f"-3_{name}.wav", 20 + seed)
    write(root / "noise" / "机を叩く.wav", 99)
    return root


def test_truth_split_and_recordings_reach_the_evaluation(
    folders: Path, last_run: Callable[[], Run]
) -> None:
    wish = {"source": str(folders), "output": "data/old", "clip_seconds": 1}
    preprocess.run(PreprocessConfig.parse(wish))
    dataset = manifest.load(Path("data/old"))
    count = {side: len(dataset.split(side).clips) for side in ("train", "valid", "test")}
    assert count == {"train": 24, "valid": 8, "test": 12}
    assert {clip.label for clip in dataset.split("train").clips} == {"normal"}
    anomalies = dataset.split("test", "anomaly").clips
    assert {(clip.noise, clip.pitch_semitones, clip.condition) for clip in anomalies} == {
        ("机を叩く", 0.0, "noise_机を叩く"),
        ("机を叩く", -3.0, "noise_机を叩く"),
    }
    assert {clip.recording.split(" ")[0] for clip in dataset.clips} == {"burner0", "burner1"}
    train.run(TrainConfig(model="knn", data="data/old"))
    evaluate.run(EvaluateConfig())
    metrics = last_run().data.metrics
    assert metrics["auc"] > 0.9


def test_a_dry_run_reports_and_writes_nothing(folders: Path, last_run: Callable[[], Run]) -> None:
    wish = {"source": str(folders), "output": "data/old", "clip_seconds": 1, "dry_run": True}
    preprocess.run(PreprocessConfig.parse(wish))
    assert not Path("data").exists()
    run = last_run()
    assert run.data.tags["mlflow.runName"] == "preview old"
    text = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/report.txt")
    assert text.startswith("dry run: nothing is written\nlayout: folders of the original scripts")
    assert "| noised-test/" in text
