"""What in a sound is unusual, beside the sound itself."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from asd.evaluation.style import new_figure, styled, tidy
from asd.features.base import Axes as FrontEndAxes
from asd.language import tr

TICKS_HZ = (62.5, 125, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000)


@styled
def explanation(
    sound_map: ArrayLike, error_map: ArrayLike, title: str, meaning: FrontEndAxes
) -> Figure:
    """Spectrogram above, and below it how unusual each part of it is.

    Parameters
    ----------
    sound_map : array_like, shape (n_rows, n_frames)
        The sound, as its front end gives it.
    error_map : array_like, shape (n_rows, n_frames)
        How unusual each part is, >= 0.
    title : str
        The clip's name and score.
    meaning : asd.features.base.Axes
        What rows, columns and values of `sound_map` are.
    """
    sound, error = np.asarray(sound_map, dtype=float), np.asarray(error_map, dtype=float)
    centres, in_hertz = meaning.rows, meaning.row_unit == "Hz"
    seconds = sound.shape[1] * meaning.seconds_per_frame
    quietest = float(np.quantile(sound, 0.02))
    figure = new_figure(9.0, 6.4)
    upper, lower = figure.subplots(2, 1, sharex=True, sharey=True)
    # A single glaring cell must not leave all others dark.
    brightest = float(np.quantile(error, 0.999)) or 1.0
    for axes, values, colours, limits, label in (
        (upper, sound, "magma", (quietest, float(sound.max())), meaning.value),
        (lower, error, "cividis", (0.0, brightest), tr("Unusualness")),
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
        figure.colorbar(image, ax=axes, label=label, pad=0.01)
        axes.set_ylabel(tr("Frequency (Hz)") if in_hertz else meaning.row_unit.capitalize())
    if in_hertz:
        _frequency_ticks(lower, centres)
    lower.set_xlabel(tr("Time (s)"))
    upper.set_title(title)
    return figure


def _frequency_ticks(axes: Axes, centres: NDArray[np.float64]) -> None:
    shown: dict[float, float] = {}
    # From the top, because the octaves crowd at the bottom of a mel scale.
    for hz in reversed(TICKS_HZ):
        row = float(np.interp(hz, centres, np.arange(len(centres))))
        lowest = min(shown.values(), default=np.inf)
        if centres[0] <= hz <= centres[-1] and lowest - row > 0.06 * len(centres):
            shown[hz] = row
    axes.set_yticks(list(shown.values()), [f"{hz:g}" for hz in shown])
