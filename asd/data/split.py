"""Put recordings on the sides train, valid and test, before anything is augmented."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from asd.data.manifest import Split
from asd.data.recordings import Recording
from asd.errors import DataError, NotEnoughClipsError
from asd.language import tr

Fractions = tuple[float, float, float]
"""Shares of train, valid and test in seconds of normal sound; that of train is above 0."""

SIDES: tuple[Split, ...] = ("train", "valid", "test")

# Orders of the recordings that are tried; the one that comes closest to the fractions is kept.
_TRIES = 16


@dataclass(frozen=True)
class Assignment:
    """Where each clip of each recording stands."""

    sides: dict[str, tuple[Split | None, ...]]
    """Recording's name to one side a clip; None for a clip left out as a gap in time."""
    warnings: tuple[str, ...]
    """What the user should know about this split."""


@dataclass(frozen=True, eq=False)
class _Unit:
    """Recordings that must stay together."""

    name: str
    members: tuple[Recording, ...]
    seconds: float
    split: Split | None

    @property
    def normal(self) -> bool:
        return all(member.label == "normal" for member in self.members)

    @property
    def stratum(self) -> tuple[str, str]:
        return self.members[0].machine, self.members[0].domain


def assign(
    recordings: Sequence[Recording],
    clips: Mapping[str, Sequence[float]],
    fractions: Fractions,
    seed: int,
) -> Assignment:
    """Put every recording on one side.

    A prescribed side is kept. Recordings with an anomaly or an unknown label go to test. Normal
    recordings without a side fill the sides that the layout does not prescribe, in proportion
    to `fractions`; where validation is still empty, it is taken out of train. Files of one group
    stay together. The result does not depend on the order of the recordings.

    Where only one recording is there for two or more sides, its time is cut into blocks, with
    one clip left out between them, and a warning says so.

    Parameters
    ----------
    recordings : sequence of Recording
        What is to be split.
    clips : mapping
        Recording's name to the lengths of its clips in seconds, in order of time.
    fractions : (float, float, float)
        Shares of train, valid and test.
    seed : int
        Another seed gives another split.

    Raises
    ------
    DataError
        Files of one group are prescribed to two sides.
    NotEnoughClipsError
        One recording is too short to be cut into blocks.
    """
    units = _units(recordings, clips)
    share = dict(zip(SIDES, fractions, strict=True))
    splitter = _Splitter(clips, np.random.default_rng(seed))
    free = [unit for unit in units if unit.split is None and unit.normal]
    taken = {unit.split for unit in units if unit.split and unit.normal}
    train = [unit for unit in units if unit.split == "train"]
    for unit in units:
        if unit.split or not unit.normal:
            splitter.put(unit, unit.split or "test")
    if free:
        # Sides that the layout fills are left to it, unless it fills them all.
        open_sides = {side: share[side] for side in SIDES if side not in taken and share[side]}
        splitter.distribute(free, open_sides or {"train": 1.0})
    if train and not free and "valid" not in taken and share["valid"]:
        splitter.distribute(train, {side: share[side] for side in ("train", "valid")})
    return Assignment(splitter.sides, tuple(splitter.warnings))


class _Splitter:
    """Collects who stands where."""

    def __init__(
        self, clips: Mapping[str, Sequence[float]], generator: np.random.Generator
    ) -> None:
        self.clips = clips
        self.generator = generator
        self.sides: dict[str, tuple[Split | None, ...]] = {}
        self.warnings: list[str] = []

    def put(self, unit: _Unit, side: Split) -> None:
        for member in unit.members:
            self.sides[member.name] = (side,) * len(self.clips[member.name])

    def distribute(self, units: list[_Unit], share: dict[Split, float]) -> None:
        """Spread units over the sides, by time where there is only one for several sides."""
        if len(units) == 1 and len(share) > 1:
            self._cut(units[0], share)
        elif len(units) < len(share):
            # Fewer than one each: the last side takes the shortest, the others share the rest.
            *_, last = share
            shortest = min(units, key=lambda unit: (unit.seconds, unit.name))
            self.put(shortest, last)
            rest = [unit for unit in units if unit is not shortest]
            self.distribute(rest, {side: share[side] for side in share if side != last})
        else:
            for unit, side in _balanced(units, share, self.generator).items():
                self.put(unit, side)

    def _cut(self, unit: _Unit, share: dict[Split, float]) -> None:
        lengths = [(member.name, len(self.clips[member.name])) for member in unit.members]
        blocks = _blocks(unit.name, sum(length for _, length in lengths), share)
        for name, length in lengths:
            self.sides[name] = tuple(blocks[:length])
            blocks = blocks[length:]
        self.warnings.append(
            tr(
                "{name} is the only recording for {share}: its time is cut into blocks "
                "with a gap of one clip; figures on a new recording will be worse",
                name=unit.name,
                share=", ".join(share),
            )
        )


