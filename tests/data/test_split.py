from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asd.data.manifest import Label, Split
from asd.data.recordings import Recording
from asd.data.split import Assignment, assign
from asd.errors import DataError, NotEnoughClipsError

FRACTIONS = (0.72, 0.18, 0.10)


def recording(
    name: str,
    split: Split | None = None,
    label: Label = "normal",
    machine: str = "",
    group: str = "",
) -> Recording:
    return Recording(Path(name), name, label, split, machine, group=group)


def many(
    count: int, split: Split | None = None, label: Label = "normal", prefix: str = "r"
) -> list[Recording]:
    return [recording(f"{prefix}{number:03d}", split, label) for number in range(count)]


def split_evenly(
    recordings: Sequence[Recording], clips: int = 5, seed: int = 42
) -> dict[str, tuple[Split | None, ...]]:
    return assign(recordings, {r.name: [2.0] * clips for r in recordings}, FRACTIONS, seed).sides


def side_of(sides: Mapping[str, tuple[Split | None, ...]]) -> dict[str, Split | None]:
    assert all(len(set(places)) == 1 for places in sides.values())
    return {name: places[0] for name, places in sides.items()}


def seconds(
    assignment: Assignment, clips: Mapping[str, Sequence[float]], machine: str = ""
) -> dict[str | None, float]:
    got: dict[str | None, float] = {"train": 0.0, "valid": 0.0, "test": 0.0}
    for name, places in assignment.sides.items():
        if name.startswith(machine):
            for place, length in zip(places, clips[name], strict=True):
                got[place] += length
    return got


lengths = st.lists(st.integers(1, 30), min_size=3, max_size=40)


@settings(deadline=None, max_examples=40)
@given(lengths, st.integers(0, 1000), st.randoms(use_true_random=False))
def test_properties_without_a_split(counts: list[int], seed: int, random: object) -> None:
    recordings = many(len(counts)) + many(2, label="anomaly", prefix="bad")
    clips = {r.name: [2.0] * n for r, n in zip(recordings, [*counts, 3, 3], strict=True)}
    first = assign(recordings, clips, FRACTIONS, seed)
    assert first == assign(list(reversed(recordings)), clips, FRACTIONS, seed)
    assert not first.warnings
    sides = side_of(first.sides)
    assert {sides[f"r{n:03d}"] for n in range(len(counts))} == {"train", "valid", "test"}
    assert sides["bad000"] == sides["bad001"] == "test"
    got = seconds(first, clips, "r")
    for side, fraction in zip(("train", "valid", "test"), FRACTIONS, strict=True):
        # No side is further off than the longest recording, twice where one had to be given up.
        assert abs(got[side] - fraction * sum(got.values())) <= 2 * 2.0 * max(counts)


def test_fractions_are_kept_closely_and_the_seed_matters() -> None:
    recordings = many(50)
    clips = {r.name: [2.0] * (3 + n % 7) for n, r in enumerate(recordings)}
    splits = [assign(recordings, clips, FRACTIONS, seed) for seed in range(5)]
    total = sum(map(sum, clips.values()))
    for split in splits:
        got = seconds(split, clips)
        assert got["train"] / total == pytest.approx(0.72, abs=0.02)
        assert got["valid"] / total == pytest.approx(0.18, abs=0.02)
    assert len({tuple(split.sides.items()) for split in splits}) == 5


def test_every_machine_is_spread_over_the_sides() -> None:
    recordings = [recording(f"m{m}-{n:02d}", machine=f"m{m}") for m in range(4) for n in range(25)]
    clips = {r.name: [2.0] * 5 for r in recordings}
    for seed in range(5):
        split = assign(recordings, clips, FRACTIONS, seed)
        for machine in range(4):
            got = seconds(split, clips, f"m{machine}")
            assert got["train"] == pytest.approx(180, abs=20)
            assert got["valid"] == pytest.approx(45, abs=20)
            assert got["test"] > 0


