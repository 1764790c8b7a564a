import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asd.audio.windows import windows


def test_the_end_is_covered_by_a_window_that_reaches_back() -> None:
    stream = np.arange(7, dtype=np.float32)
    cut = [(start, list(samples)) for start, samples in windows([stream[:5], stream[5:]], 3)]
    assert cut == [(0, [0, 1, 2]), (3, [3, 4, 5]), (4, [4, 5, 6])]


def test_a_stream_shorter_than_a_window_is_given_as_it_is() -> None:
    [(start, samples)] = windows([np.ones(2, np.float32)], 3)
    assert (start, len(samples)) == (0, 2)


@given(st.lists(st.integers(0, 40), max_size=6), st.integers(1, 25))
def test_no_sample_is_left_out_however_the_stream_is_blocked(lengths: list[int], size: int) -> None:
    stream = np.arange(sum(lengths), dtype=np.float32)
    blocks = np.split(stream, np.cumsum(lengths)[:-1]) if lengths else []
    heard: set[float] = set()
    for start, samples in windows(blocks, size):
        np.testing.assert_array_equal(samples, stream[start : start + len(samples)])
        assert len(samples) == min(size, len(stream))
        heard |= set(samples.tolist())
    assert heard == set(stream.tolist())
