"""Laying one sound over another."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asd.errors import AudioError
from asd.language import tr

with warnings.catch_warnings():
    # pydub speaks of a missing ffmpeg program, which is not needed for what is used of it, of
    # audioop, which audioop-lts replaces from Python 3.13, and of its own escape sequences.
    warnings.filterwarnings("ignore", "Couldn't find ffmpeg", RuntimeWarning)
    warnings.filterwarnings("ignore", "'audioop' is deprecated", DeprecationWarning)
    warnings.filterwarnings("ignore", ".*invalid escape sequence", SyntaxWarning)
    warnings.filterwarnings("ignore", ".*invalid escape sequence", DeprecationWarning)
    from pydub import AudioSegment
    from pydub.silence import detect_leading_silence

SILENCE_BELOW_PEAK_DB = 40.0
"""How far below its peak level a sound counts as silent at its ends."""


def overlay(
    base: NDArray[np.float32], event: NDArray[np.float32], position: int, gain_db: float
) -> tuple[NDArray[np.float32], float]:
    """Lay a sound over another, without clipping.

    Parameters
    ----------
    base : ndarray, shape (n,)
        The sound that is kept in length.
    event : ndarray, shape (m,)
        The sound that is added; what reaches beyond the end of `base` is cut off.
    position : int
        Sample of `base` at which `event` begins, ``0 <= position < n``.
    gain_db : float
        Gain of `event` in dB.

    Returns
    -------
    mixed : ndarray, shape (n,), float32
        Within [-1, 1].
    headroom_db : float
        By how many dB the mix was turned down to stay within full scale; 0 where it fitted.
    """
    if not 0 <= position < len(base):
        raise ValueError(f"position={position} must be in [0, {len(base)})")
    mixed = base.astype(np.float64)
    part = event[: len(base) - position]
    mixed[position : position + len(part)] += part * 10.0 ** (gain_db / 20)
    return within_full_scale(mixed)


def within_full_scale(
    samples: NDArray[np.floating[Any]],
) -> tuple[NDArray[np.float32], float]:
    """Turn a sound down where it would pass full scale.

    Returns
    -------
    samples : ndarray, shape (n,), float32
        Within [-1, 1].
    headroom_db : float
        By how many dB it was turned down; 0 where it fitted.
    """
    peak = float(np.max(np.abs(samples), initial=0.0))
    if peak <= 1.0:
        return samples.astype(np.float32), 0.0
    return (samples.astype(np.float64) / peak).astype(np.float32), 20 * float(np.log10(peak))


def snr_gain_db(base: NDArray[np.float32], event: NDArray[np.float32], snr_db: float) -> float:
    """Gain at which `event` lies `snr_db` below `base`.

    The signal-to-noise ratio is ``20 log10(rms(base) / rms(event))``, each over its own length.

    Raises
    ------
    AudioError
        One of the two is silent, so that no ratio is defined.
    """
    base_rms, event_rms = (
        float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) for sound in (base, event)
    )
    if base_rms == 0.0 or event_rms == 0.0:
        raise AudioError(tr("silence has no signal-to-noise ratio; give noise_gain_db instead"))
    return 20 * float(np.log10(base_rms / event_rms)) - snr_db


def trim_silence(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Cut off silence before and after a sound, in steps of 10 ms.

    Without it, a sound laid at a random place would often begin somewhere else, or lie beyond the
    end of the clip with nothing but its leading silence inside.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        Mono sound.
    sample_rate : int
        Sampling rate in Hz.

    Returns
    -------
    ndarray, shape (m,)
        A view of `samples`; empty where all of it is digital silence.
    """
    peak = float(np.max(np.abs(samples), initial=0.0))
    if peak == 0.0:
        return samples[:0]
    pcm = np.round(samples / peak * 32767).astype("<i2")
    segment = AudioSegment(pcm.tobytes(), sample_width=2, frame_rate=sample_rate, channels=1)
    before, after = (
        round(detect_leading_silence(side, -SILENCE_BELOW_PEAK_DB) * sample_rate / 1000)
        for side in (segment, segment.reverse())
    )
    return samples[before : max(before, len(samples) - after)]
