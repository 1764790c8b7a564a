"""How far samples reach."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def peak(samples: NDArray[np.floating[Any]]) -> float:
    """Highest absolute value of samples of any shape; NaN where one is NaN, 0 of none.

    Looks at both ends, which needs no copy of the samples.
    """
    if not samples.size:
        return 0.0
    return float(np.maximum(samples.max(), -samples.min()))
