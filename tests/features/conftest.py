"""Small data sets for the front ends and their store."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asd.data.manifest import Clip, Dataset
from asd.files import file_digest


def make_dataset(root: Path, n_clips: int = 40, seed: int = 0) -> Dataset:
    """Clips of noise of different lengths, each a recording of its own."""
    rng = np.random.default_rng(seed)
    root.mkdir(parents=True)
    clips = []
    for number in range(n_clips):
        path = root / f"{number}.wav"
        soundfile.write(path, 0.1 * rng.standard_normal(4000 + 600 * (number % 3)), 16000)
        clips.append(
            Clip(
                path=path.name,
                recording=path.stem,
                start_s=0,
                duration_s=0.25,
                split="train",
                label="normal",
                sha256=file_digest(path),
            )
        )
    return Dataset(root, tuple(clips))


@pytest.fixture
def dataset_at() -> Callable[..., Dataset]:
    """Give the function that makes a data set in a new folder."""
    return make_dataset
