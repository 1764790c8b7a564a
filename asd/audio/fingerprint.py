"""Tell whether two recordings hold the same sound, whatever they are stored as.

The digest is that of Haitsma and Kalker, "A highly robust audio fingerprinting system" (ISMIR
2002), with shorter frames: a bit a band and frame, which says whether the difference of levels to
the next band has risen. It hangs on the noise of the very recording, so that two recordings of one
machine share no more bits than chance gives them, and a lossy copy shares most, also where its
codec begins some milliseconds late.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

Words = NDArray[np.uint32]
"""``(n,)``: 32 bits a frame; 0 where it is silent."""

LENGTH_S = 10.0
"""Seconds at the beginning of a recording that its fingerprint is made of."""

_FRAME_S = 0.128
_HOPS = 8
"""Hops in a frame: half a hop is how far copies lie apart at most, once the lag is known."""
_LEAST_FRAME = 128
_BANDS = 33
_HIGHEST = 0.75
"""Of half the sample rate: above, lossy codecs leave little."""
_FLOOR = 1e-6
"""Power of the loudest band below which nothing is looked at."""
_AT_ONCE = 64
"""Frames; they overlap, and so take much room."""
_LEAST_RISE = 0.05
_LEAST_BITS = 600
_MOST_LAG = 8
_LEAST_KEY_BITS = 5
_SAME = 0.4
_KEY_SHARE = 2


class Listener:
    """Keeps the beginning of a recording while it is read.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._missing = round(LENGTH_S * sample_rate)
        self._parts: list[NDArray[np.float32]] = []

    def through(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Hand blocks on as they are."""
        for block in blocks:
            if self._missing:
                part = block[: self._missing]
                self._parts.append(part.copy())
                self._missing -= len(part)
            yield block

    def words(self) -> Words:
        """The fingerprint of what was heard."""
        heard = np.concatenate(self._parts) if self._parts else np.empty(0, np.float32)
        return fingerprint(heard, self._rate)


def fingerprint(samples: NDArray[np.float32], sample_rate: int) -> Words:
    """32 bits each 16 ms, over frames of 128 ms.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        Full scale at 1.
    sample_rate : int
        In Hz.
    """
    size = max(_LEAST_FRAME, round(_FRAME_S * sample_rate))
    if len(samples) < 2 * size:
        return np.empty(0, np.uint32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[:: size // _HOPS]
    window = np.hanning(size).astype(np.float32)
    edges = np.linspace(1, _HIGHEST * (size // 2), _BANDS + 1).astype(int)
    bands = np.concatenate(
        [
            _band_powers(frames[start : start + _AT_ONCE] * window, edges)
            for start in range(0, len(frames), _AT_ONCE)
        ]
    )
    # What is far below the loudest band is noise of the codec: its bits stay 0.
    levels = np.log(bands + _FLOOR * bands.max() + 1e-12)
    steps = np.diff(levels, axis=1)
    bits = np.packbits(steps[_HOPS:] - steps[:-_HOPS] > _LEAST_RISE, axis=1)
    words: Words = bits.view(np.uint32)[:, 0].copy()
    return words


def _band_powers(frames: NDArray[np.float32], edges: NDArray[np.int_]) -> NDArray[np.float64]:
    power = np.abs(rfft(frames, axis=1)[:, : edges[-1]]) ** 2
    powers: NDArray[np.float64] = np.add.reduceat(power, edges[:-1], axis=1).astype(np.float64)
    return powers


def distance(a: Words, b: Words, lag: int = 0) -> float:
    """Share of the bits set in either that are not set in both, over the frames of both.

    2/3 is chance; 1 where there is too little to compare.

    Parameters
    ----------
    a, b : ndarray, shape (n,)
        Fingerprints.
    lag : int
        Frames by which the sound comes later in `b`.
    """
    a, b = a[max(0, -lag) :], b[max(0, lag) :]
    n = min(len(a), len(b))
    either = int(np.bitwise_count(a[:n] | b[:n]).sum())
    if either < _LEAST_BITS:
        return 1.0
    return int(np.bitwise_count(a[:n] ^ b[:n]).sum()) / either


def same_sound(prints: Sequence[Words]) -> list[tuple[int, int]]:
    """Pairs of fingerprints of the same sound: the first one of a sound, and each of its copies.

    Each is looked up by some of its words, as they stand, within a tenth of a second; so the time
    grows with the number of recordings and not with its square.

    Parameters
    ----------
    prints : sequence of ndarray, shape (n_i,)
        Fingerprints.

    Returns
    -------
    list of (int, int)
        Places in `prints`, in order, the lower one first.
    """
    tried: set[tuple[int, int, int]] = set()
    pairs: set[tuple[int, int]] = set()
    for first, other, lag in _candidates(prints):
        if (first, other) in pairs or (first, other, lag) in tried:
            continue
        tried.add((first, other, lag))
        if distance(prints[first], prints[other], lag) < _SAME:
            pairs.add((first, other))
    return sorted(pairs)


def _candidates(prints: Sequence[Words]) -> Iterator[tuple[int, int, int]]:
    """Pairs that share a word in nearly the same place, and the lag between."""
    if not prints:
        return
    words = np.concatenate(list(prints))
    owners = np.repeat(np.arange(len(prints)), [len(p) for p in prints])
    places = np.concatenate([np.arange(len(p)) for p in prints])
    # Which words are keys depends on the word alone: a copy that begins later has the same.
    mixed = (words * np.uint32(2654435761)) >> np.uint32(16)
    keys = (mixed % _KEY_SHARE == 0) & (np.bitwise_count(words) >= _LEAST_KEY_BITS)
    words, owners, places = words[keys], owners[keys], places[keys]
    order = np.lexsort((places, owners, words))
    words, owners, places = words[order], owners[order], places[order]
    runs = np.flatnonzero(np.diff(words, prepend=~words[:1]) != 0)
    firsts = np.repeat(runs, np.diff(runs, append=len(words)))
    lags = places - places[firsts]
    near = (owners != owners[firsts]) & (np.abs(lags) <= _MOST_LAG)
    for i in np.flatnonzero(near):
        yield int(owners[firsts[i]]), int(owners[i]), int(lags[i])
