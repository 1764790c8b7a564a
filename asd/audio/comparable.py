"""Whether a recording can be compared with those of the training, whatever the machine does.

========= ========================================================== =====================
kind      a recording gets a notice where                            with the training's
========= ========================================================== =====================
rate      its rate is below the model's                              and below the lowest
resampler its rate is above the model's                              another resampler
band      it ends 20 % below the model's highest frequency           below the lowest
          or goes on 25 % above where the training's ended           (with ranges only)
level     it is quieter than -70 dB of full scale                    20 dB below or above
clipping  0.1 % of the samples are at full scale                     above the highest + that
dropouts  there is a dropout                                         more often than there
silence   half of it is silence                                      highest + 10 %
cancel    the mean of n channels lies 15 dB + 10 lg(n/2) below them  (always)
balance   one channel is 20 dB louder than any other                 highest + 10 dB
length    it is shorter than a clip                                  and than the shortest
file      its header is not believed, or its end was lost            (always)
========= ========================================================== =====================

Where there are ranges of the training, both columns must hold; `level` goes by them alone. A
notice says nothing of the machine: it never hides an alarm and never changes a score.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from asd.audio.condition import Condition
from asd.audio.resample import RESAMPLER
from asd.config.base import Config
from asd.language import tr, trn

Span = tuple[float, float]
Kind = Literal[
    "rate",
    "resampler",
    "band",
    "level",
    "clipping",
    "dropouts",
    "silence",
    "cancel",
    "balance",
    "length",
    "file",
]

_NARROWER, _WIDER = 0.8, 1.25
_LEVEL_DB, _QUIET_DB = 20.0, -70.0
_CLIPPED = 0.001
_SILENT, _MORE_SILENT = 0.5, 0.1
_CANCEL_DB, _MORE_CANCEL_DB = 15.0, 6.0
"""The second: above the training's highest, where it is not comparable either."""
_BALANCE_DB, _MORE_BALANCE_DB = 20.0, 10.0
_SHORTER = 0.99
"""Of a clip: rounding of rates makes clips a little shorter."""


class Ranges(Config):
    """Lowest and highest of each figure over recordings; see `Condition`."""

    sample_rate: Span
    """Of the files, in Hz."""
    duration_s: Span
    """In seconds."""
    level_db: Span
    """In dB of full scale."""
    clipped: Span
    """Share of samples."""
    dropouts_per_minute: Span
    """Number a minute."""
    silent: Span
    """Share of frames."""
    band_hz: Span
    """In Hz."""
    cancel_db: Span
    """In dB."""
    imbalance_db: Span
    """In dB."""

    @classmethod
    def of(cls, conditions: Iterable[Condition], share: float = 1.0) -> "Ranges | None":
        """The ranges over recordings; None where there are none.

        Parameters
        ----------
        conditions : iterable of Condition
            One a recording.
        share : float
            Of the recordings, those in the middle, in (0, 1]; 1 for all.
        """
        several = list(conditions)
        if not several:
            return None
        ends = [(1 - share) / 2, (1 + share) / 2]

        def span(name: str) -> Span:
            low, high = np.quantile([getattr(c, name) for c in several], ends)
            return round(float(low), 6), round(float(high), 6)

        return cls(**{name: span(name) for name in cls.model_fields})


@dataclass(frozen=True)
class Notice:
    """What is unusual about a recording."""

    kind: Kind
    text: str
    """One sentence with the figure and what it means."""
    comparable: bool = True
    """Whether its score can be compared with those of the training all the same."""


