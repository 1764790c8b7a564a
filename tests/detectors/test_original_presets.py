"""The presets: the values of the original scripts, and the results they are known for."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import roc_auc_score

from asd.arrays import Spectrogram
from asd.audio.decode import read_clip
from asd.config import LogMelConfig, ThresholdConfig
from asd.config.cli import load
from asd.config.steps import TrainConfig
from asd.detectors import detector_class
from asd.features.clipset import ClipSet
from asd.features.logmel import LogMel

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
CLIP_SAMPLES = 32_000

NETWORK: dict[str, Any] = {"epochs": 100, "learning_rate": 1e-3, "patience": 0, "gradient_clip": 0}
VALUES: dict[str, dict[str, Any]] = {
    "cnn": NETWORK | {"channels": 16, "batch_size": 256},
    "lstm": NETWORK | {"hidden": 64, "latent": 32, "layers": 1, "batch_size": 16},
    "gmm": {
        "pca_components": 100,
        "mixture_components": 5,
        "clips_per_direction": 0,
        "residual": False,
    },
    "ocsvm": {"vector": "flat", "components": 100},
}

each_original = pytest.mark.parametrize("model", sorted(VALUES))


def preset(model: str) -> TrainConfig:
    return load(TrainConfig, ["--config", str(CONFIGS / f"original-{model}.yaml")])


def build(model: str) -> Any:
    kind = detector_class(model)
    return kind(kind.Config.parse(preset(model).detector, "detector."), seed=0)


@each_original
def test_holds_the_values_of_the_original(model: str) -> None:
    config = preset(model)
    assert config.model == model
    assert LogMelConfig.parse(config.features) == LogMelConfig(
        sample_rate=16000, n_fft=1024, hop_length=512, n_mels=128, scaling="clip_max", level="none"
    )
    assert config.threshold == ThresholdConfig(method="mean_std", k=2)
    found = build(model).config.model_dump()
    assert {key: found[key] for key in VALUES[model]} == VALUES[model]


@pytest.mark.real
@pytest.mark.parametrize(("model", "auc"), [("cnn", 0.83), ("lstm", 0.75)])
def test_finds_faulty_motors_as_well_as_the_original(
    model: str, auc: float, real_data: Callable[[str], Path]
) -> None:
    train, test, faulty = motor(real_data("motor"))
    scores = build(model).fit(ClipSet(train[5:]), ClipSet(train[:5])).score(ClipSet(test))
    assert roc_auc_score(faulty, scores) == pytest.approx(auc, abs=0.06)


def motor(root: Path) -> tuple[list[Spectrogram], list[Spectrogram], list[bool]]:
    """Two-second spectrograms to train on and to test on, and which of these are faulty."""
    front_end = LogMel(LogMelConfig(scaling="clip_max"))
    with (root / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    train: list[Spectrogram] = []
    test: list[Spectrogram] = []
    faulty: list[bool] = []
    for row in rows:
        samples = read_clip(root / row["file"], 16000)
        for start in range(0, len(samples) - CLIP_SAMPLES + 1, CLIP_SAMPLES):
            clip = front_end(samples[start : start + CLIP_SAMPLES])
            (train if row["split"] == "train" else test).append(clip)
            faulty += [] if row["split"] == "train" else [row["label"] == "anomaly"]
    return train, test, faulty
