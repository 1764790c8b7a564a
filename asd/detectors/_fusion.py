"""Scores of several judges on one scale, found on normal clips alone."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from asd.arrays import Indices, Scores
from asd.detectors._patches import group_blocks

_FOLDS = 4
_LEAST_SHARE = 1e-3
"""Share of the typical score below which scores are alike: a clip that was trained on has 0."""
_LEAST_SPREAD = 0.01
"""Smallest spread of the logarithms of held-out scores: 1 %."""


def folds(groups: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Clips to fit on and clips to score, four times; each clip is scored once.

    Folds are runs of recordings in their order: neighbours in time are alike.

    Parameters
    ----------
    groups : ndarray of shape (n_clips,)
        Number of the recording that each clip is of.

    Examples
    --------
    >>> [(fit.tolist(), score.tolist()) for fit, score in folds(np.arange(4))][:2]
    [([1, 2, 3], [0]), ([0, 2, 3], [1])]
    """
    fold_of = group_blocks(len(groups), _FOLDS, groups)
    for fold in range(fold_of.max() + 1):
        yield np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)


def centre_and_spread(held_out: Scores) -> tuple[float, float]:
    """Mean and standard deviation of the logarithms of held-out scores of normal clips.

    Scores are distances, whose ratios mean something: where all of a new machine lies ten times
    as far away as usual, it is the same step on the scale of each judge. A judge whom new
    recordings of the healthy machine alarm has a large spread, and thereby less of a say.

    Parameters
    ----------
    held_out : ndarray of shape (n_clips,)
        Not negative.
    """
    typical = float(held_out.mean())
    if typical == 0:
        return 0.0, 1.0  # clips that are all the same leave no scale; this one is finite
    logs = np.log(np.maximum(held_out, _LEAST_SHARE * typical))
    return float(logs.mean()), max(float(logs.std()), _LEAST_SPREAD)


def standardise(
    scores: NDArray[np.float64], centre: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Logarithms of each judge's scores less their centre, in units of their spread.

    Parameters
    ----------
    scores : ndarray of shape (n_judges, n_clips)
        Not negative.
    centre, spread : ndarray of shape (n_judges,)
        Of `centre_and_spread`.
    """
    logs = np.log(np.maximum(scores, _LEAST_SHARE * np.exp(centre[:, None])))
    standardised: NDArray[np.float64] = (logs - centre[:, None]) / spread[:, None]
    return standardised


def fuse(standardised: NDArray[np.float64]) -> Scores:
    """One score a clip: the logarithm of the mean exponential of standardised scores.

    About their mean where judges agree, and that of the one most alarmed where they do not.

    Parameters
    ----------
    standardised : ndarray of shape (n_judges, n_clips)
        Of `standardise`.

    Returns
    -------
    ndarray of shape (n_clips,), float64
    """
    fused: Scores = logsumexp(standardised, axis=0) - np.log(len(standardised))
    return fused
