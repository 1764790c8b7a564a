"""A machine that hums, as recordings cut into clips of one second."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asd.arrays import Samples
from asd.data.manifest import Clip, Dataset, Label, Split
from asd.features.store import FeatureStore
from asd.files import file_digest

RATE = 8000


def hum(seed: int, seconds: float, fault: tuple[float, float] | None = None) -> Samples:
    """A hum in noise, of a loudness of its own; between the seconds of `fault` something rattles.

    Pitch and noise differ a little from recording to recording.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 200 * rng.uniform(0.98, 1.02)
    signal = sum(np.sin(2 * np.pi * pitch * n * time + rng.uniform(0, 6)) / n for n in (1, 2, 3))
    samples = 0.1 * signal + rng.uniform(0.01, 0.02) * rng.standard_normal(len(time))
    if fault:
        rattles = (time >= fault[0]) & (time < fault[1])
        samples += rattles * 0.1 * np.sin(2 * np.pi * 1500 * time) * np.sin(2 * np.pi * 9 * time)
    return np.asarray(rng.uniform(0.3, 1) * samples, np.float32)


def make_side(
    root: Path,
    n_recordings: int,
    seed: int,
    split: Split = "train",
    label: Label = "normal",
    n_clips: int = 4,
) -> Dataset:
    """Clips of recordings; those of an anomaly rattle throughout."""
    root.mkdir(parents=True, exist_ok=True)
    clips = []
    for number in range(seed, seed + n_recordings):
        samples = hum(number, n_clips, (0, n_clips) if label == "anomaly" else None)
        for start in range(n_clips):
            path = root / f"{label}-{number}-{start}.wav"
            soundfile.write(path, samples[start * RATE : (start + 1) * RATE], RATE, "FLOAT")
            clips.append(
                Clip(
                    path=path.name,
                    recording=f"r{number}",
                    start_s=start,
                    duration_s=1,
                    split=split,
                    label=label,
                    sha256=file_digest(path),
                )
            )
    return Dataset(root, tuple(clips))


def together(*sides: Dataset) -> Dataset:
    """Sides in one folder as one data set."""
    return Dataset(sides[0].root, tuple(clip for side in sides for clip in side.clips))


@pytest.fixture(scope="session")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Dataset]:
    """Give the function that makes a side of one data set, and keeps it for the next who asks."""
    root = tmp_path_factory.mktemp("plant")
    known: dict[tuple[object, ...], Dataset] = {}

    def side(
        n_recordings: int, seed: int, split: Split = "train", label: Label = "normal"
    ) -> Dataset:
        key = (n_recordings, seed, split, label)
        if key not in known:
            known[key] = make_side(root, n_recordings, seed, split, label)
        return known[key]

    return side


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """One store for all tests."""
    return FeatureStore(tmp_path_factory.mktemp("store"))
