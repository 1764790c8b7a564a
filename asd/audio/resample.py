"""Turn the frames of a track into blocks of one rate and layout."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import av
import numpy as np
from numpy.typing import NDArray

from asd.audio.refusal import refuses
from asd.errors import AudioError
from asd.language import tr

Block = NDArray[np.float32]
"""Samples of one or more channels, ``(channels, n)``, full scale at 1."""

# Longer filter than the default (32 taps, cutoff 0.97 but -18 dB at 1.04 of the new Nyquist
# frequency): flat to 0.94 of Nyquist, aliases below -100 dB from 1.04 on; costs little.
_RESAMPLER = {"filter_size": "128", "cutoff": "0.97", "rematrix_maxval": "1.0"}
_SAMPLES_AT_ONCE = 1 << 15
_PADDING_FRAMES = 3
"""Most frames of a codec that are padding; what goes on for longer is sound."""
_SAMPLES: dict[str, tuple[np.dtype[Any], int]] = {
    "u8": (np.dtype(np.uint8), 2**7),
    "s16": (np.dtype(np.int16), 2**15),
    "s32": (np.dtype(np.int32), 2**31),
    "flt": (np.dtype(np.float32), 1),
    "dbl": (np.dtype(np.float64), 1),
}
"""Formats that are read as they stand: type, and what is full scale."""
_MOST_PLANES = 7
"""PyAV 18.1 cannot exchange more channels that lie apart."""


class Unpacker:
    """Samples of decoded frames as they stand in the file, many frames at once.

    Codecs give a thousand samples at a time. What is done with them costs more than they do, so
    that frames are only kept until there are many.

    Parameters
    ----------
    name : str
        What to call the recording in messages.

    Attributes
    ----------
    longest_s : float
        Length of the longest frame so far, in seconds.
    layout : av.AudioLayout
        Of the blocks; there once the first of them is.
    sample_rate : int
        Likewise, in Hz.
    """

    layout: av.AudioLayout
    sample_rate: int

    def __init__(self, name: str) -> None:
        self._name = name
        self.longest_s = 0.0

    def blocks(self, frames: Iterable[av.AudioFrame]) -> Iterator[Block]:
        """The samples of all frames.

        Raises
        ------
        AudioError
            Rate, channels or format change midway.
        """
        waiting: list[av.AudioFrame] = []
        n_waiting, kind = 0, None
        for frame in frames:
            own = (frame.format.name, frame.layout.name, frame.sample_rate)
            if kind is None:
                kind, self.layout, self.sample_rate = own, frame.layout, frame.sample_rate
            elif kind != own:
                raise AudioError(
                    tr(
                        "{name}: sample rate or channels change midway; export it again",
                        name=self._name,
                    )
                )
            self.longest_s = max(self.longest_s, frame.samples / frame.sample_rate)
            waiting.append(frame)
            n_waiting += frame.samples
            if n_waiting >= _SAMPLES_AT_ONCE:
                yield self._unpacked(waiting)
                waiting, n_waiting = [], 0
        if waiting:
            yield self._unpacked(waiting)

    def _unpacked(self, frames: list[av.AudioFrame]) -> Block:
        channels = self.layout.nb_channels
        with refuses(
            self._name, lambda: tr("its samples cannot be read"), lambda: tr("export it again")
        ):
            form = frames[0].format
            if form.packed.name not in _SAMPLES or (form.is_planar and channels > _MOST_PLANES):
                packer = av.AudioResampler("flt", self.layout, self.sample_rate)
                frames = [packed for frame in frames for packed in packer.resample(frame)]
                form = frames[0].format
            kind, full_scale = _SAMPLES[form.packed.name]
            planes = channels if form.is_planar else 1
            joined = [_plane(frames, plane, kind, channels // planes) for plane in range(planes)]
        apart = np.stack(joined) if form.is_planar else joined[0].reshape(-1, channels).T
        samples = np.ascontiguousarray(apart, np.float32)
        if form.packed.name == "u8":
            samples -= full_scale
        if full_scale != 1:
            samples *= np.float32(1 / full_scale)
        return samples


def _plane(
    frames: list[av.AudioFrame], plane: int, kind: np.dtype[Any], width: int
) -> NDArray[Any]:
    # As `AudioFrame.to_ndarray` does, which takes three times as long.
    pieces = [(cast(Any, frame.planes[plane]), frame.samples * width) for frame in frames]
    return np.concatenate([np.frombuffer(memory, kind, count) for memory, count in pieces])


class Ending:
    """Leaves out what decoders add behind the sound.

    Parameters
    ----------
    sample_rate : int
        Of the blocks, in Hz.
    ends_s : float or None
        Where the sound ends and padding of the codec begins, in seconds; None where not stated.
    remark : callable
        Gets a sentence when `ends_s` turns out to be wrong.
    """

    def __init__(
        self, sample_rate: int, ends_s: float | None, remark: Callable[[str], None]
    ) -> None:
        self._rate, self._ends_s, self._remark = sample_rate, ends_s, remark
        self._left = None if ends_s is None else round(ends_s * sample_rate)
        self._padding: list[Block] = []

    def sound(self, block: Block, longest_s: float) -> Iterator[Block]:
        """What is sound of a block.

        Parameters
        ----------
        block : ndarray of shape (channels, n)
            The next samples.
        longest_s : float
            Length of the longest frame of the codec so far, in seconds.
        """
        if self._left is None:
            yield block
            return
        sound, rest = block[:, : self._left], block[:, self._left :]
        self._left -= sound.shape[1]
        if sound.size:
            yield sound
        self._padding.append(rest)
        most = _PADDING_FRAMES * longest_s * self._rate
        if sum(part.shape[1] for part in self._padding) > most:
            self._remark(f"states {self._ends_s:.2f} s but goes on: read to the end")
            self._left = None
            yield from (part for part in self._padding if part.size)
            self._padding = []


class Resampler:
    """Blocks of one rate and layout.

    Parameters
    ----------
    name : str
        What to call the recording in messages.
    sample_rate : int
        Of the blocks that come out, in Hz.
    layout : str or None
        FFmpeg's name of their channel layout; None to leave it.
    """

    def __init__(self, name: str, sample_rate: int, layout: str | None) -> None:
        self._name = name
        # Packed samples: see `_MOST_PLANES`.
        self._resampler = av.AudioResampler("flt", layout, sample_rate, options=_RESAMPLER)

    def blocks(self, blocks: Iterable[Block], source: Unpacker) -> Iterator[Block]:
        """What comes out for the blocks of a source."""
        for block in blocks:
            packed = np.ascontiguousarray(block.T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=source.layout)
            frame.sample_rate = source.sample_rate
            yield from self._convert(frame)
        yield from self._convert(None)

    def _convert(self, frame: av.AudioFrame | None) -> list[Block]:
        with refuses(self._name, lambda: tr("cannot be resampled"), lambda: tr("export it again")):
            return [
                np.ascontiguousarray(out.to_ndarray().reshape(out.samples, -1).T)
                for out in self._resampler.resample(frame)
            ]
