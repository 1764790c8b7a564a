"""Scores of normal clips by detectors that their recordings had no say in."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from asd.config.recipe import Branch, Recipe
from asd.data.manifest import Dataset
from asd.detectors.base import FitContext
from asd.detectors.cnn import Cnn
from asd.detectors.knn import Knn
from asd.features.clipset import ClipSet
from asd.features.store import FeatureStore
from asd.pipeline.branches import resolved
from asd.pipeline.out_of_fold import out_of_fold
from tests.pipeline.conftest import RATE

Plant = Callable[..., Dataset]
Seen = list[tuple[set[str], set[str]]]
"""Recordings learned from, and those that early stopping went by, a fit."""

PATCH = Branch(model="patch", detector={"bank": 200}, features={"n_mels": 32})
KNN = Branch(model="knn", features={"n_mels": 32})
CNN = Branch(model="cnn", detector={"epochs": 2, "channels": 2}, features={"n_mels": 16})


def one(branch: Branch) -> Recipe:
    return resolved(Recipe(label="mine", branches=(branch,), seed=3), RATE)


def recordings(clips: ClipSet) -> set[str]:
    return {clip.recording for clip in clips.clips}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    fits: Seen = []
    for kind in (Cnn, Knn):
        plain = kind._fit

        def fit(detector: Any, train: ClipSet, valid: ClipSet, *more: Any, of: Any = plain) -> None:
            fits.append((recordings(train), recordings(valid)))
            of(detector, train, valid, *more)

        monkeypatch.setattr(kind, "_fit", fit)
    return fits


@pytest.mark.parametrize("branch", [PATCH, CNN], ids=lambda branch: str(branch.model))
def test_folds_in_threads_score_as_one_after_the_other(
    branch: Branch, plant: Plant, store: FeatureStore
) -> None:
    pool = plant(9, 0)
    alone, together = (
        out_of_fold(one(branch), pool, store, FitContext(jobs=jobs)).scores for jobs in (1, 3)
    )
    assert_array_equal(together, alone)


def test_what_is_scored_has_no_say_in_when_a_network_stops(
    plant: Plant, store: FeatureStore, seen: Seen
) -> None:
    pool = plant(9, 0)
    found = out_of_fold(one(CNN), pool, store, FitContext(jobs=1))
    names = pool.recordings()
    assert found.n_folds == len(seen) == 9
    scored = [names - learned - stopped_by for learned, stopped_by in seen]
    assert sorted(min(rest) for rest in scored) == sorted(names)
    for (learned, stopped_by), rest in zip(seen, scored, strict=True):
        assert (len(rest), len(stopped_by), len(learned)) == (1, 1, 7)


def test_other_detectors_learn_from_all_other_folds(
    plant: Plant, store: FeatureStore, seen: Seen
) -> None:
    out_of_fold(one(KNN), plant(9, 0), store, FitContext(jobs=1))
    assert [(len(learned), len(aside)) for learned, aside in seen] == [(8, 0)] * 9


def test_of_two_folds_a_network_learns_from_one_whole(
    plant: Plant, store: FeatureStore, seen: Seen
) -> None:
    found = out_of_fold(one(CNN), plant(9, 0), store, FitContext(jobs=1), most=2)
    assert np.isfinite(found.scores).all()
    assert [len(aside) for _, aside in seen] == [0, 0]
