"""How a spectrum leans is not heard up to a limit, and is heard beyond it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from asd.audio.perturbation import Change, perturb
from asd.config.recipe import Branch, Recipe
from asd.config.threshold import ThresholdConfig
from asd.data.manifest import Dataset
from asd.errors import ConfigError
from asd.features.clipset import ClipSet
from asd.features.store import FeatureStore
from asd.pipeline.branches import make_front_end
from asd.pipeline.pipeline import Pipeline
from asd.pipeline.tilt import Tilt
from tests.pipeline.conftest import RATE, hum

Plant = Callable[..., Dataset]

FEATURES = {"n_mels": 32, "sample_rate": RATE}
DEAF = Branch(model="knn", features=FEATURES, tilt_db=8.0)
FRONT_END = make_front_end(DEAF)
OCTAVES = np.log2(FRONT_END.axes().rows)
LEAN = (OCTAVES - OCTAVES.mean()) / np.ptp(OCTAVES)
"""One dB more at the highest row than at the lowest."""


def lean_of(clip: np.ndarray) -> float:
    return float(LEAN @ np.median(clip, axis=1) / (LEAN @ LEAN))


rng = np.random.default_rng(4)
NORMAL = [FRONT_END(rng.normal(0, 0.1, RATE).astype(np.float32)) for _ in range(5)]


def fitted(branch: Branch = DEAF) -> Tilt:
    tilt = Tilt.fit(branch, make_front_end(branch), ClipSet(NORMAL))
    assert tilt is not None
    return tilt


def leaning(clip: np.ndarray, lean_db: float) -> np.ndarray:
    moved = clip + (lean_db * LEAN)[:, None].astype(np.float32)
    return np.asarray(moved - np.float32(FRONT_END.level(moved)))


def heard(clip: np.ndarray) -> np.ndarray:
    [only] = fitted().heard(ClipSet([clip]), FRONT_END)
    return np.asarray(only)


def test_a_branch_hears_every_lean_by_default() -> None:
    hears_all = Branch(model="knn", features=FEATURES)
    assert Tilt.fit(hears_all, FRONT_END, ClipSet(NORMAL)) is None


@given(st.floats(-7, 7))
def test_a_lean_within_the_limit_is_not_heard(lean_db: float) -> None:
    assert_allclose(heard(leaning(NORMAL[0], lean_db)), heard(NORMAL[0]), atol=2e-3)


@given(st.floats(9, 30), st.sampled_from([-1, 1]))
def test_what_is_beyond_the_limit_is_heard(lean_db: float, way: int) -> None:
    tilt = fitted()
    own = lean_of(NORMAL[0]) - tilt.usual_db
    rest = own + way * lean_db - way * tilt.most_db
    assert_allclose(
        heard(leaning(NORMAL[0], way * lean_db)), leaning(heard(NORMAL[0]), rest), atol=2e-3
    )


def test_clips_are_brought_to_the_median_lean_of_those_of_the_training() -> None:
    leans = [lean_of(clip) for clip in NORMAL]
    assert fitted().usual_db == pytest.approx(np.median(leans), abs=1e-4)
    [turned] = fitted().heard(ClipSet([leaning(NORMAL[1], 3.0)]), FRONT_END)
    assert lean_of(turned) == pytest.approx(np.median(leans), abs=1e-3)


def test_levels_that_are_not_in_decibels_are_refused() -> None:
    branch = DEAF.model_copy(update={"features": {**FEATURES, "scaling": "clip_max"}})
    with pytest.raises(ConfigError, match=r"^tilt_db: features.name=logmel .* set tilt_db=0"):
        fitted(branch)


def test_another_microphone_changes_scores_less(
    plant: Plant, store: FeatureStore, tmp_path: Path
) -> None:
    """And it is saved with the pipeline, whose scores from disk are the same."""
    bright = Change("bright", "tilt", 6.0)
    sounds = [hum(700 + place, 2) for place in range(4)]
    moved = [perturb(clip, RATE, bright, [], np.random.default_rng(0), 0) for clip in sounds]

    def change(tilt_db: float) -> float:
        branch = Branch(model="patch", features={"n_mels": 32}, tilt_db=tilt_db)
        threshold = ThresholdConfig.parse({"false_alarm_rate": 0.1})
        recipe = Recipe(label="mine", branches=(branch,), threshold=threshold)
        pipeline, _ = Pipeline.fit(recipe, plant(9, 0), plant(3, 100, "valid"), store)
        folder = tmp_path / f"{tilt_db:g}"
        pipeline.save(folder)
        scores = pipeline.scorer.score_samples(sounds), pipeline.scorer.score_samples(moved)
        loaded = Pipeline.load(folder).scorer
        assert_allclose(loaded.score_samples(moved), scores[1], rtol=1e-9)
        return float(np.abs(scores[1] - scores[0]).max())

    assert change(10.0) < 0.3 * change(0.0)