def test_prescribed_train_and_test_are_obeyed_and_validation_comes_out_of_train() -> None:
    recordings = [*many(10, "train"), *many(6, "test", prefix="t")]
    sides = side_of(split_evenly(recordings))
    train = [sides[f"r{n:03d}"] for n in range(10)]
    assert (train.count("train"), train.count("valid")) == (8, 2)
    assert {sides[f"t{n:03d}"] for n in range(6)} == {"test"}


def test_prescribed_validation_leaves_train_alone() -> None:
    recordings = [*many(4, "train"), *many(2, "valid", prefix="v"), *many(1, "test", prefix="t")]
    assert side_of(split_evenly(recordings)) == {r.name: r.split for r in recordings}


def test_recordings_without_a_side_fill_the_sides_that_are_open() -> None:
    recordings = [*many(20), *many(3, "test", prefix="t")]
    sides = list(side_of(split_evenly(recordings)).values())
    assert (sides.count("train"), sides.count("valid"), sides.count("test")) == (16, 4, 3)


def test_files_of_one_group_stay_together() -> None:
    recordings = [recording(f"{g}-{n}", group=f"g{g}") for g in range(8) for n in range(4)]
    sides = side_of(split_evenly(recordings))
    for group in range(8):
        assert len({sides[f"{group}-{n}"] for n in range(4)}) == 1
    mixed = [*recordings, recording("bad", label="anomaly", group="g0")]
    assert {side_of(split_evenly(mixed))[name] for name in ("bad", "0-0", "0-3")} == {"test"}


def test_a_group_on_two_sides_is_an_error() -> None:
    pair = [recording("a", "train", group="g"), recording("b", "test", group="g")]
    with pytest.raises(DataError, match=r"recording=g: .*test and train"):
        split_evenly(pair)
    anomaly = replace(pair[1], split=None, label="anomaly")
    with pytest.raises(DataError, match=r"recording=g: b is labelled anomaly"):
        split_evenly([pair[0], anomaly])


def test_one_recording_is_cut_into_blocks_of_time() -> None:
    clips = {"r000": [2.0] * 52}
    split = assign(many(1), clips, FRACTIONS, 42)
    assert split.sides["r000"] == (
        *["train"] * 36, None, *["valid"] * 9, None, *["test"] * 5
    )  # fmt: skip
    assert "r000 is the only recording" in split.warnings[0]
    assert split == assign(many(1), clips, FRACTIONS, 43)


def test_blocks_run_through_the_files_of_a_group() -> None:
    pair = [recording("b", group="g"), recording("a", group="g")]
    sides = split_evenly(pair, clips=6)
    places = [*sides["a"], *sides["b"]]
    assert [place for place in places if place] == ["train"] * 7 + ["valid"] * 2 + ["test"]
    assert places.count(None) == 2


def test_only_train_recording_gives_validation_from_its_end() -> None:
    sides = split_evenly([recording("r", "train"), recording("t", "test")], clips=11)
    assert sides["r"] == (*["train"] * 8, None, *["valid"] * 2)
    assert set(sides["t"]) == {"test"}


def test_two_recordings_give_one_to_test() -> None:
    clips = {"r000": [2.0] * 20, "r001": [2.0] * 10}
    split = assign(many(2), clips, FRACTIONS, 42)
    assert set(split.sides["r001"]) == {"test"}
    assert set(split.sides["r000"]) == {"train", "valid", None}
    assert len(split.warnings) == 1


def test_too_short_for_blocks_says_how_many_clips_it_takes() -> None:
    with pytest.raises(NotEnoughClipsError, match=r"r000: .*4 clips.*takes 5 clips at least"):
        split_evenly(many(1), clips=4)
    assert set(split_evenly(many(1), clips=5)["r000"]) == {"train", "valid", "test", None}


def test_a_share_of_zero_leaves_the_side_empty() -> None:
    recordings = many(10)
    clips = {r.name: [2.0] for r in recordings}
    sides = side_of(assign(recordings, clips, (0.8, 0.2, 0.0), 42).sides)
    assert set(sides.values()) == {"train", "valid"}
