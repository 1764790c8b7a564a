"""What the scores of a calibration tell about its recordings."""

import numpy as np

from asd.data.manifest import Clip
from asd.pipeline.notes import neighbours_remark, odd_recording_remark


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
    assert "correlation 0.8" in str(neighbours_remark(clips(100), sessions))
    assert not neighbours_remark(clips(100), noise)
    assert not neighbours_remark(clips(100, "a"), sessions)
    assert not neighbours_remark(clips(10), sessions[:10])


def test_one_recording_far_from_all_others_is_named() -> None:
    scores = np.array([1.0, 1.2, 1.1, 1.3, 1.25, 1.15, 1.05, 5.0])
    note = str(odd_recording_remark(clips(8), scores, threshold=5.0))
    assert "r7: from 0 s on it scores 5, and no other recording above 1.3" in note


def test_recordings_that_spread_evenly_are_not_odd() -> None:
    rng = np.random.default_rng(0)
    told = [odd_recording_remark(clips(20), rng.normal(size=20), 9.0) for _ in range(100)]
    assert sum(map(bool, told)) < 10
    assert not odd_recording_remark(clips(8), np.ones(8), 1.0)


def test_a_threshold_that_rests_on_others_needs_no_word() -> None:
    scores = np.array([1.0, 1.2, 1.1, 1.3, 1.25, 1.15, 1.05, 5.0])
    assert not odd_recording_remark(clips(8), scores, threshold=1.2)
    assert not odd_recording_remark(clips(4), scores[4:], threshold=5.0)
