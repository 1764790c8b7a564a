"""A recording in each kind of container, and what is done to it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Make = Callable[..., Any]
RATES = {".ogg": 48000, ".webm": 48000}
EXACT = (".wav", ".flac", ".aiff", ".mp3", ".ogg", ".webm", ".mp4", ".m4a", ".mov")
"""Containers that tell the length of their sound to the sample."""


@pytest.fixture(params=[*EXACT, ".mkv", ".avi", ".aac"])
def container(request: pytest.FixtureRequest, tmp_path: Path, make_media: Make) -> Path:
    """Four seconds of noise in each kind of container, under a Japanese name."""
    rate = RATES.get(request.param, 16000)
    noise = 0.2 * np.random.default_rng(0).standard_normal(4 * rate)
    video = request.param in (".mp4", ".mov", ".mkv", ".avi")
    path: Path = make_media(
        tmp_path / "録音" / f"ポンプ{request.param}", [noise], rate, picture_s=4 * video
    )
    return path


def break_off(path: Path, keep: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * keep)])
    return path


def rms_db(samples: Any) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64))))
