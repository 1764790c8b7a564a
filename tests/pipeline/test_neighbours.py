"""Recordings next to each other that sound alike are told as likely sessions."""

import numpy as np

from asd.data.manifest import Clip
from asd.pipeline.calibration import neighbours_note


def clips(count: int, session: str = "") -> list[Clip]:
    return [
        Clip(
            path=f"{n}.wav",
            recording=f"r{n}",
            start_s=0,
            duration_s=1,
            split="train",
            label="normal",
            session=session,
            sha256=f"{n:064x}",
        )
        for n in range(count)
    ]


def test_a_wandering_level_is_told_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=100)
    sessions = np.repeat(rng.normal(size=10), 10) + 0.1 * noise
    assert "correlation 0.8" in neighbours_note(clips(100), sessions)
    assert neighbours_note(clips(100), noise) == ""
    assert neighbours_note(clips(100, "a"), sessions) == ""
    assert neighbours_note(clips(10), sessions[:10]) == ""
