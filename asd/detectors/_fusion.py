"""Scores of several judges on one scale, found on normal clips alone."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from asd.detectors._patches import blocks
from asd.detectors.base import Scores

_FOLDS = 4
_LEAST_SPREAD = 0.01
"""Smallest spread of held-out scores, relative to their mean."""


def folds(n_clips: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Clips to fit on and clips to score, four times; each clip is scored once.

    Folds are blocks of clips in order, so that clips of one recording seldom stand on both sides.

    Examples
    --------
    >>> [(fit.tolist(), score.tolist()) for fit, score in folds(4)][:2]
    [([1, 2, 3], [0]), ([0, 2, 3], [1])]
    """
    fold_of = blocks(n_clips, _FOLDS)
    for fold in range(fold_of.max() + 1):
        yield np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)


def centre_and_spread(held_out: Scores) -> tuple[float, float]:
    """Mean and standard deviation of held-out scores of normal clips.

    A judge whom new recordings of the healthy machine alarm has a large spread, and thereby less
    of a say.
    """
    centre = float(held_out.mean())
    # Clips that are all the same leave no spread; 1 keeps scores finite.
    return centre, max(float(held_out.std()), _LEAST_SPREAD * abs(centre)) or 1.0


def join(standardised: NDArray[np.float64]) -> Scores:
    """One score a clip: the logarithm of the mean exponential of standardised scores.

    About their mean where judges agree, and that of the one most alarmed where they do not.

    Parameters
    ----------
    standardised : ndarray of shape (n_judges, n_clips)
        Scores less their centre, in units of their spread.

    Returns
    -------
    ndarray of shape (n_clips,), float64
    """
    joined: Scores = logsumexp(standardised, axis=0) - np.log(len(standardised))
    return joined
