"""Calibration folds: what belongs together is held out together."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd.data.manifest import Clip
from asd.pipeline.folds import MAX_FOLDS, calibration_folds, splits, unit_of


def clip(recording: str, machine: str = "", session: str = "") -> Clip:
    return Clip(
        path=f"{machine}-{recording}.wav",
        recording=recording,
        start_s=0,
        duration_s=1,
        split="train",
        label="normal",
        machine=machine,
        session=session,
        sha256="0" * 64,
    )


def test_folds_are_runs_of_recordings_in_the_order_of_their_names() -> None:
    names = [f"r{number}" for number in range(1, 13)]
    shuffled = np.random.default_rng(0).permutation(12)
    fold_of = calibration_folds([clip(names[place]) for place in shuffled], 4)
    by_name = dict(zip(shuffled.tolist(), fold_of.tolist(), strict=True))
    assert [by_name[place] for place in range(12)] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_the_order_of_clips_in_the_data_set_does_not_matter() -> None:
    clips = [clip(f"r{number % 7}", machine=f"m{number % 2}") for number in range(40)]
    order = np.random.default_rng(0).permutation(40)
    shuffled = calibration_folds([clips[place] for place in order])
    np.testing.assert_array_equal(shuffled, calibration_folds(clips)[order])


def test_there_are_no_more_folds_than_asked_for_or_units() -> None:
    many = [clip(f"r{number}") for number in range(99)]
    assert calibration_folds(many).max() + 1 == MAX_FOLDS
    assert calibration_folds(many, 4).max() + 1 == 4
    assert calibration_folds(many[:3]).max() + 1 == 3


def test_sessions_are_held_out_whole() -> None:
    clips = [clip(f"r{number}", session=f"day{number % 3}") for number in range(12)]
    fold_of = calibration_folds(clips)
    assert fold_of.max() + 1 == 3
    for day in range(3):
        assert len(set(fold_of[day::3].tolist())) == 1


def test_a_recording_without_a_session_is_a_unit_of_its_own() -> None:
    assert unit_of(clip("r1")) == "r1"
    assert unit_of(clip("r1", session="day1")) == "day1"
    clips = [clip("r1"), clip("r2", session="day1"), clip("r3", session="day1"), clip("r4")]
    fold_of = calibration_folds(clips)
    assert fold_of[1] == fold_of[2]
    assert len(set(fold_of.tolist())) == 3


def test_each_machine_is_spread_over_folds() -> None:
    clips = [clip(f"r{number}", machine=f"m{number % 4}") for number in range(40)]
    fold_of = calibration_folds(clips, 5)
    for machine in range(4):
        assert np.bincount(fold_of[machine::4], minlength=5).tolist() == [2, 2, 2, 2, 2]


def test_machines_with_one_recording_each_are_held_out_one_by_one() -> None:
    fold_of = calibration_folds([clip("r1", machine=f"m{number}") for number in range(5)])
    assert sorted(fold_of.tolist()) == [0, 1, 2, 3, 4]


def test_recordings_of_the_same_name_on_two_machines_are_two() -> None:
    fold_of = calibration_folds([clip("r1", "a"), clip("r1", "b"), clip("r1", "a")])
    assert fold_of[0] == fold_of[2] != fold_of[1]


@pytest.mark.parametrize(("n_clips", "n_folds"), [(1, 1), (3, 3), (25, MAX_FOLDS)])
def test_a_single_recording_is_cut_into_runs(n_clips: int, n_folds: int) -> None:
    fold_of = calibration_folds([clip("r1")] * n_clips)
    assert fold_of.max() + 1 == n_folds
    assert (np.diff(fold_of) >= 0).all()


@given(
    st.lists(
        st.builds(
            clip,
            recording=st.sampled_from(["r1", "r2", "r10", "s", "録音"]),
            machine=st.sampled_from(["", "a", "b", "c"]),
            session=st.sampled_from(["", "", "day1", "day2"]),
        ),
        min_size=1,
        max_size=40,
    ),
    st.integers(2, 12),
)
def test_no_unit_stands_on_both_sides_and_each_clip_is_held_out_once(
    clips: list[Clip], most: int
) -> None:
    fold_of = calibration_folds(clips, most)
    units = [(row.machine, unit_of(row)) for row in clips]
    held_out_in = defaultdict(set)
    seen = np.zeros(len(clips), int)
    for number, (inside, outside) in enumerate(splits(fold_of)):
        assert len(outside) > 0
        assert sorted([*inside, *outside]) == list(range(len(clips)))
        seen[outside] += 1
        for place in outside:
            held_out_in[units[place]].add(number)
        if len(set(units)) > 1:
            assert len(inside) > 0
            assert not {units[place] for place in inside} & {units[place] for place in outside}
    assert (seen == 1).all()
    if len(set(units)) > 1:
        assert all(len(numbers) == 1 for numbers in held_out_in.values())
