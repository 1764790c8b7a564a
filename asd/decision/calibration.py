"""Held-out normal windows, and the units among them that are exchangeable."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asd.errors import DetectorError
from asd.language import tr
from asd.text import count

Values = NDArray[np.float64]
Numbers = NDArray[np.int64]
UnitName = Literal["sessions", "recordings", "clips"]


def counted(number: int, unit_name: UnitName) -> str:
    """A number of units for a sentence."""
    if unit_name == "sessions":
        return count(number, "session")
    return count(number, "recording") if unit_name == "recordings" else count(number, "clip")


MOST_BLOCKS = 64
"""Blocks of several windows taken from one recording at most, evenly spaced. They overlap: more of
them cost time and say nothing new."""
MOST_SCORES = 1_000_000
"""Scores in memory at a time, about."""


def finite(scores: ArrayLike) -> Values:
    """Scores as a flat array of float64.

    Raises
    ------
    DetectorError
        A score is NaN or infinite.
    """
    values = np.asarray(scores, dtype=np.float64).ravel()
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        raise DetectorError(
            tr(
                "{bad} of {n} scores are NaN or infinite; train the detector again "
                "with other parameters",
                bad=bad,
                n=len(values),
            )
        )
    return values


@dataclass(frozen=True, eq=False)
class Calibration:
    """Scores of normal windows by detectors that were not trained on them.

    The units that are exchangeable are sessions (a day, a flight, a mounting of the microphone).
    Each weighs the same; its recordings share its weight equally, and the windows of a recording
    the recording's. Where no sessions are given, each recording is a session of its own.

    Make one with `of`, which checks it.
    """

    scores: Values
    """``(n,)``; the windows of a recording stand in the order of time."""
    recordings: Numbers
    """Number of the recording that each window is of, ``(n,)``."""
    sessions: Numbers
    """Number of the session that each window is of, ``(n,)``."""
    machines: NDArray[np.str_]
    """Machine that each window is of, ``(n,)``; empty for one without a name."""

    @classmethod
    def of(
        cls,
        scores: ArrayLike,
        recordings: ArrayLike | None = None,
        sessions: ArrayLike | None = None,
        machines: ArrayLike | None = None,
    ) -> Self:
        """Calibration from arrays of one length.

        Parameters
        ----------
        scores : array_like, shape (n,)
            The windows of a recording stand in the order of time.
        recordings : array_like of int or str, shape (n,), optional
            Recording that each window is of; each one of its own where not given.
        sessions : array_like of int or str, shape (n,), optional
            Session that each window is of; the recordings where not given.
        machines : array_like of str, shape (n,), optional
            Machine that each window is of; one machine without a name where not given.

        Raises
        ------
        DetectorError
            A score is NaN or infinite, an array has another length than `scores`, or a recording
            lies in several sessions.
        """
        values = finite(scores)
        n = len(values)
        recording = np.arange(n) if recordings is None else _numbers(recordings)
        session = recording if sessions is None else _numbers(sessions)
        machine = np.asarray(np.full(n, "") if machines is None else machines, dtype=np.str_)
        for name, given in [
            ("recordings", recording),
            ("sessions", session),
            ("machines", machine),
        ]:
            if len(given) != n:
                raise DetectorError(
                    tr(
                        "calibration: {n} {name} for {scores} scores; give one a score",
                        n=len(given),
                        name=name,
                        scores=n,
                    )
                )
        pairs = np.unique(np.stack([recording, session]), axis=1)
        if pairs.shape[1] != len(np.unique(recording)):
            raise DetectorError(
                tr("calibration: a recording lies in several sessions; give each recording one")
            )
        return cls(values, recording, session, machine)

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.scores)

    @cached_property
    def n_recordings(self) -> int:
        """Number of recordings."""
        return len(np.unique(self.recordings))

    @cached_property
    def n_units(self) -> int:
        """Number of sessions, or of recordings where no sessions were given."""
        return len(np.unique(self.sessions))

    @property
    def unit_name(self) -> UnitName:
        """What the units are called, in the plural: for notes."""
        if self.n_units < self.n_recordings:
            return "sessions"
        return "recordings" if self.n_recordings < len(self) else "clips"

    @cached_property
    def machine_names(self) -> tuple[str, ...]:
        """The machines, sorted."""
        return tuple(np.unique(self.machines).tolist())

    def of_machine(self, name: str) -> "Calibration":
        """The windows of one machine."""
        mine = self.machines == name
        return Calibration(
            self.scores[mine], self.recordings[mine], self.sessions[mine], self.machines[mine]
        )

    @cached_property
    def shares(self) -> Values:
        """Share that each window has in its unit, ``(n,)``; those of a unit add up to 1."""
        layout = self.layout
        inner = layout.recording_shares(np.ones(len(layout.lengths), dtype=bool)) / layout.lengths
        shares = np.empty(len(self))
        shares[layout.order] = np.repeat(inner, layout.lengths)
        return shares

    @cached_property
    def layout(self) -> "Layout":
        """The windows sorted by recording."""
        order = np.argsort(self.recordings, kind="stable")
        _, starts, lengths = np.unique(
            self.recordings[order], return_index=True, return_counts=True
        )
        _, units = np.unique(self.sessions[order][starts], return_inverse=True)
        return Layout(order, self.scores[order], starts, lengths, units, self.n_units)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The fields as arrays, fit for `numpy.savez` without pickle."""
        return {
            "scores": self.scores,
            "recordings": self.recordings,
            "sessions": self.sessions,
            "machines": self.machines,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take back what `to_arrays` gave; ``sessions`` and ``machines`` may be missing."""
        optional = ("recordings", "sessions", "machines")
        return cls.of(arrays["scores"], *(arrays.get(name) for name in optional))


def _numbers(names: ArrayLike) -> Numbers:
    """Numbers as they are, names as numbers: ``(n,)``."""
    values = np.asarray(names).ravel()
    if not np.issubdtype(values.dtype, np.integer):
        _, values = np.unique(values, return_inverse=True)
    return values.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Layout:
    """Windows sorted by recording, and the recordings by unit."""

    order: Numbers
    """Place of each window in the calibration, ``(n,)``."""
    scores: Values
    """``(n,)``."""
    starts: Numbers
    """First window of each recording, ``(n_recordings,)``."""
    lengths: Numbers
    """Windows of each recording, ``(n_recordings,)``."""
    units: Numbers
    """Unit of each recording, from 0 on, ``(n_recordings,)``."""
    n_units: int

    def recording_shares(self, used: NDArray[np.bool_]) -> Values:
        """Share that each recording has in its unit when only some are `used`."""
        counts = np.bincount(self.units[used], minlength=self.n_units)
        return np.where(used, 1.0 / np.maximum(counts, 1)[self.units], 0.0)

    def blocks(self, m: int) -> Iterator[tuple[Numbers, Values]]:
        """Blocks of `m` windows in a row, of the recordings that have so many.

        Yields
        ------
        recordings : ndarray, shape (r,)
            Some recordings of one length.
        blocks : ndarray, shape (r, b, m)
            Their scores; all blocks for ``m = 1``, else `MOST_BLOCKS` at most.
        """
        for length in np.unique(self.lengths[self.lengths >= m]):
            which = np.flatnonzero(self.lengths == length)
            last = int(length) - m
            first = np.arange(last + 1)
            if m > 1 and last >= MOST_BLOCKS:
                first = np.unique(np.linspace(0, last, MOST_BLOCKS).round().astype(np.int64))
            places = first[:, None] + np.arange(m)
            step = max(1, MOST_SCORES // places.size)
            for at in range(0, len(which), step):
                part = which[at : at + step]
                yield part, self.scores[self.starts[part, None, None] + places]