def _units(recordings: Sequence[Recording], clips: Mapping[str, Sequence[float]]) -> list[_Unit]:
    groups: dict[str, list[Recording]] = {}
    for recording in sorted(recordings, key=lambda recording: recording.name):
        groups.setdefault(recording.unit, []).append(recording)
    return [_unit(name, members, clips) for name, members in sorted(groups.items())]


def _unit(name: str, members: list[Recording], clips: Mapping[str, Sequence[float]]) -> _Unit:
    prescribed = sorted({member.split for member in members if member.split})
    if len(prescribed) > 1:
        raise DataError(
            tr(
                "recording={name}: its files are given to {prescribed}; one recording "
                "must stand on one side of the split",
                name=name,
                prescribed=" and ".join(prescribed),
            )
        )
    split = prescribed[0] if prescribed else None
    odd = [member for member in members if member.label != "normal"]
    if split == "train" and odd:
        raise DataError(
            tr(
                "recording={name}: {file} is labelled {label}, yet other files of the "
                "recording are given to train; training takes normal recordings only",
                name=name,
                file=odd[0].name,
                label=odd[0].label,
            )
        )
    seconds = sum(sum(clips[member.name]) for member in members)
    return _Unit(name, tuple(members), seconds, split)


def _balanced(
    units: list[_Unit], share: dict[Split, float], generator: np.random.Generator
) -> dict[_Unit, Split]:
    """Side of each unit: the best of several random orders; no side stays empty."""
    total = sum(share.values())
    goal = {side: part / total for side, part in share.items()}
    seconds = sum(unit.seconds for unit in units)
    best: dict[_Unit, Split] = {}
    least = np.inf
    for _ in range(_TRIES):
        sides = _diffuse(_stratified_order(units, generator), goal)
        _fill_empty(sides, list(share))
        got = _seconds(sides, goal)
        off = sum((got[side] - goal[side] * seconds) ** 2 for side in goal)
        if off < least:
            best, least = sides, off
    return best


def _stratified_order(units: list[_Unit], generator: np.random.Generator) -> list[_Unit]:
    """Machines in random order, and the units of each in random order after each other."""
    strata = sorted({unit.stratum for unit in units})
    place = dict(zip(strata, generator.permutation(len(strata)), strict=True))
    shuffled = [units[i] for i in generator.permutation(len(units))]
    return sorted(shuffled, key=lambda unit: place[unit.stratum])


def _diffuse(units: list[_Unit], goal: dict[Split, float]) -> dict[_Unit, Split]:
    """Error diffusion: each unit goes to the side that lags most behind its share so far.

    Neighbours in the order are of one machine, so every machine is spread over the sides.
    """
    due = dict.fromkeys(goal, 0.0)
    sides: dict[_Unit, Split] = {}
    for unit in units:
        for side, part in goal.items():
            due[side] += part * unit.seconds
        sides[unit] = max(due, key=lambda side: due[side])
        due[sides[unit]] -= unit.seconds
    return sides


def _fill_empty(sides: dict[_Unit, Split], wanted: list[Split]) -> None:
    """Give each empty side the shortest unit of the side with most units."""
    for side in wanted:
        if side not in sides.values():
            held = {other: [u for u in sides if sides[u] == other] for other in wanted}
            richest = max(held.values(), key=len)
            sides[min(richest, key=lambda unit: (unit.seconds, unit.name))] = side


def _seconds(sides: dict[_Unit, Split], goal: dict[Split, float]) -> dict[Split, float]:
    got = dict.fromkeys(goal, 0.0)
    for unit, side in sides.items():
        got[side] += unit.seconds
    return got


def _blocks(name: str, clips: int, share: dict[Split, float]) -> list[Split | None]:
    """Blocks of time in the order of the sides, one clip left out between them."""
    needed = 2 * len(share) - 1
    if clips < needed:
        raise NotEnoughClipsError(
            tr(
                "{name}: one recording of {clips} clips cannot be cut into {share}, "
                "which takes {needed} clips at least; add recordings or lower "
                "clip_seconds",
                name=name,
                clips=clips,
                share=", ".join(share),
                needed=needed,
            )
        )
    usable = clips - (len(share) - 1)
    edges = np.cumsum(list(share.values())) / sum(share.values()) * usable
    blocks: list[Split | None] = []
    begin = 0
    for i, (side, edge) in enumerate(zip(share, edges, strict=True)):
        behind = len(share) - 1 - i
        end = min(max(round(float(edge)), begin + 1), usable - behind)
        blocks += [side] * (end - begin) + ([None] if behind else [])
        begin = end
    return blocks
