"""Scores of normal clips by detectors that have not seen their recordings."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from asd.arrays import Indices, Matrix, Scores
from asd.config.recipe import Recipe
from asd.data.manifest import Dataset
from asd.detectors.base import Detector, FitContext
from asd.features.clipset import ClipSet
from asd.features.store import FeatureStore
from asd.language import tr
from asd.parallel import in_threads
from asd.pipeline.branches import make_detector
from asd.pipeline.folds import calibration_folds
from asd.pipeline.hearing import heard, listeners
from asd.progress import ProgressBar


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Scores of normal clips by detectors that have not seen their recordings."""

    scores: Matrix
    """``(n_branches, n_clips)``."""
    n_folds: int
    seconds: float
    """What the further fits took, by the clock."""


def out_of_fold(
    recipe: Recipe,
    clips: Dataset,
    store: FeatureStore,
    context: FitContext | None = None,
    most: int | None = None,
) -> OutOfFold:
    """Score each normal clip by detectors fitted without its session or recording.

    Parameters
    ----------
    recipe : Recipe
        A resolved recipe, as `Scorer.settled` gives it: nothing tells networks when to stop.
    clips : Dataset
        Normal clips.
    store : FeatureStore
        Gives the features.
    context : FitContext, optional
        Circumstances of the fits; epochs are not reported.
    most : int, optional
        Most folds; as many as a calibration takes where not given.

    Raises
    ------
    NotEnoughClipsError
        A fold leaves fewer clips than a detector needs.
    """
    started = time.perf_counter()
    fold_of = calibration_folds(clips.clips, most)
    n_folds = int(fold_of.max()) + 1
    # Epochs of folds say nothing about the detector that is served.
    quiet = replace((context or FitContext()).quiet(), checkpoint_dir=None)
    scores = np.empty((len(recipe.branches), len(clips.clips)))
    sets = heard(*listeners(recipe, clips, store), partial(store.features, clips), {})
    total = len(recipe.branches) * n_folds
    bar = ProgressBar(total=total, desc=tr("calibration folds"), disable=not quiet.progress)
    with unheard(), bar:
        for row, branch, whole in zip(scores, recipe.branches, sets, strict=True):
            make = partial(make_detector, branch, recipe.seed)
            for held_out, held_out_scores in _fold_scores(make, whole, fold_of, quiet):
                row[held_out] = held_out_scores
                bar.update()
    return OutOfFold(scores, n_folds, time.perf_counter() - started)


@contextmanager
def unheard() -> Iterator[None]:
    """What a detector says of itself in each fold is of no use; the served one says it again."""
    speaker = logging.getLogger("asd.detectors")
    before = speaker.level
    speaker.setLevel(logging.WARNING)
    try:
        yield
    finally:
        speaker.setLevel(before)


def _fold_scores(
    make: Callable[[], Detector[Any]], whole: ClipSet, fold_of: Indices, context: FitContext
) -> Iterator[tuple[Indices, Scores]]:
    """Places of the clips of each fold, and their scores by a detector fitted without them."""

    def scored(fold: int) -> tuple[Indices, Scores]:
        inside, held_out = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        detector = make().fit(whole.take(inside), nobody, own)
        return held_out, detector.score(whole.take(held_out))

    nobody = whole.take(fold_of[:0])
    n_folds = int(fold_of.max()) + 1
    at_once = min(n_folds, make().fits_at_once(context))
    own = context.one_of(at_once)
    return in_threads(scored, range(n_folds), at_once)
