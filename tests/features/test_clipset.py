"""Clip sets: parts without reading, recordings and machines by clip, numbers remembered."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from asd.arrays import Spectrogram, Vector
from asd.data.manifest import Clip
from asd.features.clipset import ClipSet, Memo


class Counting(Sequence[Spectrogram]):
    """Spectrograms that are numbered, and tell which of them were read."""

    def __init__(self, n_clips: int) -> None:
        self.n_clips, self.reads = n_clips, list[int]()

    def __len__(self) -> int:
        return self.n_clips

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < self.n_clips:
            raise IndexError(index)
        self.reads.append(index)
        return np.full((2, 3), index, np.float32)


def rows(*recordings: str, machine: str = "") -> list[Clip]:
    return [
        Clip(
            path=f"{number}.wav",
            recording=recording,
            start_s=0,
            duration_s=1,
            split="train",
            label="normal",
            machine=machine,
            sha256="0" * 64,
        )
        for number, recording in enumerate(recordings)
    ]


def numbers(clips: ClipSet) -> list[int]:
    return [int(clip[0, 0]) for clip in clips]


def test_is_a_sequence() -> None:
    clips = ClipSet(Counting(5))
    assert len(clips) == 5
    assert int(clips[-1][0, 0]) == 4
    assert numbers(clips) == [0, 1, 2, 3, 4]
    assert numbers(clips[1:4:2]) == [1, 3]
    assert numbers(clips[::-1]) == [4, 3, 2, 1, 0]
    with pytest.raises(IndexError):
        clips[5]


def test_parts_of_parts_are_those_of_the_whole_and_read_nothing() -> None:
    whole = Counting(9)
    part = ClipSet(whole, rows(*"aabbccdde")).take(np.array([8, 2, 2, 5, 0]))[1:]
    assert whole.reads == []
    assert [clip.recording for clip in part.clips] == ["b", "b", "c", "a"]
    assert numbers(part) == [2, 2, 5, 0]
    assert len(ClipSet(whole).take(np.array([], np.intp))) == 0


def test_groups_are_recordings() -> None:
    clips = ClipSet(Counting(5), rows("r2", "r1", "r2", "r3", "r1"))
    groups = clips.groups()
    assert groups[0] == groups[2] != groups[1] == groups[4]
    assert len(set(groups.tolist())) == 3
    part = clips.take(np.array([3, 1, 4])).groups()
    assert part[0] != part[1] == part[2]


def test_without_rows_each_clip_is_a_recording_of_its_own() -> None:
    clips = ClipSet(Counting(4))
    assert len(set(clips.groups().tolist())) == 4
    assert clips.clips == ()
    again = clips.take(np.array([1, 1, 3])).groups()
    assert again[0] == again[1] != again[2]


def test_machines_are_those_of_the_clips() -> None:
    clips = rows("a", machine="pump") + rows("b", machine="fan")
    assert ClipSet(Counting(2), clips)[::-1].machines() == ("fan", "pump")
    assert ClipSet(Counting(2)).machines() == ("", "")


def test_rows_that_are_not_as_many_as_the_clips_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="1 clips for 2 spectrograms"):
        ClipSet(Counting(2), rows("a"))


def test_numbers_of_a_clip_are_computed_once_for_the_set_and_all_its_parts() -> None:
    def describe(clip: Spectrogram) -> Vector:
        return np.array([clip.mean(), clip.mean() ** 2], np.float64)

    whole = Counting(6)
    clips = ClipSet(whole)
    np.testing.assert_array_equal(clips[2:4].table(describe), [[2, 4], [3, 9]])
    np.testing.assert_array_equal(clips[::-1].table(describe)[:, 0], [5, 4, 3, 2, 1, 0])
    np.testing.assert_array_equal(clips.table(describe)[1], [1, 1])
    assert sorted(whole.reads) == [0, 1, 2, 3, 4, 5]


def test_a_clip_is_known_by_its_digest_and_else_by_its_place() -> None:
    digests = ({"sha256": "0" * 15 + digit * 49} for digit in "12")
    known = [
        row.model_copy(update=digest) for row, digest in zip(rows(*"ab"), digests, strict=True)
    ]
    told = ClipSet(Counting(2), known)
    assert [told[::-1].number(index) for index in range(2)] == [2, 1]
    assert [ClipSet(Counting(2))[::-1].number(index) for index in range(2)] == [1, 0]


def test_numbers_of_two_kinds_do_not_mix() -> None:
    def mean(clip: Spectrogram) -> Vector:
        return np.array([clip.mean()], np.float64)

    def size(clip: Spectrogram) -> Vector:
        return np.array([clip.size], np.float64)

    clips = ClipSet(Counting(2))
    assert clips.table(mean).tolist() == [[0], [1]]
    assert clips.table(size).tolist() == [[6], [6]]


def test_sets_that_share_a_memory_know_clips_by_their_digests() -> None:
    def mean(clip: Spectrogram) -> Vector:
        return np.array([clip.mean()], np.float64)

    first, second, third = (
        clip.model_copy(update={"sha256": f"{n:064x}"})
        for n, clip in enumerate(rows("a") + rows("b") + rows("c"))
    )
    memo: Memo = {}
    before, after = Counting(2), Counting(3)
    ClipSet(before, (first, second), memo).table(mean)
    assert ClipSet(after, (second, third, first), memo).table(mean).tolist() == [[1], [1], [0]]
    assert after.reads == [1], "the others were described by the set before"


def test_views_with_one_key_share_what_is_known_of_their_clips() -> None:
    whole = ClipSet([np.full((2, 3), value, np.float32) for value in (1, 2)])
    asked = list[float]()

    def mean(clip: Spectrogram) -> Vector:
        asked.append(float(clip.mean()))
        means: Vector = clip.mean(axis=1, dtype=np.float64)
        return means

    def total(clip: Spectrogram) -> Vector:
        return np.asarray(clip.sum(), np.float64)

    one, same, other = (whole.less(mean, key) for key in ("a", "a", "b"))
    for view in (one, same, one.take(np.array([1]))):
        assert [clip.tolist() for clip in view] == [[[0] * 3] * 2] * len(view)
        assert view.remember("total", 0, total) == 0
    assert asked == [1, 2]
    assert whole.remember("total", 0, total) == 6
    assert other[1].sum() == 0
    assert asked == [1, 2, 2]


def test_what_is_taken_off_a_view_of_a_view_is_asked_of_what_is_left() -> None:
    whole = ClipSet([np.full((2, 3), 5, np.float32)])

    def half(clip: Spectrogram) -> Vector:
        return np.asarray(clip[:, 0] / 2, np.float64)

    once = whole.less(half, "half")
    twice = once.less(half, "half")
    assert [view[0][0, 0] for view in (whole, once, twice)] == [5, 2.5, 1.25]
