"""What in a sound is unusual, beside the sound itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from asd.evaluation.style import drawn, new_figure, styled, tidy
from asd.features.base import Axes as FrontEndAxes
from asd.language import tr

Values = NDArray[np.floating[Any]]
Pixels = NDArray[np.uint8]
"""Red, green, blue and opacity of each pixel, ``(height, width, 4)``."""

TICKS_HZ = (62.5, 125, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000)


@dataclass(frozen=True)
class Scale:
    """Ends of the colour bars of sounds and of what is unusual in them."""

    quietest: float
    loudest: float
    unusual: float

    @classmethod
    def of(cls, sounds: Sequence[Values], maps: Sequence[Values]) -> Self:
        """One scale for several sounds, ``(n_rows, n_frames_i)`` each, and their maps."""
        levels = np.concatenate([np.ravel(sound) for sound in sounds])
        # A single glaring cell, or a single glaring sound, must not leave all others dark.
        brightest = [float(np.quantile(np.asarray(part, float), 0.999)) for part in maps]
        unusual = float(np.quantile(brightest, 0.75)) or 1.0
        return cls(float(np.quantile(levels, 0.02)), float(levels.max()), unusual)


@styled
def explanation(
    sound_map: ArrayLike,
    error_map: ArrayLike,
    meaning: FrontEndAxes,
    scale: Scale,
) -> Figure:
    """Spectrogram above, and below it how unusual each part of it is.

    Parameters
    ----------
    sound_map : array_like, shape (n_rows, n_frames)
        The sound, as its front end gives it.
    error_map : array_like, shape (n_rows, n_frames)
        How unusual each part is, >= 0.
    meaning : asd.features.base.Axes
        What rows, columns and values of `sound_map` are.
    scale : Scale
        Ends of the colour bars, which several sounds share.
    """
    sound, error = np.asarray(sound_map, dtype=float), np.asarray(error_map, dtype=float)
    centres, in_hertz = meaning.rows, meaning.row_unit == "Hz"
    seconds = sound.shape[1] * meaning.seconds_per_frame
    figure = new_figure(9.0, 6.4)
    upper, lower = figure.subplots(2, 1, sharex=True, sharey=True)
    for axes, values, colours, limits, label in (
        (upper, sound, "magma", (scale.quietest, scale.loudest), meaning.value),
        (lower, error, "cividis", (0.0, scale.unusual), tr("Unusualness")),
    ):
        image = tidy(axes, grid=None).imshow(
            values,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            cmap=colours,
            vmin=limits[0],
            vmax=limits[1],
            extent=(0.0, seconds, -0.5, len(centres) - 0.5),
        )
        extend = "max" if values.max() > limits[1] else "neither"
        figure.colorbar(image, ax=axes, label=label, pad=0.01, extend=extend)
        axes.set_ylabel(tr("Frequency (Hz)") if in_hertz else meaning.row_unit.capitalize())
    if in_hertz:
        _frequency_ticks(lower, centres)
    lower.set_xlabel(tr("Time (s)"))
    return figure


class Explanations:
    """Draws `explanation` of one sound after the other, for pages that show many.

    Axes, bars and letters follow from the length of a sound, not from what it holds, and they
    take most of the time: they are drawn once for all sounds of one length.

    Parameters
    ----------
    meaning, scale
        As of `explanation`.
    width : float
        Of the figures, in inches; their letters stay as large as they are.
    """

    def __init__(self, meaning: FrontEndAxes, scale: Scale, width: float) -> None:
        self._meaning, self._scale, self._width = meaning, scale, width
        self._known: dict[tuple[object, ...], _Backdrop] = {}

    def __call__(self, sound: Values, unusual: Values) -> Pixels:
        """The picture of a sound, ``(height, width, 4)``."""
        scale = self._scale
        key = (sound.shape, sound.max() > scale.loudest, unusual.max() > scale.unusual)
        if key not in self._known:
            figure = explanation(sound, unusual, self._meaning, scale)
            width, height = figure.get_size_inches()
            figure.set_size_inches(self._width, self._width * height / width)
            self._known[key] = _Backdrop(figure)
        return self._known[key].with_images((sound, unusual))


class _Backdrop:
    """A figure of two images, all of which but the images is drawn once."""

    def __init__(self, figure: Figure) -> None:
        self._axes = figure.axes[:2]
        for part in chain.from_iterable(map(_over, self._axes)):
            part.set_animated(True)
        self._canvas = drawn(figure)
        self._drawn = self._canvas.copy_from_bbox(figure.bbox)

    def with_images(self, images: Sequence[Values]) -> Pixels:
        self._canvas.restore_region(self._drawn)
        for axes, values in zip(self._axes, images, strict=True):
            axes.images[0].set_data(np.asarray(values, dtype=float))
            for part in _over(axes):
                axes.draw_artist(part)
        return np.array(self._canvas.buffer_rgba())


def _over(axes: Axes) -> list[Artist]:
    """What is drawn last: the image, and the lines of the axes, which lie over its edges."""
    return [axes.images[0], *axes.spines.values()]


def _frequency_ticks(axes: Axes, centres: NDArray[np.float64]) -> None:
    shown: dict[float, float] = {}
    # From the top, because the octaves crowd at the bottom of a mel scale.
    for hz in reversed(TICKS_HZ):
        row = float(np.interp(hz, centres, np.arange(len(centres))))
        lowest = min(shown.values(), default=np.inf)
        if centres[0] <= hz <= centres[-1] and lowest - row > 0.06 * len(centres):
            shown[hz] = row
    axes.set_yticks(list(shown.values()), [f"{hz:g}" for hz in shown])
