"""One thread inside the block, and everything as it was after it."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from threading import Barrier, Thread
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from asd.config import LogMelConfig
from asd.features.logmel import LogMel
from asd.threads import one_thread

Threads = Callable[[int], AbstractContextManager[Any]]


def blas() -> set[int]:
    """Threads of each library for linear algebra."""
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def of_a_new_thread() -> int:
    """Torch threads that a thread gets which has not used torch yet."""
    counts: list[int] = []
    thread = Thread(target=lambda: counts.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return counts[0]


def test_is_one_inside_and_as_before_after(threads: Threads) -> None:
    with threads(3):
        with one_thread():
            assert (torch.get_num_threads(), blas()) == (1, {1})
            with one_thread():
                pass
            assert (torch.get_num_threads(), blas()) == (1, {1}), "the outer block is still open"
        assert (torch.get_num_threads(), of_a_new_thread(), blas()) == (3, 3, {3})


def test_is_as_before_after_an_error(threads: Threads) -> None:
    with threads(3):
        with pytest.raises(ZeroDivisionError), one_thread():
            raise ZeroDivisionError
        assert (torch.get_num_threads(), of_a_new_thread(), blas()) == (3, 3, {3})


def test_blocks_in_other_threads_change_nothing_here(threads: Threads) -> None:
    """Who opens first does not close last, and some threads come to use torch in between."""
    opened, closed = Barrier(2), Barrier(2)

    def outlast() -> tuple[int, set[int]]:
        opened.wait()
        with one_thread():
            opened.wait()
            closed.wait()
            return torch.get_num_threads(), blas()

    with threads(3), ThreadPoolExecutor(1) as pool:
        with one_thread():
            inside = pool.submit(outlast)
            opened.wait()
            opened.wait()
        assert torch.get_num_threads() == 3
        closed.wait()
        assert inside.result() == (1, {1}), "a block holds though another was closed"
        assert (torch.get_num_threads(), of_a_new_thread(), blas()) == (3, 3, {3})


def test_a_thread_that_came_in_between_keeps_no_other_to_one(threads: Threads) -> None:
    """It has one torch thread for ever; what it leaves behind is what others are to get."""
    first, second = ThreadPoolExecutor(1), ThreadPoolExecutor(1)

    def open_and_close() -> None:
        with one_thread():
            pass

    with threads(3), first, second:
        block = one_thread()
        first.submit(block.__enter__).result()
        second.submit(open_and_close).result()
        first.submit(block.__exit__, None, None, None).result()
        for _ in range(2):
            second.submit(open_and_close).result()
            assert of_a_new_thread() == 3


def test_a_spectrogram_is_the_same_on_any_number_of_threads(threads: Threads) -> None:
    rng = np.random.default_rng(0)
    clips = [0.1 * rng.standard_normal(32000).astype(np.float32) for _ in range(8)]
    front_end = LogMel(LogMelConfig(n_mels=16))

    def transform(clip: np.ndarray) -> tuple[np.ndarray, bool]:
        before = torch.get_num_threads()
        spectrogram = front_end(clip)
        return spectrogram, torch.get_num_threads() == before

    expected = [front_end(clip) for clip in clips]
    for count in 1, 2, 3:
        with threads(count):
            here = map(transform, clips)
            calls = (joblib.delayed(transform)(clip) for clip in clips)
            there = joblib.Parallel(n_jobs=4, prefer="threads")(calls)
            for results in here, there:
                for (spectrogram, left_alone), reference in zip(results, expected, strict=True):
                    np.testing.assert_array_equal(spectrogram, reference)
                    assert left_alone
            assert (torch.get_num_threads(), of_a_new_thread(), blas()) == (count, count, {count})


def test_torch_is_loaded_by_who_asks_for_it_alone() -> None:
    program = """
import sys
from asd.config import LogMelConfig
from asd.features.logmel import LogMel
from asd.threads import one_thread, usual_threads

front_end = LogMel(LogMelConfig())
with one_thread():
    assert usual_threads() == 1
assert usual_threads() >= 1
assert "torch" not in sys.modules
with one_thread():
    with one_thread(load_torch=True):
        assert sys.modules["torch"].get_num_threads() == 1
"""
    subprocess.run([sys.executable, "-c", program], check=True)
