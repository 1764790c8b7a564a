"""DCASE Task 2 trees of 2026: two channels, near the machine and far from it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from asd.config.steps import CutConfig
from asd.data import manifest
from asd.data.preprocess import preprocess
from asd.data.sound import sound_of

RATE = 8000
NAMES = (
    "ToyCarEmu/train/section_00_source_train_normal_0000_noAttribute.wav",
    "ToyCarEmu/train/section_00_source_train_normal_0001_noAttribute.wav",
    "ToyCarEmu/train/section_00_target_train_normal_0002_noAttribute.wav",
    "ToyCarEmu/test/section_00_source_test_normal_0003_noAttribute.wav",
    "ToyCarEmu/test/section_00_target_test_anomaly_0004_noAttribute.wav",
    "fan/train/section_00_source_train_normal_0000_model_A.wav",
    "fan/train/section_00_source_train_normal_0001_model_A.wav",
    "fan/train/section_00_target_train_normal_0002_model_B.wav",
    "fan/test/section_00_test_0000.wav",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with a tone near the machine, and another far from it; each file has its own."""
    t = np.arange(2 * RATE) / RATE
    for number, name in enumerate(NAMES):
        near = 0.3 * np.sin(2 * np.pi * (300 + 20 * number) * t)
        far = 0.2 * np.sin(2 * np.pi * (2000 + 20 * number) * t)
        path = tmp_path / "dcase2026t2" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.stack([near, far], 1), RATE, "PCM_16")
    return tmp_path / "dcase2026t2"


@pytest.mark.parametrize(
    ("given", "channels"), [("0", [0]), ("left", [0]), ("1", [1]), ("mix", [0, 1])]
)
def test_the_microphone_that_is_asked_for_is_kept(
    tree: Path, tmp_path: Path, given: str, channels: list[int]
) -> None:
    wish: dict[str, Any] = {"clip_seconds": 1, "sample_rate": RATE, "channel": given}
    report = preprocess(tree, tmp_path / "data", CutConfig.parse(wish))
    data = manifest.load(tmp_path / "data")
    assert report.layout.kind == "dcase"
    assert sound_of(data).channel == (channels[0] if given != "mix" else None)
    assert {clip.recording for clip in data.clips} == {name.removesuffix(".wav") for name in NAMES}
    for clip in data.clips:
        heard, _ = soundfile.read(data.file(clip))
        start = round(clip.start_s * RATE)
        recorded, _ = soundfile.read(tree / f"{clip.recording}.wav")
        expected = recorded[start : start + len(heard), channels].mean(axis=1)
        np.testing.assert_allclose(heard, expected, atol=1e-3)


def test_sides_machines_domains_and_conditions_are_those_of_the_names(
    tree: Path, tmp_path: Path
) -> None:
    wish = {"clip_seconds": 1, "sample_rate": RATE, "channel": "0"}
    preprocess(tree, tmp_path / "data", CutConfig.parse(wish))
    test = manifest.load(tmp_path / "data").split("test").clips
    facts = {(clip.machine, clip.domain, clip.label, clip.condition) for clip in test}
    assert facts == {
        ("ToyCarEmu/section_00", "source", "normal", ""),
        ("ToyCarEmu/section_00", "target", "anomaly", ""),
        ("fan/section_00", "source", "unknown", ""),
    }
