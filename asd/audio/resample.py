"""Turn the frames of a track into blocks of one rate."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from asd.audio.refusal import refuses
from asd.errors import AudioError
from asd.language import tr

Block = NDArray[np.float32]
"""Samples of one or more channels, ``(channels, n)``, full scale at 1."""

RESAMPLER = "soxr"
"""What resamples, as data sets and models note it: another one leaves other highest bands."""
QUALITY = "HQ"
"""Of soxr: flat to 0.92 of the new Nyquist frequency, and nothing folds back above -130 dB."""
_SAMPLES_AT_ONCE = 1 << 16
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
            own = (frame.format.name, frame.layout.nb_channels, frame.sample_rate)
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
            samples = self._joined(frames)
        full_scale = _SAMPLES[form.packed.name][1]
        if form.packed.name == "u8":
            samples -= full_scale
        if full_scale != 1:
            samples *= np.float32(1 / full_scale)
        return samples

    def _joined(self, frames: list[av.AudioFrame]) -> Block:
        # As `AudioFrame.to_ndarray` does, which takes three times as long; converted on the way.
        form, channels = frames[0].format, self.layout.nb_channels
        kind = _SAMPLES[form.packed.name][0]
        rows, width = (channels, 1) if form.is_planar else (1, channels)
        joined = np.empty((rows, sum(frame.samples for frame in frames) * width), np.float32)
        start = 0
        for frame in frames:
            n = frame.samples * width
            for row, plane in zip(joined, frame.planes, strict=True):
                row[start : start + n] = np.frombuffer(cast(Any, plane), kind, n)
            start += n
        return joined if width == 1 else np.ascontiguousarray(joined.reshape(-1, width).T)


def unpadded(
    blocks: Iterator[Block], source: Unpacker, ends_s: float | None, remark: Callable[[str], None]
) -> Iterator[Block]:
    """Blocks without what decoders add behind the sound.

    Parameters
    ----------
    blocks : iterator of ndarray of shape (channels, n)
        What comes from `source`.
    source : Unpacker
        Knows the rate of the blocks and the frames of the codec.
    ends_s : float or None
        Where the sound ends and padding of the codec begins, in seconds; None where not stated.
    remark : callable
        Gets a sentence when `ends_s` turns out to be wrong.
    """
    if ends_s is None:
        yield from blocks
        return
    begun = n_padding = 0
    padding: list[Block] = []
    for block in blocks:
        left = max(0, round(ends_s * source.sample_rate) - begun)
        begun += block.shape[1]
        if left:
            yield block[:, :left]
        if left < block.shape[1]:
            padding.append(block[:, left:])
            n_padding += block.shape[1] - left
        if n_padding > _PADDING_FRAMES * source.longest_s * source.sample_rate:
            remark(f"states {ends_s:.2f} s but goes on: read to the end")
            yield from padding
            yield from blocks
            return


def resampled(blocks: Iterable[Block], source: Unpacker, sample_rate: int) -> Iterator[Block]:
    """Blocks at another rate; the same samples however the sound is cut into blocks.

    Parameters
    ----------
    blocks : iterable of ndarray of shape (channels, n)
        What came from `source`, of as many channels throughout.
    source : Unpacker
        Knows the rate of the blocks.
    sample_rate : int
        Of what comes out, in Hz.
    """
    stream: soxr.ResampleStream | None = None
    channels = 0
    for block in blocks:
        if source.sample_rate == sample_rate:
            yield block
            continue
        if stream is None:
            channels = len(block)
            stream = soxr.ResampleStream(
                source.sample_rate, sample_rate, channels, np.float32, QUALITY
            )
        yield np.ascontiguousarray(stream.resample_chunk(block.T).T)
    if stream is not None:
        rest = stream.resample_chunk(np.empty((0, channels), np.float32), last=True)
        yield np.ascontiguousarray(rest.T)
