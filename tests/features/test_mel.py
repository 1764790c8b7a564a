"""The mel filter bank is librosa's."""

import subprocess
import sys
import warnings

import librosa
import numpy as np
import pytest

from asd.features._mel import mel_filters, mel_frequencies


@pytest.mark.parametrize(
    ("rate", "n_fft", "n_mels", "f_min", "f_max"),
    [
        (16000, 1024, 128, 0.0, 8000.0),
        (48000, 4096, 64, 20.0, 20000.0),
        (22050, 2048, 128, 500.0, 11025.0),
        (8000, 255, 40, 1500.0, 3800.0),
        (2000, 128, 16, 0.0, 900.0),
        (1000, 64, 128, 0.0, 500.0),
    ],
)
def test_it_equals_librosa(rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Empty filters")
        expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, fmin=f_min, fmax=f_max)
    filters = mel_filters(rate, n_fft, n_mels, f_min, f_max)
    assert filters.dtype == np.float32
    np.testing.assert_array_equal(filters, expected)
    np.testing.assert_array_equal(
        mel_frequencies(n_mels, f_min, f_max),
        librosa.mel_frequencies(n_mels, fmin=f_min, fmax=f_max),
    )


def test_training_and_serving_load_no_compiler() -> None:
    """Numba, behind librosa, would take a second of every start."""
    program = """
import sys
from asd.steps import train, evaluate
from asd.tracking import serving_model
from asd.features.logmel import LogMel
from asd.config import LogMelConfig
LogMel(LogMelConfig(sample_rate=8000, n_mels=16))
print(sorted({"numba", "librosa", "scipy.signal", "optuna"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
