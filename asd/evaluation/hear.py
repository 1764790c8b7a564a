"""Hear the difference: a clip, the normal clip most like it, and the unusual part alone."""

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from asd.arrays import Matrix, Samples, Spectrogram
from asd.audio.peak import peak
from asd.data.manifest import Dataset
from asd.features.base import Axes
from asd.files import file_digest
from asd.pipeline.explain import Explanation, on_grid
from asd.pipeline.pipeline import Pipeline
from asd.pipeline.usual import HIGH, describing

_LOUDEST = 0.9
_LEAST_GAIN = 0.3
"""A sound of which no cell passes this is as usual: there is nothing to hear alone."""


def unusual_part(
    pipeline: Pipeline, samples: Samples, explanation: Explanation, machine: str | None = None
) -> Samples | None:
    """The unusual part of a sound alone, as loud as it gets.

    Cells of the spectrogram pass as far as they are above what is usual in their band (spectral
    subtraction) and as the detector finds them unusual.

    Parameters
    ----------
    pipeline : Pipeline
        What judged the sound.
    samples : ndarray of shape (n_samples,)
        At the rate of the front ends.
    explanation : Explanation
        Of these samples.
    machine : str, optional
        Machine that they are of.

    Returns
    -------
    ndarray of shape (n_samples,) or None
        None where nothing was added to the usual sound: what is missing cannot be heard.
    """
    mask = soft_mask(pipeline, samples, explanation, machine)
    if mask is None:
        return None
    rate = pipeline.scorer.sample_rate
    part = masked(samples, mask, describing(rate).axes(), rate)
    highest = peak(part)
    return part * np.float32(_LOUDEST / highest) if highest > 0 else None


def soft_mask(
    pipeline: Pipeline, samples: Samples, explanation: Explanation, machine: str | None = None
) -> Spectrogram | None:
    """What passes of each mel band and frame, 0 to 1; the parameters are those of `unusual_part`.

    Returns
    -------
    ndarray of shape (n_bands, n_frames) or None
    """
    own = pipeline.of_machine(machine)
    front_end = describing(own.scorer.sample_rate)
    sound = front_end(samples)
    gain: Matrix = np.ones(sound.shape)
    if own.usual is not None:
        usual = own.usual.expected(sound).profile[HIGH, :, None]
        gain = np.clip(1 - np.power(10, (usual - sound) / 10), 0, 1)
    unusual = on_grid(explanation.unusual, explanation.axes, front_end.axes(), sound.shape[1])
    if unusual is not None:
        most = float(np.quantile(unusual, 0.99)) or 1.0
        gain = gain * np.sqrt(np.clip(unusual / most, 0, 1))
    mask = np.asarray(gaussian_filter(gain, 0.7), np.float32)
    return mask if float(mask.max()) > _LEAST_GAIN else None


def masked(samples: Samples, mask: Spectrogram, axes: Axes, sample_rate: int) -> Samples:
    """A sound of which only what a mask lets through is left, ``(n_samples,)``.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        The sound.
    mask : ndarray of shape (n_bands, n_frames)
        0 to 1.
    axes : Axes
        Of the mask: bands in Hz.
    sample_rate : int
        In Hz.
    """
    # Takes long to load, and is needed for pages alone.
    import torch

    hop = max(1, round(axes.seconds_per_frame / 2 * sample_rate))
    size, window = 4 * hop, torch.hann_window(4 * hop, dtype=torch.float64)
    sound = torch.from_numpy(samples.astype(np.float64))
    cells = torch.stft(sound, size, hop, window=window, pad_mode="constant", return_complex=True)
    rows = np.interp(np.fft.rfftfreq(size, 1 / sample_rate), axes.rows, np.arange(len(mask)))
    times = np.arange(cells.shape[1]) * hop / sample_rate / axes.seconds_per_frame
    columns = np.clip(times.round().astype(int), 0, mask.shape[1] - 1)
    cells *= torch.from_numpy(mask[np.ix_(rows.round().astype(int), columns)])
    part = torch.istft(cells, size, hop, window=window, length=len(samples))
    return np.asarray(part, np.float32)


def nearest_file(explanation: Explanation, dataset: Dataset) -> Path | None:
    """The file of the normal clip most like a sound; None where it is not there any more.

    Models hold no sound of their training: the clip is looked for by its content in a data set,
    and then where it was.

    Parameters
    ----------
    explanation : Explanation
        Of the sound.
    dataset : Dataset
        Where to look first.
    """
    nearest = explanation.nearest
    if nearest is None:
        return None
    for clip in dataset.clips:
        if clip.sha256 == nearest.sha256:
            return dataset.file(clip)
    path = Path(nearest.root) / nearest.path
    there = path.is_file() and file_digest(path) == nearest.sha256
    return path if there else None
