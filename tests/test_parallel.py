"""The parallel map keeps the order, and bad recordings are told all at once."""

import os
from pathlib import Path

import joblib
import pytest

from asd.errors import AudioError, DataError
from asd.parallel import map_recordings, parallel_map


def square(number: int) -> int:
    return number * number


def process_of(_: int) -> int:
    return os.getpid()


def fail_at_three(number: int) -> int:
    if number == 3:
        raise ZeroDivisionError("three")
    return number


def name_of(path: Path) -> str:
    if "bad" in path.name:
        raise AudioError(f"{path}: has no audio track")
    return path.stem


def broken(path: Path) -> str:
    raise KeyError(path.name)


@pytest.mark.parametrize("jobs", [None, 1, 2])
@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_results_come_in_the_order_of_the_items(jobs: int | None, count: int) -> None:
    assert parallel_map(square, range(count), "square", jobs) == [n * n for n in range(count)]


def test_work_goes_to_other_processes_unless_there_is_one_job_or_item() -> None:
    assert os.getpid() not in parallel_map(process_of, range(8), "processes", jobs=2)
    assert parallel_map(process_of, range(8), "processes", jobs=1) == [os.getpid()] * 8
    assert parallel_map(process_of, range(1), "processes", jobs=2) == [os.getpid()]


def test_another_backend_can_be_put_under_it() -> None:
    with joblib.parallel_config(backend="threading"):
        assert parallel_map(process_of, range(8), "threads", jobs=2) == [os.getpid()] * 8


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_first_exception_ends_the_work(jobs: int) -> None:
    with pytest.raises(ZeroDivisionError, match="three"):
        parallel_map(fail_at_three, range(50), "failing", jobs)


PATHS = [Path("a.wav"), Path("bad1.wav"), Path("ポンプ.wav"), Path("bad2.wav")]


@pytest.mark.parametrize("jobs", [1, 2])
def test_all_bad_recordings_are_listed_in_one_line_with_the_remedy(jobs: int) -> None:
    with pytest.raises(DataError) as caught:
        map_recordings(name_of, PATHS, "names", skip_bad=False, jobs=jobs)
    assert str(caught.value) == (
        "2 of 4 recordings cannot be used: bad1.wav: has no audio track; bad2.wav: has no audio "
        "track; mend or remove them, or go on without them with skip_bad=true"
    )


@pytest.mark.parametrize("jobs", [1, 2])
def test_skip_bad_goes_on_without_them_and_tells(jobs: int) -> None:
    names, skipped = map_recordings(name_of, PATHS, "names", skip_bad=True, jobs=jobs)
    assert names == ["a", "ポンプ"]
    assert skipped == ["bad1.wav: has no audio track", "bad2.wav: has no audio track"]


def test_nothing_left_is_an_error_even_with_skip_bad() -> None:
    with pytest.raises(DataError, match=r"2 of 2 recordings cannot be used: .*remove them$"):
        map_recordings(name_of, PATHS[1::2], "names", skip_bad=True)
    with pytest.raises(AudioError, match=r"^bad1.wav: has no audio track$"):
        map_recordings(name_of, PATHS[1:2], "names", skip_bad=True)


def test_no_recordings_are_no_error() -> None:
    assert map_recordings(name_of, [], "names", skip_bad=False) == ([], [])


def test_a_bug_is_not_taken_for_a_bad_recording() -> None:
    with pytest.raises(KeyError):
        map_recordings(broken, PATHS, "broken", skip_bad=True)
