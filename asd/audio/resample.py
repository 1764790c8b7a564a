"""Turn the frames of a track into blocks of one rate and layout."""

from collections.abc import Callable, Iterator

import av
import numpy as np
from numpy.typing import NDArray

from asd.audio.refusal import refuses
from asd.language import tr

# Longer filter than the default (32 taps, cutoff 0.97 but -18 dB at 1.04 of the new Nyquist
# frequency): flat to 0.94 of Nyquist, aliases below -100 dB from 1.04 on; costs little.
_RESAMPLER = {"filter_size": "128", "cutoff": "0.97", "rematrix_maxval": "1.0"}
# Codecs give a thousand samples at a time; handing over many at once saves a fifth to half.
_SAMPLES_AT_ONCE = 16384
_PADDING_FRAMES = 3
"""Most frames of a codec that are padding; what goes on for longer is sound."""


class Resampler:
    """Blocks of one rate and layout from decoded frames.

    Parameters
    ----------
    name : str
        What to call the recording in messages.
    sample_rate : int
        Of the blocks, in Hz.
    layout : str or None
        FFmpeg's name of the channel layout of the blocks; None to leave it.
    ends_s : float or None
        Where the sound ends and padding of the codec begins, in seconds; None where not stated.
    remark : callable
        Gets a sentence when `ends_s` turns out to be wrong.
    """

    def __init__(
        self,
        name: str,
        sample_rate: int,
        layout: str | None,
        ends_s: float | None,
        remark: Callable[[str], None],
    ) -> None:
        self._name, self._rate, self._ends_s, self._remark = name, sample_rate, ends_s, remark
        # Packed samples: PyAV 18.1 cannot exchange planar ones of 8 channels or more.
        self._resampler = av.AudioResampler(
            "flt", layout, sample_rate, _SAMPLES_AT_ONCE, options=_RESAMPLER
        )
        self._left = None if ends_s is None else round(ends_s * sample_rate)
        self._padding: list[NDArray[np.float32]] = []
        self._most_padding = 0.0

    def blocks(self, frame: av.AudioFrame | None) -> Iterator[NDArray[np.float32]]:
        """What comes out for a frame, ``(channels, n)`` each; the rest for None.

        Raises
        ------
        AudioError
            Rate or channels change midway.
        """
        if frame is not None:
            samples = _PADDING_FRAMES * frame.samples * self._rate / frame.sample_rate
            self._most_padding = max(self._most_padding, samples)
        for block in self._convert(frame):
            for part in self._without_padding(block):
                if part.size:
                    yield part

    def _convert(self, frame: av.AudioFrame | None) -> list[NDArray[np.float32]]:
        with refuses(
            self._name,
            lambda: tr("sample rate or channels change midway"),
            lambda: tr("export it again"),
        ):
            return [
                np.asarray(out.to_ndarray(), np.float32).reshape(out.samples, -1).T
                for out in self._resampler.resample(frame)
            ]

    def _without_padding(self, block: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        if self._left is None:
            yield block
            return
        sound, rest = block[:, : self._left], block[:, self._left :]
        self._left -= sound.shape[1]
        yield sound
        self._padding.append(rest)
        if sum(part.shape[1] for part in self._padding) > self._most_padding:
            self._remark(f"states {self._ends_s:.2f} s but goes on: read to the end")
            self._left = None
            yield from self._padding
            self._padding = []
