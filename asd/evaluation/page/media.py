"""Pictures and sounds inside a page."""

import base64
import io

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from asd.arrays import Samples
from asd.audio.encode import mp3_bytes
from asd.audio.peak import peak
from asd.evaluation.style import drawn

MOST_SOUND_S = 20.0
"""Longer sounds are cut off on the page."""
PAGE_BYTES = 13_000_000
"""Room for sounds and pictures on a page; what does not fit is left out, and said so."""
INCHES = 6.0
"""Width of pictures: their letters can then be read on a phone."""
_PEAK = 0.9
_QUALITY = 60


class Room:
    """What a page may still hold.

    Parameters
    ----------
    n_bytes : int
        Of all that is put in.
    """

    def __init__(self, n_bytes: int = PAGE_BYTES) -> None:
        self.left = n_bytes

    def take(self, content: str) -> str:
        """`content` where there is room for it, an empty text where there is none."""
        if len(content) > self.left:
            return ""
        self.left -= len(content)
        return content


def picture(figure: Figure) -> str:
    """A figure as a data URI, a WebP image `INCHES` wide."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(INCHES, INCHES * height / width)
    return image(np.asarray(drawn(figure).buffer_rgba()))


def image(pixels: NDArray[np.uint8]) -> str:
    """A picture, ``(height, width, 4)``, as a data URI, a WebP image."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="webp", quality=_QUALITY)
    return _uri("image/webp", content.getvalue())


def audio(samples: Samples, sample_rate: int) -> str:
    """The first `MOST_SOUND_S` of a sound as a data URI, an MP3, brought to full level."""
    part = samples[: round(MOST_SOUND_S * sample_rate)]
    highest = peak(part) or 1.0
    return _uri("audio/mpeg", mp3_bytes(part * np.float32(_PEAK / highest), sample_rate))


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
