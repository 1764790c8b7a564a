"""Nearest neighbour over patches: hand-worked values and figures on real recordings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asd.arrays import Matrix, Spectrogram
from asd.detectors._patches import patch_starts, patch_statistics, spread_patches
from asd.detectors.patch import Patch, PatchConfig
from asd.features.clipset import ClipSet


def noise(n_clips: int, seed: int, n_frames: int = 40) -> list[Spectrogram]:
    rng = np.random.default_rng(seed)
    return [rng.normal(-40, 3, (8, n_frames)).astype(np.float32) for _ in range(n_clips)]


def test_statistics_of_known_patches() -> None:
    clip = np.array([[0.0, 2, 4, 4], [1, 1, 1, 1]])
    expected = np.array([[1, 1, 1, 0], [4, 1, 0, 0]])
    np.testing.assert_allclose(patch_statistics(clip, 2, patch_starts(4, 2, 2)), expected)


def test_a_clip_shorter_than_a_patch_is_one_patch() -> None:
    found = patch_statistics(np.array([[1.0, 3.0]]), 8, patch_starts(2, 8, 4))
    np.testing.assert_allclose(found, [[2, 1]])


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 60), st.integers(1, 16), st.integers(1, 16))
def test_patches_lie_within_the_clip_and_reach_its_end(
    n_frames: int, length: int, hop: int
) -> None:
    starts = patch_starts(n_frames, length, hop)
    assert starts[0] == 0
    assert starts[-1] == max(0, n_frames - length)
    assert (np.diff(starts) > 0).all()
    assert (np.diff(starts) <= hop).all()


def test_overlapping_patches_are_averaged() -> None:
    found = spread_patches(np.array([[2.0], [6.0]]), n_frames=6, length=4, hop=2)
    np.testing.assert_allclose(found, [[2, 2, 4, 4, 6, 6]])


def test_the_bank_is_drawn_at_random_so_that_what_is_rare_stays_rare() -> None:
    rare = [clip + 40 * np.eye(8, 1, dtype=np.float32) for clip in noise(3, 1)]
    train = ClipSet(noise(27, 0) + rare)
    detector = Patch(PatchConfig(bank=100)).fit(train, ClipSet([]))
    remembered = (detector.bank_ @ detector.back_)[:, 0]
    share = (remembered > remembered.mean() + remembered.std()).mean()
    assert share == pytest.approx(0.1, abs=0.06)


def test_the_seed_alone_decides_what_is_remembered() -> None:
    train = ClipSet(noise(30, 0))
    banks = [Patch(PatchConfig(bank=50), seed).fit(train, ClipSet([])).bank_ for seed in (1, 1, 2)]
    np.testing.assert_array_equal(banks[0], banks[1])
    assert not np.array_equal(banks[0], banks[2])


def test_folds_share_what_is_drawn_of_a_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    train, drawn = ClipSet(noise(30, 0)), list[int]()
    draw = Patch._draw

    def counted(self: Patch, number: int, *rest: Any) -> Matrix:
        drawn.append(number)
        return draw(self, number, *rest)

    monkeypatch.setattr(Patch, "_draw", counted)
    places = np.arange(30)
    whole = Patch(PatchConfig(bank=50)).fit(train, ClipSet([]))
    for fold in range(3):
        Patch(PatchConfig(bank=50)).fit(train.take(places[places % 3 != fold]), ClipSet([]))
    assert sorted(drawn) == list(range(30))
    alone = Patch(PatchConfig(bank=50)).fit(ClipSet(noise(30, 0)), ClipSet([]))
    np.testing.assert_array_equal(whole.bank_, alone.bank_)


@pytest.mark.parametrize("density", [0.0, 0.25, 1.0])
def test_louder_clips_score_higher_where_the_front_end_keeps_their_level(density: float) -> None:
    detector = Patch(PatchConfig(density=density)).fit(ClipSet(noise(12, 0)), ClipSet([]))
    clips = noise(3, 1)
    louder = ClipSet([clip + np.float32(6) for clip in clips])
    assert (detector.score(louder) > detector.score(ClipSet(clips))).all()


def test_what_was_heard_before_is_near() -> None:
    train = noise(12, 0)
    detector = Patch(PatchConfig()).fit(ClipSet(train), ClipSet([]))
    unknown = detector.score(ClipSet(noise(12, 1)))
    assert np.median(detector.score(ClipSet(train))) < 0.6 * np.median(unknown)


def test_the_bank_is_bounded_and_serves_as_well() -> None:
    train, normal = noise(30, 0), noise(10, 1)
    faulty = [clip + np.float32(9) * (np.arange(8)[:, None] == 2) for clip in noise(10, 2)]
    detector = Patch(PatchConfig(bank=50)).fit(ClipSet(train), ClipSet([]))
    assert detector.bank_.shape == (50, 16)
    assert detector.score(ClipSet(faulty)).min() > detector.score(ClipSet(normal)).max()


def test_a_rare_operating_state_is_forgiven_more_with_density() -> None:
    """A state of the machine that varies more must not hide faults of the one that is steady."""
    rng = np.random.default_rng(0)

    def state(spread: float, shift: float) -> Spectrogram:
        pattern = shift * np.sin(np.arange(8))[:, None]
        return (pattern + rng.normal(0, spread, (8, 40))).astype(np.float32)

    train = [state(0.3, 0) if number % 2 else state(3, 40) for number in range(32)]
    steady_fault, lively_normal = state(0.3, 0), state(3, 40)
    steady_fault[2] += 1.5
    ratios = []
    for density in (0.0, 1.0):
        detector = Patch(PatchConfig(density=density)).fit(ClipSet(train), ClipSet([]))
        fault, normal = detector.score(ClipSet([steady_fault, lively_normal]))
        ratios.append(fault / normal)
    assert ratios[1] > 2 * ratios[0]


def test_the_map_adds_up_to_the_distances() -> None:
    detector = Patch(PatchConfig(frames=4)).fit(ClipSet(noise(12, 0)), ClipSet([]))
    clip = noise(1, 3, n_frames=4)
    found = detector.explain(ClipSet(clip))[0]
    np.testing.assert_allclose(found.sum(axis=0), detector.score(ClipSet(clip))[0], rtol=1e-5)


@pytest.mark.real
@pytest.mark.parametrize(
    ("level", "least_auc", "least_pauc"), [("none", 0.98, 0.95), ("power", 0.98, 0.92)]
)
def test_real_motors(
    level: str,
    least_auc: float,
    least_pauc: float,
    real_data: Callable[[str], Path],
    real_motor_auc: Callable[..., tuple[float, float]],
) -> None:
    auc, pauc = real_motor_auc(real_data("motor"), Patch(PatchConfig()), level)
    assert auc > least_auc
    assert pauc > least_pauc
