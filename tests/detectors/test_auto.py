"""The fusion: its scale, its budget, and figures on real recordings."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asd.arrays import Spectrogram
from asd.detectors.auto import Auto, AutoConfig


def machine(n_clips: int, seed: int, n_frames: int = 40) -> list[Spectrogram]:
    rng = np.random.default_rng(seed)
    profile = 10 * np.sin(np.arange(12))[:, None] - 40
    return [
        (profile + rng.normal(0, 1, (12, 1)) + rng.normal(0, 3, (12, n_frames))).astype(np.float32)
        for _ in range(n_clips)
    ]


@pytest.fixture(scope="module")
def fitted() -> Auto:
    return Auto(AutoConfig()).fit(machine(60, 0), [])


def test_scores_of_new_normal_clips_are_around_zero(fitted: Auto) -> None:
    scores = fitted.score(machine(200, 1))
    assert abs(scores.mean()) < 0.6
    assert 0.5 < scores.std() < 2


def test_one_alarmed_member_is_enough_and_agreement_is_the_mean(fitted: Auto) -> None:
    clips = machine(20, 1)
    scores = np.stack([member.score(clips) for member in fitted.members_.values()])
    standardised = (np.log(scores) - fitted.centre_[:, None]) / fitted.spread_[:, None]
    joined = fitted.score(clips)
    assert (joined >= standardised.mean(axis=0) - 1e-9).all()
    assert (joined <= standardised.max(axis=0) + 1e-9).all()
    assert (joined >= standardised.max(axis=0) - np.log(len(scores)) - 1e-9).all()


def test_the_gain_of_the_recording_does_not_matter_by_default(fitted: Auto) -> None:
    clips = machine(5, 1)
    louder = [clip + np.float32(6) for clip in clips]
    np.testing.assert_allclose(fitted.score(louder), fitted.score(clips), atol=1e-3)
    kept = Auto(AutoConfig(level="kept")).fit(machine(60, 0), [])
    assert (kept.score(louder) > kept.score(clips)).all()


def test_a_member_that_new_recordings_alarm_is_trusted_less() -> None:
    """Recordings with a spectrum of their own: the spectrum says little, its movement much."""
    rng = np.random.default_rng(0)

    def recording(movement: float) -> list[Spectrogram]:
        spectrum = rng.normal(0, 8, (12, 1))
        return [(spectrum + rng.normal(0, movement, (12, 40))).astype(np.float32) for _ in range(5)]

    train = [clip for _ in range(12) for clip in recording(1)]
    detector = Auto(AutoConfig()).fit(train, [])
    normal = [clip for _ in range(4) for clip in recording(1)]
    faulty = [clip for _ in range(4) for clip in recording(2)]
    assert abs(detector.score(normal).mean()) < 1
    assert detector.score(faulty).min() > detector.score(normal).max()


def test_a_small_budget_gives_up_members_then_clips() -> None:
    train = machine(60, 0)
    everything = Auto(AutoConfig()).fit(train, [])
    little = Auto(AutoConfig(budget_s=0.1)).fit(train, [])
    least = Auto(AutoConfig(budget_s=1e-4)).fit(train, [])
    assert set(little.members_) < set(everything.members_)
    assert list(least.members_) == ["patch"]
    for detector in (little, least):
        assert np.isfinite(detector.score(machine(3, 1))).all()


def test_the_map_is_in_units_of_what_is_usual(fitted: Auto) -> None:
    normal = np.stack(fitted.explain(machine(20, 1)))
    assert 0.5 < normal.mean() < 2
    faulty = machine(5, 2)
    for clip in faulty:
        clip[4, 20:] += 15
    found = np.stack(fitted.explain(faulty))
    assert found[:, 4, 24:].mean() > 3 * found[:, :, :16].mean()


@pytest.mark.real
def test_real_motors(
    real_data: Callable[[str], Path], real_motor_auc: Callable[[Path, Auto], tuple[float, float]]
) -> None:
    auc, pauc = real_motor_auc(real_data("motor"), Auto(AutoConfig()))
    assert auc > 0.98
    assert pauc > 0.94
