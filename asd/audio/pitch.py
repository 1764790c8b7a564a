"""Shifting a sound in pitch."""

from typing import Literal

import librosa
import numpy as np
from numpy.typing import NDArray

PitchMethod = Literal["resample", "preserve"]


def shift(
    samples: NDArray[np.float32],
    sample_rate: int,
    semitones: float,
    method: PitchMethod = "resample",
) -> NDArray[np.float32]:
    """Shift a sound by a number of semitones.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        Mono sound.
    sample_rate : int
        Sampling rate in Hz; the result has the same one.
    semitones : float
        Positive is higher; every frequency is multiplied by ``2 ** (semitones / 12)``.
    method : {"resample", "preserve"}
        `resample` plays the sound faster or slower, as a machine that changes speed does: pitch
        and speed change together. `preserve` keeps the speed (phase vocoder of librosa).

    Returns
    -------
    ndarray, shape (m,), float32
        ``m = ceil(n / 2 ** (semitones / 12))`` for `resample`, ``m = n`` for `preserve`. Peaks may
        come out slightly higher than they went in.
    """
    if semitones == 0:
        return samples.astype(np.float32)
    if method == "preserve":
        shifted = librosa.effects.pitch_shift(samples, sr=sample_rate, n_steps=semitones)
    else:
        # The samples are declared to be at a higher or lower rate than they are, and brought back
        # to the true one; the resampler removes what would fold over when shifting upwards.
        declared = sample_rate * 2.0 ** (semitones / 12)
        shifted = librosa.resample(
            samples, orig_sr=declared, target_sr=sample_rate, res_type="soxr_hq"
        )
    return np.asarray(shifted, dtype=np.float32)
