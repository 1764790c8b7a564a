"""What is asked of a data set costs as little as it can."""

from pathlib import Path

import pytest

from asd.data import manifest
from asd.data.manifest import Clip, Dataset
from asd.data.sound import clip_seconds


def make_dataset(lengths: list[float]) -> Dataset:
    clips = [
        Clip(
            path=f"{index}.wav",
            recording=f"r{index}",
            start_s=0,
            duration_s=length,
            split="train",
            label="normal",
            sha256=f"{index:064x}",
        )
        for index, length in enumerate(lengths)
    ]
    return Dataset(Path("data"), tuple(clips))


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([10.0], 10.0),
        ([10.0, 10.0, 4.0, 4.0, 4.0], 10.0),  # 20 s against 12 s
        ([10.0, 5.0, 5.0, 5.0], 5.0),
        ([10.0, 5.0, 5.0], 10.0),  # of as many seconds the longer clips
    ],
)
def test_the_length_of_a_clip_is_that_of_most_seconds(
    lengths: list[float], expected: float
) -> None:
    assert clip_seconds(make_dataset(lengths)) == expected


def test_lengths_are_not_compared_each_with_each() -> None:
    class Length(float):
        compared = 0

        def __eq__(self, other: object) -> bool:
            Length.compared += 1
            return float(self) == other

        __hash__ = float.__hash__

    n_clips = 300
    clips = tuple(
        clip.model_copy(update={"duration_s": Length(clip.duration_s)})
        for clip in make_dataset([1.0 + index for index in range(n_clips)]).clips
    )
    assert clip_seconds(Dataset(Path("data"), clips)) == n_clips
    assert Length.compared < 4 * n_clips


def test_the_digest_is_made_once_and_is_no_part_of_equality(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset = make_dataset([1.0, 2.0])
    rows: list[Clip] = []
    cells = manifest._cells

    def counting(clip: Clip) -> list[str]:
        rows.append(clip)
        return cells(clip)

    monkeypatch.setattr(manifest, "_cells", counting)
    assert dataset.digest == dataset.digest
    assert len(rows) == 2
    assert dataset == make_dataset([1.0, 2.0])
    assert hash(dataset) == hash(make_dataset([1.0, 2.0]))
    assert dataset.select(lambda clip: clip.duration_s > 1).digest != dataset.digest
