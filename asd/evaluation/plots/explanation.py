"""What in a sound is unusual, beside the sound itself."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from asd.evaluation.style import new_figure, styled, tidy

TICKS_HZ = (62.5, 125, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000)


@styled
def explanation(
    log_mel: ArrayLike,
    error_map: ArrayLike,
    title: str,
    *,
    sample_rate: int,
    hop_length: int,
    band_hz: ArrayLike,
    level_label: str = "Level (dB)",
) -> Figure:
    """Spectrogram above, and below it how unusual each part of it is.

    Parameters
    ----------
    log_mel : array_like, shape (n_mels, n_frames)
        The sound.
    error_map : array_like, shape (n_mels, n_frames)
        What `Detector.explain` gave for it, >= 0.
    title : str
        The clip's name and score.
    sample_rate : int
        In Hz.
    hop_length : int
        Samples from one frame to the next.
    band_hz : array_like, shape (n_mels,)
        Centre frequency of each band in Hz, rising.
    level_label : str
        What the values of `log_mel` are.
    """
    sound, error = np.asarray(log_mel, dtype=float), np.asarray(error_map, dtype=float)
    centres = np.asarray(band_hz, dtype=float)
    seconds = sound.shape[1] * hop_length / sample_rate
    figure = new_figure(9.0, 6.4)
    upper, lower = figure.subplots(2, 1, sharex=True, sharey=True)
    # A single glaring cell must not leave all others dark.
    brightest = float(np.quantile(error, 0.999)) or 1.0
    for axes, values, colours, limits, label in (
        (upper, sound, "magma", (float(np.quantile(sound, 0.02)), float(sound.max())), level_label),
        (lower, error, "cividis", (0.0, brightest), "Unusualness"),
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
        axes.set_ylabel("Frequency (Hz)")
    _frequency_ticks(lower, centres)
    lower.set_xlabel("Time (s)")
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
