"""Recordings of noise, cut as `preprocess` cuts them."""

import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asd.audio.encode import write_wav
from asd.config.steps import CutConfig
from asd.data.preprocess import preprocess
from asd.data.preprocess_report import PreprocessReport

RATE = 4000


def hum(seconds: float, seed: int = 0, rate: int = RATE) -> NDArray[np.float64]:
    noise = np.random.default_rng(seed).normal(0, 0.1, round(seconds * rate))
    return np.clip(noise, -1, 1)


def write(path: Path, seconds: float = 10.0, seed: int | None = None) -> Path:
    """A recording; without a seed, of a sound that no file of another name has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    own = zlib.crc32(str(path).encode()) if seed is None else seed
    write_wav(path, hum(seconds, own), RATE)
    return path


def fleet(root: Path, count: int = 5, seconds: float = 10.0) -> Path:
    for number in range(count):
        write(root / f"r{number}.wav", seconds, number)
    return root


def run(source: Path, output: Path, **options: Any) -> PreprocessReport:
    given: dict[str, Any] = {
        "clip_seconds": 1.0,
        "sample_rate": RATE,
        "split": (0.72, 0.18, 0.10),
        "seed": 42,
        "remainder": "drop",
        "channel": None,
        "skip_bad": False,
        "overwrite": False,
    }
    wish = {**given, **options}
    overwrite = wish.pop("overwrite")
    return preprocess(source, output, CutConfig.parse(wish), overwrite)


def counts(report: PreprocessReport) -> dict[tuple[str, str], int]:
    return dict(Counter((clip.split, clip.label) for clip in report.dataset.clips))
