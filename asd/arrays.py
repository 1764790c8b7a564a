"""Names for arrays, by what they hold and how they lie."""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Sound, ``(n_samples,)``, full scale ±1."""
Spectrogram = NDArray[np.float32]
"""Features of one clip, or a map of it, ``(n_rows, n_frames)``; rows are mel bands mostly."""
Scores = NDArray[np.float64]
"""One anomaly score a clip or window, ``(n,)``, higher = more anomalous."""
Vector = NDArray[np.float64]
"""Numbers of one thing, ``(n_values,)``."""
Matrix = NDArray[np.float64]
"""Numbers of many things, ``(n_things, n_values)``."""
Indices = NDArray[np.intp]
"""Places in a sequence, ``(n,)``."""
