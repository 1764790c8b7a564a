"""The shape in which spectrograms travel between front end, detectors and explanations."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Spectrogram = NDArray[np.float32]

Features = Sequence[Spectrogram]
"""Log-mel spectrograms, one a clip, each ``(n_mels, n_frames_i)`` float32. Clips may differ in
length. An element may be a view into a memory map: do not write to it, and do not gather all
of them at once where they may exceed memory."""
