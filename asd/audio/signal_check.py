"""What is no sound: samples that are no numbers, and silence."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asd.audio.peak import peak
from asd.errors import AudioError
from asd.language import tr

SILENCE_DB = -90.0
"""A recording that never exceeds this level, in dB of full scale, is silent: about one step of
16 bits."""
_SILENCE = 10 ** (SILENCE_DB / 20)
_LOUDEST = 1e12
"""Far beyond whole numbers of 32 bits, which some programs write as floats; the power of more
does not fit into 32 bits."""


class SignalCheck:
    """Refuses samples that are no numbers at once, and silence at the end.

    Parameters
    ----------
    name : str
        The recording, for the message.

    Examples
    --------
    >>> check = SignalCheck("pump.wav")
    >>> check.feed(np.zeros(16000))
    >>> check.finish()
    Traceback (most recent call last):
    asd.errors.AudioError: pump.wav: is silent (never above -90 dBFS); check the microphone, ...
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._peak = 0.0
        self._cancelled = False

    def mixed(self, mean: NDArray[np.float32], channels: NDArray[np.float32]) -> None:
        """Note where the mean of channels is silent and they are not."""
        self._cancelled |= peak(mean) <= _SILENCE < peak(channels)

    def feed(self, block: NDArray[np.floating[Any]]) -> None:
        """Look at the next samples that are used, of any shape.

        Raises
        ------
        AudioError
            A sample is NaN, infinite, or beyond anything that is sound.
        """
        highest = peak(block)
        if not np.isfinite(highest):
            raise AudioError(
                tr("{name}: has NaN or infinite samples; export it again", name=self._name)
            )
        if highest > _LOUDEST:
            raise AudioError(
                tr(
                    "{name}: samples reach {peak:.1e}, 1 is full scale; export it again",
                    name=self._name,
                    peak=highest,
                )
            )
        self._peak = max(self._peak, highest)

    def finish(self) -> None:
        """Judge the whole.

        Raises
        ------
        AudioError
            No sample stood out of silence.
        """
        if self._peak <= _SILENCE and self._cancelled:
            raise AudioError(
                tr(
                    "{name}: its channels cancel, their mean is silent; take one of them for "
                    "the data set with channel=left",
                    name=self._name,
                )
            )
        if self._peak <= _SILENCE:
            raise AudioError(
                tr(
                    "{name}: is silent (never above {level:.0f} dBFS); check the microphone, "
                    "the audio track (stream) and the channel, or remove it",
                    name=self._name,
                    level=SILENCE_DB,
                )
            )
