"""Types of spectrograms, as front ends give them and detectors take them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

Features = Sequence[FloatArray]
"""Log-mel spectrograms, one a clip, each ``(n_mels, n_frames_i)`` float32. Clips may differ in
length. An element may be read from disk each time that it is asked for: take it once, do not write
to it, and do not gather all of them where they may exceed memory."""
