"""One detector over all machines, or one a machine.

A detector of its own hears what is unusual *for that machine*, and learns from fewer recordings.
Which of the two is better is told without anomalies: held-out clips of the machine are compared
with the same clips in which a few bands are a little louder.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from sklearn.metrics import roc_auc_score

from asd.arrays import Spectrogram
from asd.config.recipe import Recipe
from asd.data.manifest import Clip, Dataset
from asd.errors import NotEnoughClipsError
from asd.features.clipset import ClipSet
from asd.features.store import FeatureStore
from asd.pipeline.branches import make_front_end
from asd.pipeline.folds import unit_of
from asd.pipeline.scorer import Scorer

RAISED_SHARE = 8
"""One in so many rows of the features is raised to make a pseudo-anomaly."""
RAISED_BY = 0.5
"""By how much, in standard deviations of the row over the machine's clips: hard to hear, so that
the figure does not saturate."""
LEAST_GAIN = 0.02
"""Area under the ROC that an own detector has to gain; less is chance on a few dozen clips."""
COPIES = 4
"""Pseudo-anomalies a clip."""

Sides = tuple[Dataset, Dataset]


def machine_sides(train: Dataset, valid: Dataset) -> dict[str, Sides]:
    """The clips of each machine on both sides; of a machine that has clips on both."""
    names = sorted({c.machine for c in train.clips} & {c.machine for c in valid.clips})
    return {
        name: (
            train.select(lambda clip, name=name: clip.machine == name),  # type: ignore[misc]
            valid.select(lambda clip, name=name: clip.machine == name),  # type: ignore[misc]
        )
        for name in names
    }


def with_own_detector(
    recipe: Recipe, train: Dataset, valid: Dataset, store: FeatureStore
) -> tuple[dict[str, Sides], str]:
    """Machines that get a detector of their own, and what the user should know of the choice.

    Parameters
    ----------
    recipe : Recipe
        A resolved recipe. With ``per_machine=true`` it is each machine that has training and
        validation clips. With ``auto`` each whose recordings promise the rate asked for, if own
        detectors tell raised clips better than the one over all does, by `LEAST_GAIN` in the mean.
    train, valid : Dataset
        Normal clips of all machines.
    store : FeatureStore
        Gives the features.
    """
    if recipe.per_machine == "false":
        return {}, ""
    sides = machine_sides(train, valid)
    if len({clip.machine for clip in train.clips + valid.clips}) < 2:
        return {}, f"per_machine={recipe.per_machine}: there is one machine only"
    if recipe.per_machine == "true":
        return sides, ""
    least = math.ceil(1 / recipe.threshold.false_alarm_rate - 1e-9) - 1
    enough = {name: both for name, both in sides.items() if _units(both) >= least}
    if not enough:
        return {}, f"per_machine=auto: one detector for all, no machine has {least} recordings"
    try:
        gain = _gain(recipe, train, enough, store)
    except NotEnoughClipsError as error:
        return {}, f"per_machine=auto: one detector for all ({error})"
    figures = f"AUC {gain:+.3f} on held-out clips with raised bands"
    if gain < LEAST_GAIN:
        return {}, f"per_machine=auto: one detector for all; one a machine: {figures}"
    return enough, f"per_machine=auto: one detector a machine, {figures}"


def _units(sides: Sides) -> int:
    return len({unit_of(clip) for side in sides for clip in side.clips})


def _gain(recipe: Recipe, train: Dataset, machines: dict[str, Sides], store: FeatureStore) -> float:
    """Mean over machines of how much better their own detectors tell raised clips."""
    nobody = Dataset(train.root, ())
    pooled = Scorer.fit(recipe, train, nobody, store)
    gains = []
    for mine, held_out in machines.values():
        own = Scorer.fit(recipe, mine, nobody, store)
        known = _features(recipe, mine, store)
        heard = _features(recipe, held_out, store)
        raised = _raised(recipe, known, heard)
        gains.append(_auc(own, heard, raised) - _auc(pooled, heard, raised))
    return float(np.mean(gains))


def _auc(scorer: Scorer, normal: list[ClipSet], raised: list[ClipSet]) -> float:
    below, above = scorer.score_features(normal), scorer.score_features(raised)
    truth = np.repeat([0, 1], [len(below), len(above)])
    return float(roc_auc_score(truth, np.concatenate([below, above])))


def _features(recipe: Recipe, clips: Dataset, store: FeatureStore) -> list[ClipSet]:
    return [store.features(clips, make_front_end(branch)) for branch in recipe.branches]


def _raised(recipe: Recipe, known: list[ClipSet], heard: list[ClipSet]) -> list[ClipSet]:
    """Copies of what is heard with some rows raised, the same rows in all branches."""
    sets = []
    for own, clips in zip(known, heard, strict=True):
        spread = np.stack([clip.mean(axis=1) for clip in own]).std(axis=0)
        rng = np.random.default_rng(recipe.seed)
        copies, rows = zip(*_copies(clips, RAISED_BY * spread, rng), strict=True)
        sets.append(ClipSet(copies, rows))
    return sets


def _copies(
    clips: ClipSet, step: Spectrogram, rng: Generator
) -> Iterator[tuple[Spectrogram, Clip]]:
    width = max(1, len(step) // RAISED_SHARE)
    for clip, row in zip(clips, clips.clips, strict=True):
        for first in rng.integers(0, len(step) - width + 1, COPIES):
            copy = clip.copy()
            copy[first : first + width] += step[first : first + width, None]
            yield copy, row
