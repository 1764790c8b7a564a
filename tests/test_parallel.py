"""The parallel map keeps the order, and bad recordings are told all at once."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import joblib
import pytest

from asd.errors import AudioError, DataError, OutputError, WorkerError
from asd.parallel import in_threads, jobs_for, map_recordings, parallel_map


def square(number: int) -> int:
    return number * number


def process_of(_: int) -> int:
    return os.getpid()


def spared_the_collector(_: int) -> int:
    return gc.get_freeze_count()


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


def test_threads_share_the_work_of_one_process_in_order() -> None:
    both = threading.Barrier(2, timeout=30)

    def meet(number: int) -> tuple[int, int]:
        both.wait()
        return number, threading.get_ident()

    met = list(in_threads(meet, range(6), jobs=2))
    assert [number for number, _ in met] == list(range(6))
    assert threading.get_ident() not in {ident for _, ident in met}


def test_work_in_threads_stays_in_this_process_and_in_order() -> None:
    both = threading.Barrier(2, timeout=30)

    def meet(number: int) -> tuple[int, int]:
        both.wait()
        return number, os.getpid()

    met = parallel_map(meet, range(4), "meet", jobs=2, threads=True)
    assert met == [(number, os.getpid()) for number in range(4)]


def test_threads_are_not_made_for_one_job_or_in_a_process_that_shares_the_machine() -> None:
    def ident(_: int) -> int:
        return threading.get_ident()

    assert set(in_threads(ident, range(4), jobs=1)) == {threading.get_ident()}
    with joblib.parallel_config(backend="sequential"):
        assert set(in_threads(ident, range(4), jobs=2)) == {threading.get_ident()}


def test_the_first_exception_ends_the_work_of_threads() -> None:
    done: list[int] = []

    def fail(number: int) -> None:
        done.append(number)
        if number:
            time.sleep(0.01)
        else:
            raise ZeroDivisionError("first")

    with pytest.raises(ZeroDivisionError, match="first"):
        list(in_threads(fail, range(500), jobs=2))
    assert len(done) < 500


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


def where(_: Path) -> int:
    return os.getpid()


def test_recordings_of_a_few_minutes_need_no_processes(tmp_path: Path) -> None:
    paths = [tmp_path / "1.wav", tmp_path / "2.wav"]
    for path in paths:
        path.write_bytes(b"sound")
    assert map_recordings(where, paths, "work", skip_bad=False)[0] == [os.getpid()] * 2
    os.truncate(paths[1], 20 * 2**20)
    assert jobs_for(paths) is None
    assert jobs_for([*paths[:1], tmp_path / "gone.wav"]) == 1


def test_no_recordings_are_no_error() -> None:
    assert map_recordings(name_of, [], "names", skip_bad=False) == ([], [])


def test_a_bug_is_not_taken_for_a_bad_recording() -> None:
    with pytest.raises(KeyError):
        map_recordings(broken, PATHS, "broken", skip_bad=True)


def full(path: Path) -> str:
    raise OutputError(f"{path}: cannot be written (No space left on device)")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_is_nobodys_bad_recording(jobs: int) -> None:
    with pytest.raises(OutputError, match="No space left"):
        map_recordings(full, PATHS, "full", skip_bad=True, jobs=jobs)


def test_recordings_that_are_done_are_something_to_go_on_with() -> None:
    names, skipped = map_recordings(name_of, PATHS[1:2], "names", skip_bad=True, done_before=3)
    assert (names, len(skipped)) == ([], 1)
    with pytest.raises(DataError, match=r"1 of 4 .*bad1\.wav.*skip_bad=true"):
        map_recordings(name_of, PATHS[1:2], "names", skip_bad=False, done_before=3)


def killed(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_is_one_line() -> None:
    with pytest.raises(WorkerError, match="killed, mostly because memory ran out") as caught:
        parallel_map(killed, range(4), "work", jobs=2)
    assert "\n" not in str(caught.value)


_PARENT = """
import os, sys, time
sys.path.insert(0, {folder!r})
from tests.test_parallel import say_and_wait
from asd.parallel import parallel_map
parallel_map(say_and_wait, range(2), "work", jobs=2)
"""


def say_and_wait(_: int) -> None:
    os.write(1, b".")
    signal.pause()


def test_workers_end_with_the_process_that_they_work_for() -> None:
    folder = str(Path(__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT.format(folder=folder)], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.read(1) + parent.stdout.read(1) == b".."
        parent.kill()
        # The workers hold the pipe, too: its end is theirs.
        assert parent.stdout.read() == b""


def test_what_a_worker_has_loaded_is_looked_through_for_garbage_once() -> None:
    before = gc.get_freeze_count()
    found = parallel_map(spared_the_collector, range(9), "looking", jobs=2)
    assert max(found) > 0, "some worker has done a second item"
    assert gc.get_freeze_count() == before, "this process is not ours to change"