@dataclass(frozen=True)
class Reference:
    """What recordings are compared with."""

    sample_rate: int
    """Of the model, in Hz."""
    clip_seconds: float
    ranges: Ranges | None = None
    """None for a model of an earlier release: then fixed rules alone decide."""
    resampler: str = RESAMPLER
    """What brought the training's recordings to the model's rate."""
    of_clips: bool = False
    """Whether recordings are compared with each other, and not with those of a model."""

    @property
    def _others(self) -> str:
        return tr("the others") if self.of_clips else tr("the training")

    def notices(self, condition: Condition) -> list[Notice]:
        """All that makes a recording hard to compare."""
        rules = (self._band, self._level, self._flaws, self._channels, self._length)
        heard = [notice for rule in rules for notice in rule(condition)]
        return heard + [Notice("file", text) for text in condition.remarks]

    def _band(self, c: Condition) -> Iterator[Notice]:
        lowest_rate = self.ranges.sample_rate[0] if self.ranges else math.inf
        if c.sample_rate < min(self.sample_rate, lowest_rate):
            known = tr("the clips have") if self.of_clips else tr("the model knows")
            text = tr(
                "recorded at {rate} Hz, {known} {own} Hz: not comparable",
                rate=c.sample_rate,
                known=known,
                own=self.sample_rate,
            )
            yield Notice("rate", text, comparable=False)
            return
        highest_rate = self.ranges.sample_rate[1] if self.ranges else math.inf
        if self.resampler != RESAMPLER and min(c.sample_rate, highest_rate) > self.sample_rate:
            text = tr(
                "resampled from {rate} Hz, which earlier releases did in another way: its highest "
                "bands differ from the training's; make data set and model anew",
                rate=c.sample_rate,
            )
            yield Notice("resampler", text)
        top = self.sample_rate / 2
        low, high = self.ranges.band_hz if self.ranges else (top, top)
        low, high, here = min(low, top), min(high, top), min(c.band_hz, top)
        if here < _NARROWER * low:
            text = tr(
                "holds sound up to {here:.0f} Hz only, {others} up to {low:.0f} Hz: not comparable",
                here=here,
                others=self._others,
                low=low,
            )
            yield Notice("band", text, comparable=False)
        elif here > _WIDER * high:
            text = tr(
                "holds sound up to {here:.0f} Hz, {others} up to {high:.0f} Hz only: not "
                "comparable",
                here=here,
                others=self._others,
                high=high,
            )
            yield Notice("band", text, comparable=False)

    def _level(self, c: Condition) -> Iterator[Notice]:
        level = tr("level {level_db:.0f} dB of full scale", level_db=c.level_db)
        if self.ranges is None:
            if c.level_db < _QUIET_DB:
                text = tr(
                    "{level}, close to the noise of the recorder: not comparable", level=level
                )
                yield Notice("level", text, comparable=False)
            return
        low, high = self.ranges.level_db
        if c.level_db < low - _LEVEL_DB:
            text = tr(
                "{level}, {below:.0f} dB below {others}: not comparable",
                level=level,
                below=low - c.level_db,
                others=self._others,
            )
            yield Notice("level", text, comparable=False)
        elif c.level_db > high + _LEVEL_DB:
            # A fault may be that loud: comparable, so that strict=true does not leave it out.
            text = tr(
                "{level}, {above:.0f} dB above {others}: check the gain and the microphone",
                level=level,
                above=c.level_db - high,
                others=self._others,
            )
            yield Notice("level", text)

    def _flaws(self, c: Condition) -> Iterator[Notice]:
        if c.clipped > _CLIPPED + self._highest("clipped"):
            text = tr(
                "{share:.1%} of the samples are clipped: what is loud is distorted", share=c.clipped
            )
            yield Notice("clipping", text)
        if c.dropouts_per_minute > self._highest("dropouts_per_minute"):
            text = trn(
                "{n} dropout of exact zeros, which sound like faults: not comparable",
                "{n} dropouts of exact zeros, which sound like faults: not comparable",
                c.dropouts,
            )
            yield Notice("dropouts", text, comparable=False)
        if c.silent > max(_SILENT, self._highest("silent") + _MORE_SILENT):
            text = tr("{share:.0%} of it is silence: not comparable", share=c.silent)
            yield Notice("silence", text, comparable=False)

    def _channels(self, c: Condition) -> Iterator[Notice]:
        # n channels with nothing in common lose 10 lg n.
        least = _CANCEL_DB + 10 * math.log10(max(c.channels, 2) / 2)
        if c.cancel_db > least:
            alike = c.cancel_db <= self._highest("cancel_db") + _MORE_CANCEL_DB
            text = (
                tr(
                    "channels cancel, their mean lies {below:.0f} dB below them, as in the "
                    "training: little of the machine is left; make the data set with channel=left",
                    below=c.cancel_db,
                )
                if alike
                else tr(
                    "channels cancel, their mean lies {below:.0f} dB below them: not comparable",
                    below=c.cancel_db,
                )
            )
            yield Notice("cancel", text, comparable=alike)
        if c.imbalance_db > max(_BALANCE_DB, self._highest("imbalance_db") + _MORE_BALANCE_DB):
            text = tr(
                "one channel is {louder:.0f} dB louder than any other: not comparable",
                louder=c.imbalance_db,
            )
            yield Notice("balance", text, comparable=False)

    def _length(self, c: Condition) -> Iterator[Notice]:
        shortest = self.ranges.duration_s[0] if self.ranges else math.inf
        if c.duration_s < _SHORTER * min(self.clip_seconds, shortest):
            text = tr(
                "lasts {seconds:.2f} s, a clip of {others} {clip:g} s: its score is less certain",
                seconds=c.duration_s,
                others=self._others,
                clip=self.clip_seconds,
            )
            yield Notice("length", text)

    def _highest(self, name: str) -> float:
        return 0.0 if self.ranges is None else float(getattr(self.ranges, name)[1])
