"""Scores of normal clips by detectors that their recordings had no say in."""

from collections.abc import Callable
from typing import Any

import pytest
from numpy.testing import assert_array_equal

from asd.config import ThresholdConfig
from asd.config.recipe import Branch, Recipe
from asd.data.manifest import Dataset
from asd.detectors.base import FitContext
from asd.detectors.cnn import Cnn
from asd.detectors.knn import Knn
from asd.features.clipset import ClipSet
from asd.features.store import FeatureStore
from asd.pipeline.branches import resolved
from asd.pipeline.calibration import fit_and_calibrate
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


@pytest.mark.parametrize("branch", [KNN, CNN], ids=lambda branch: str(branch.model))
def test_what_is_scored_has_no_say_in_what_is_learned_or_for_how_long(
    branch: Branch, plant: Plant, store: FeatureStore, seen: Seen
) -> None:
    pool = plant(9, 0)
    found = out_of_fold(one(branch), pool, store, FitContext(jobs=1))
    assert found.n_folds == len(seen) == 9
    scored = [pool.recordings() - learned for learned, _ in seen]
    assert sorted(min(rest) for rest in scored) == sorted(pool.recordings())
    assert [(len(rest), len(aside)) for rest, (_, aside) in zip(scored, seen, strict=True)] == [
        (1, 0)
    ] * 9


@pytest.mark.parametrize("calibration", ["cross", "split"])
@pytest.mark.parametrize("branches", [(CNN,), (CNN, KNN)], ids=["alone", "beside knn"])
def test_the_first_fit_of_a_network_tells_all_further_ones_how_long_to_learn(
    branches: tuple[Branch, ...],
    calibration: str,
    plant: Plant,
    store: FeatureStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    epochs: list[tuple[int, int]] = []
    best: list[int] = []
    plain = Cnn._fit

    def fit(detector: Cnn, train: ClipSet, valid: ClipSet, context: FitContext) -> None:
        plain(detector, train, valid, context)
        epochs.append((len(valid), len(detector.history_)))
        best.append(detector.settled().epochs)

    monkeypatch.setattr(Cnn, "_fit", fit)
    patient = CNN.model_copy(update={"detector": {**CNN.detector, "epochs": 30, "patience": 2}})
    mine = Recipe(
        label="mine",
        branches=tuple(patient if branch is CNN else branch for branch in branches),
        threshold=ThresholdConfig.parse({"calibration": calibration}),
        seed=3,
    )
    train, valid = plant(4, 0), plant(2, 4)
    fit_and_calibrate(resolved(mine, RATE), train, valid, store, FitContext(jobs=1))
    assert epochs[0][0] == len(valid.clips)
    folds = 6 + 1 if calibration == "cross" else 4 if len(branches) > 1 else 0
    assert epochs[1:] == [(0, best[0])] * folds
