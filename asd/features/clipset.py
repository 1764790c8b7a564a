"""Features of many clips, with what is known of each."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from asd.arrays import Indices, Matrix, Spectrogram
from asd.data.manifest import Clip

Describe = Callable[[Spectrogram], NDArray[Any]]
"""From the features of a clip to a few numbers."""
Memo = dict[Hashable, dict[Hashable, NDArray[Any]]]
"""What functions said of clips, by function and clip."""


class ClipSet(Sequence[Spectrogram]):
    """Features of clips, each read when it is asked for, and the clips' rows of the manifest.

    An element is ``(n_rows, n_frames_i)`` float32; clips may differ in length. Do not write to an
    element, and do not gather all of them at once where they may exceed memory.

    Parameters
    ----------
    spectrograms : sequence of ndarray
        The features of each clip.
    clips : sequence of Clip, optional
        What is known of each; where it is not given, each clip is a recording of its own.
    memo : dict, optional
        What is remembered, where sets from the same front end share it: clips are known by
        their digests, and by their places in the set where it is not given.
    """

    def __init__(
        self,
        spectrograms: Sequence[Spectrogram],
        clips: Sequence[Clip] | None = None,
        memo: Memo | None = None,
    ) -> None:
        if clips is not None and len(clips) != len(spectrograms):
            raise ValueError(f"{len(clips)} clips for {len(spectrograms)} spectrograms")
        self._whole = spectrograms
        self._places: Indices = np.arange(len(spectrograms))
        self._rows = None if clips is None else tuple(clips)
        self._memo: Memo = {} if memo is None else memo
        self._by_digest = memo is not None
        self._offset: Describe | None = None
        self._view: Hashable = None

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Spectrogram: ...
    @overload
    def __getitem__(self, index: slice) -> "ClipSet": ...
    def __getitem__(self, index: int | slice) -> "Spectrogram | ClipSet":
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        return self._read(int(self._places[index]))

    def __iter__(self) -> Iterator[Spectrogram]:
        return (self._read(int(place)) for place in self._places)

    def _read(self, place: int) -> Spectrogram:
        clip = self._whole[place]
        if self._offset is None:
            return clip
        known, name = self._memo.setdefault((self._view, "offset"), {}), self._name(place)
        if name not in known:
            known[name] = self._offset(clip).astype(np.float32)
        return np.asarray(clip - known[name][:, None])

    def _name(self, place: int) -> Hashable:
        """What a clip is known by where things are remembered."""
        return self._rows[place].sha256 if self._rows and self._by_digest else place

    @property
    def clips(self) -> tuple[Clip, ...]:
        """Rows of the manifest, one a clip; empty where nothing is known of the clips."""
        return () if self._rows is None else tuple(self._rows[place] for place in self._places)

    def groups(self) -> Indices:
        """Number of the recording that each clip is of, ``(n_clips,)``.

        Fold and density estimates go by these: clips of one recording are more alike than the
        machine is to itself.
        """
        if self._rows is None:
            return self._places.copy()
        names = [clip.recording for clip in self.clips]
        return np.unique(names, return_inverse=True)[1].astype(np.intp)

    def machines(self) -> tuple[str, ...]:
        """Machine that each clip is of, ``(n_clips,)``; empty for one without a name."""
        return ("",) * len(self) if self._rows is None else tuple(c.machine for c in self.clips)

    def take(self, places: Indices) -> "ClipSet":
        """Some of the clips, in the order of `places`, ``(n,)``; nothing is read."""
        part = ClipSet.__new__(ClipSet)
        part._whole, part._rows, part._memo = self._whole, self._rows, self._memo
        part._by_digest = self._by_digest
        part._offset, part._view = self._offset, self._view
        part._places = self._places[places]
        return part

    def less(self, describe: Describe, key: Hashable) -> "ClipSet":
        """The same clips, from each of whose rows a value is taken off when it is read.

        Parameters
        ----------
        describe : callable
            Gives the values of a clip as it is without this, ``(n_rows,)``; it is asked once a
            clip.
        key : hashable
            Stands for it, and is not None: sets of the same memory and key remember the same.
        """
        part = self.take(np.arange(len(self)))
        if self._offset is None:
            part._offset, part._view = describe, key
        else:
            part._offset, part._view = _in_turn(self._offset, describe), (self._view, key)
        return part

    def number(self, index: int) -> int:
        """A number that stands for a clip, whatever others there are: its digest, where known."""
        place = int(self._places[index])
        return place if self._rows is None else int(self._rows[place].sha256[:16], 16)

    def remember(self, key: Hashable, index: int, describe: Describe) -> NDArray[Any]:
        """What a function says of a clip, computed once for all sets with the same memory.

        Parameters
        ----------
        key : hashable
            Stands for the function.
        index : int
            Which clip.
        describe : callable
            Gives an array, small against the clip.
        """
        known, place = self._memo.setdefault((self._view, key), {}), int(self._places[index])
        name = self._name(place)
        if name not in known:
            known[name] = describe(self._read(place))
        return known[name]

    def table(self, describe: Describe) -> Matrix:
        """What a function says of each clip, ``(n_clips, n_values)``, as `remember` does.

        The function itself is the key: it has to be the same object each time.
        """
        return np.stack([self.remember(describe, index, describe) for index in range(len(self))])


def _in_turn(first: Describe, second: Describe) -> Describe:
    """What two functions take off a clip, the second of what the first has left of it."""

    def both(clip: Spectrogram) -> NDArray[Any]:
        taken = first(clip).astype(np.float32)
        return np.asarray(taken + second(clip - taken[:, None]))

    return both
