"""The condition of a recording: what a meter reads off it while it is decoded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asd.audio.band import Spectrum
from asd.audio.dropouts import Dropouts
from asd.audio.peak import peak

SILENT_DB = -80.0
"""A frame whose level lies below this, in dB of full scale, is silence."""

_FRAME_S = 0.05
_FRAMES_AT_ONCE = 200
"""A look at many frames costs little more than a look at one,"""
_SAMPLES_AT_ONCE = 1 << 20
"""but no more than these samples of all channels are kept."""
_CLIPPED = 0.99
"""Samples from here on count as clipped; 1 is full scale, which 8 bits reach up to 0.992 only."""
_FLOOR_DB = -120.0


@dataclass(frozen=True)
class Condition:
    """What a recording is like, apart from the machine that is heard in it."""

    sample_rate: int
    """Of the file, in Hz."""
    channels: int
    duration_s: float
    level_db: float
    """Root mean square of the sound that is used, in dB of full scale, without its mean; at least
    -120."""
    clipped: float
    """Share of samples at full scale, in [0, 1], over the channels that are used."""
    dropouts: int
    """Breaks of exact zeros, 5 ms or longer, inside sound."""
    silent: float
    """Share of frames of 50 ms that lie below `SILENT_DB`, in [0, 1]."""
    band_hz: float
    """Up to which frequency there is sound; half the sample rate where nothing is cut off."""
    cancel_db: float
    """How far the mean of the channels lies below their mean power, in dB; 3 for two channels
    that have nothing in common, 0 where one channel is taken."""
    imbalance_db: float
    """How much louder the loudest channel is than the next, in dB; 0 where one is taken."""
    remarks: tuple[str, ...] = ()
    """What is odd about the file itself, such as a size in its header; a sentence each."""

    @property
    def dropouts_per_minute(self) -> float:
        """Dropouts in a minute of sound."""
        return 60 * self.dropouts / self.duration_s if self.duration_s else 0.0


class Meter:
    """Listens to a recording while it is decoded; costs a small part of the decoding.

    Parameters
    ----------
    channel : int or None
        The channel that is used, from 0; None for the mean of all.
    """

    def __init__(self, channel: int | None = None) -> None:
        self._channel = channel
        self._rate = 0
        self._buffer: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._waiting = 0
        self._samples = 0
        self._sum = self._square = 0.0
        self._frames = self._silent = self._clipped = 0
        self._channel_sum: NDArray[np.float64] = np.empty(0)
        self._channel_square: NDArray[np.float64] = np.empty(0)
        self._remarks: list[str] = []

    def remark(self, text: str) -> None:
        """Keep a sentence on the file itself."""
        self._remarks.append(text)

    def feed(self, block: NDArray[np.float32], sample_rate: int) -> None:
        """Listen to the next samples, as they stand in the file.

        Parameters
        ----------
        block : ndarray of shape (channels, n), float32
            Full scale at 1.
        sample_rate : int
            The file's own, in Hz.
        """
        if not self._rate:
            self._begin(len(block), sample_rate)
        while block.shape[1]:
            # Frames of a codec are short; many at once cost less.
            room = self._buffer.shape[1] - self._waiting
            part, block = block[:, :room], block[:, room:]
            self._buffer[:, self._waiting : self._waiting + part.shape[1]] = part
            self._waiting += part.shape[1]
            if self._waiting == self._buffer.shape[1]:
                self._listen()

    def condition(self) -> Condition:
        """What was read off the recording, to be called once at its end."""
        if self._waiting:
            self._listen()
        n = max(1, self._samples)
        channels = len(self._buffer)
        used = channels if self._channel is None else 1
        cancel, imbalance = self._between_channels(n)
        return Condition(
            sample_rate=self._rate,
            channels=channels,
            duration_s=self._samples / self._rate if self._rate else 0.0,
            level_db=_decibels(_variance(self._square, self._sum, n)),
            clipped=self._clipped / (n * max(1, used)),
            dropouts=self._dropouts.count if self._rate else 0,
            silent=self._silent / max(1, self._frames),
            band_hz=self._spectrum.band_hz() if self._rate else 0.0,
            cancel_db=cancel,
            imbalance_db=imbalance,
            remarks=tuple(self._remarks),
        )

    def _begin(self, channels: int, sample_rate: int) -> None:
        self._rate = sample_rate
        self._frame = max(1, round(_FRAME_S * sample_rate))
        frames = max(1, min(_FRAMES_AT_ONCE, _SAMPLES_AT_ONCE // (channels * self._frame)))
        self._buffer = np.empty((channels, self._frame * frames), np.float32)
        self._channel_sum, self._channel_square = np.zeros(channels), np.zeros(channels)
        self._dropouts = Dropouts(sample_rate)
        self._spectrum = Spectrum(sample_rate)

    # Samples that are no numbers are refused by whoever decodes, a moment later.
    @np.errstate(invalid="ignore", over="ignore")
    def _listen(self) -> None:
        block = self._buffer[:, : self._waiting]
        self._waiting = 0
        mixed = self._channel is None and len(block) > 1
        taken = block if self._channel is None else block[self._channel][None]
        used = block.mean(axis=0) if mixed else taken[0]
        self._samples += used.size
        self._measure_level(used)
        if peak(taken) >= _CLIPPED:
            self._clipped += int(np.count_nonzero(np.abs(taken) >= _CLIPPED))
        if mixed:
            self._channel_sum += [float(row.sum()) for row in block]
            self._channel_square += [float(np.dot(row, row)) for row in block]
        self._dropouts.feed(used, (self._square / self._samples) ** 0.5)
        self._spectrum.feed(used)

    def _measure_level(self, used: NDArray[np.float32]) -> None:
        whole = used.size // self._frame * self._frame
        frames = used[:whole].reshape(-1, self._frame)
        rest = used[whole:]
        means = np.einsum("ij->i", frames).astype(np.float64) / self._frame
        squares = np.einsum("ij,ij->i", frames, frames).astype(np.float64)
        self._sum += float(means.sum()) * self._frame + float(rest.sum())
        self._square += float(squares.sum()) + float(np.dot(rest, rest))
        power = squares / self._frame - means**2
        self._frames += len(power)
        self._silent += int(np.count_nonzero(power < 10 ** (SILENT_DB / 10)))

    def _between_channels(self, n: int) -> tuple[float, float]:
        """By how much the channels cancel, and the loudest stands out, in dB."""
        if self._channel is not None or len(self._buffer) < 2:
            return 0.0, 0.0
        sums = zip(self._channel_square, self._channel_sum, strict=True)
        powers = [_variance(float(square), float(total), n) for square, total in sums]
        levels = sorted(map(_decibels, powers))
        mean = _decibels(_variance(self._square, self._sum, n))
        cancel = _decibels(float(np.mean(powers))) - mean
        return max(0.0, cancel), levels[-1] - levels[-2]


def _variance(square: float, total: float, n: int) -> float:
    """Power of n samples without that of a constant offset, from their sums."""
    return max(square / n - (total / n) ** 2, 0.0)


def _decibels(power: float) -> float:
    return max(_FLOOR_DB, float(10 * np.log10(max(power, 1e-300))))
