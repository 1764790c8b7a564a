"""What another unit sounds otherwise is taken off before it is judged."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from asd.arrays import Samples
from asd.config.recipe import Branch, Recipe
from asd.config.threshold import ThresholdConfig
from asd.data.manifest import Clip, Dataset
from asd.evaluation.metrics import auc
from asd.features.clipset import ClipSet
from asd.features.store import FeatureStore
from asd.files import file_digest
from asd.pipeline.branches import make_front_end
from asd.pipeline.equaliser import Equaliser
from asd.pipeline.pipeline import Pipeline
from tests.pipeline.conftest import RATE, hum

Plant = Callable[..., Dataset]

FEATURES = {"n_mels": 32, "sample_rate": RATE}
FRONT_END = make_front_end(Branch(model="knn", features=FEATURES))
N_ROWS = 32


def row(recording: str) -> Clip:
    return Clip(
        path="x.wav",
        recording=recording,
        start_s=0,
        duration_s=1,
        split="train",
        label="normal",
        sha256="0" * 64,
    )


def clips_of(spectra: np.ndarray, recordings: list[str] | None = None) -> ClipSet:
    """Clips that sound all the time as their spectra, one recording each where not named."""
    names = recordings or [f"r{number}" for number in range(len(spectra))]
    clips = [np.repeat(own[:, None], 4, axis=1).astype(np.float32) for own in spectra]
    return ClipSet(clips, [row(name) for name in names])


def fitted(spectra: np.ndarray) -> Equaliser:
    equaliser = Equaliser.fit(FRONT_END, clips_of(spectra))
    assert equaliser is not None
    return equaliser


rng = np.random.default_rng(5)
LEARNED = rng.normal(0, 1, (300, N_ROWS))
"""Spectra of the unit learned from, in dB."""
OTHERWISE = rng.normal(0, 4, N_ROWS)
"""What the other unit has more of, in dB."""


def test_what_the_other_unit_has_more_of_is_told() -> None:
    moved = fitted(LEARNED).moved(clips_of(LEARNED[:20] + OTHERWISE))
    assert_allclose(moved.shift, OTHERWISE, atol=1.2)
    assert np.corrcoef(moved.shift, OTHERWISE)[0, 1] > 0.99
    assert moved.size_db == pytest.approx(np.sqrt((OTHERWISE**2).mean()), rel=0.1)


def test_clips_are_heard_without_it() -> None:
    equaliser = replace(fitted(LEARNED), shift=OTHERWISE)
    own = LEARNED[7] - FRONT_END.level(clips_of(LEARNED)[7])
    [heard] = equaliser.heard(clips_of((own + OTHERWISE)[None]), FRONT_END)
    assert_allclose(heard[:, 0], own, atol=1e-4)


def test_the_unit_learned_from_is_heard_as_it_is() -> None:
    clips = clips_of(LEARNED[:3])
    assert fitted(LEARNED).heard(clips, FRONT_END) is clips


@given(st.integers(0, 200), st.integers(2, 12))
def test_no_more_is_taken_off_than_chance_leaves(seed: int, n_recordings: int) -> None:
    """Never more than the difference of the means; of the same unit, hardly anything."""
    draw = np.random.default_rng(seed)
    others = draw.normal(0, 1, (n_recordings, N_ROWS))
    moved = fitted(LEARNED).moved(clips_of(others))
    difference = others.mean(axis=0) - LEARNED[::2].mean(axis=0)
    assert np.all(np.abs(moved.shift) <= np.abs(difference) + 1e-6)
    assert moved.size_db < 0.75 / np.sqrt(n_recordings) + 0.1


@pytest.mark.parametrize("recordings", [["one"] * 8, ["one"]])
def test_one_recording_tells_nothing(recordings: list[str]) -> None:
    spectra = LEARNED[: len(recordings)] + OTHERWISE
    assert fitted(LEARNED).moved(clips_of(spectra, recordings)).size_db == 0


def test_values_that_are_not_in_decibels_are_left() -> None:
    front_end = make_front_end(
        Branch(model="knn", features={**FEATURES, "scaling": "clip_max"}),
    )
    assert Equaliser.fit(front_end, clips_of(LEARNED)) is None


def through(room: np.ndarray, samples: Samples) -> Samples:
    return np.asarray(np.convolve(samples, room, "same"), np.float32)


ROOM = np.array([0.0, 0.0, 1.0, 0.7, -0.5, 0.4, 0.0])
"""Another room: some bands louder by up to 9 dB, others fainter."""


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Dataset], Dataset]:
    """Give the function that takes recordings to the other room."""

    def moved(data: Dataset) -> Dataset:
        root, clips = tmp_path_factory.mktemp("other"), []
        for clip in data.clips:
            samples = soundfile.read(data.file(clip), dtype="float32")[0]
            soundfile.write(root / clip.path, through(ROOM, samples), RATE, "FLOAT")
            digest = file_digest(root / clip.path)
            clips.append(clip.model_copy(update={"sha256": digest}))
        return Dataset(root, tuple(clips))

    return moved


def recipe(*branches: Branch) -> Recipe:
    threshold = ThresholdConfig.parse({"false_alarm_rate": 0.1})
    return Recipe(label="mine", branches=branches, threshold=threshold)


TWO = recipe(
    Branch(model="patch", features={"n_mels": 32}),
    Branch(model="knn", features={"n_mels": 32}, tilt_db=8),
)


@pytest.fixture(scope="module")
def learned(plant: Plant, store: FeatureStore) -> Pipeline:
    return Pipeline.fit(TWO, plant(9, 0), plant(3, 100, "valid"), store)[0]


def scores_of(pipeline: Pipeline, data: Dataset) -> np.ndarray:
    sounds = [soundfile.read(data.file(clip), dtype="float32")[0] for clip in data.clips]
    return np.array([pipeline.judge_sounds([sound], [""])[0][0] for sound in sounds])


def test_faults_of_a_unit_in_another_room_are_told_from_its_normal_sound(
    learned: Pipeline,
    plant: Plant,
    other: Callable[[Dataset], Dataset],
    store: FeatureStore,
    tmp_path: Path,
) -> None:
    normal = other(plant(6, 200, "valid"))
    well, ill = other(plant(5, 300, "test")), other(plant(5, 400, "test", "anomaly"))
    moved = learned.recalibrated(normal, store)
    assert moved.scorer.shift_db > 2
    assert auc(scores_of(moved, well), scores_of(moved, ill)) > 0.99
    home = learned.recalibrated(plant(6, 200, "valid"), store)
    assert home.scorer.shift_db < 1
    away = np.median(scores_of(moved, well)) - np.median(scores_of(home, plant(5, 300, "test")))
    assert abs(away) < 0.5 * (moved.threshold.value - np.median(scores_of(moved, well)))
    moved.save(tmp_path)
    loaded = Pipeline.load(tmp_path)
    assert_array_equal(scores_of(loaded, well), scores_of(moved, well))
    assert_allclose(loaded.score(well, store), scores_of(moved, well), rtol=1e-6)


def test_each_recording_is_scored_without_its_own_say(
    learned: Pipeline, plant: Plant, other: Callable[[Dataset], Dataset], store: FeatureStore
) -> None:
    normal = other(plant(4, 200, "valid"))
    recipe_of, mine = learned.recipe, normal.clips[0].recording
    moved, scores = learned.scorer.for_unit(recipe_of, normal, store)
    rest = normal.select(lambda clip: clip.recording != mine)
    told = learned.scorer.for_unit(recipe_of, rest, store)[0]
    own = normal.select(lambda clip: clip.recording == mine)
    rows = told._branch_scores(told._features(own, store))
    assert_allclose(scores[: len(own.clips)], moved.fusion(rows), rtol=1e-9)


def test_of_two_recordings_only_the_threshold_is_fitted(
    learned: Pipeline, plant: Plant, other: Callable[[Dataset], Dataset], store: FeatureStore
) -> None:
    moved = learned.recalibrated(other(plant(2, 200, "valid")), store)
    assert moved.scorer.shift_db == 0
    assert moved.threshold.value != learned.threshold.value


def test_it_is_told_anew_each_time(
    learned: Pipeline, plant: Plant, other: Callable[[Dataset], Dataset], store: FeatureStore
) -> None:
    """A model that was moved to one unit and then to another is as if moved there at once."""
    normal, home = other(plant(4, 200, "valid")), plant(6, 200, "valid")
    at_once = learned.recalibrated(home, store)
    after = learned.recalibrated(normal, store).recalibrated(home, store)
    assert_array_equal(scores_of(after, home), scores_of(at_once, home))


def test_a_model_that_does_not_know_its_spectrum_gets_a_threshold(
    plant: Plant, other: Callable[[Dataset], Dataset], store: FeatureStore
) -> None:
    """Models of releases before, and features that are not in decibels."""
    branch = Branch(model="knn", features={"n_mels": 32, "scaling": "clip_max"})
    pipeline, _ = Pipeline.fit(recipe(branch), plant(9, 0), plant(3, 100, "valid"), store)
    assert pipeline.scorer.equalisers == {}
    moved = pipeline.recalibrated(other(plant(4, 200, "valid")), store)
    assert moved.threshold.value != pipeline.threshold.value


def test_sounds_are_the_same_one_by_one_and_together(
    learned: Pipeline, plant: Plant, other: Callable[[Dataset], Dataset], store: FeatureStore
) -> None:
    moved = learned.recalibrated(other(plant(4, 200, "valid")), store)
    sounds = [through(ROOM, hum(seed, 2)) for seed in (1, 2, 3)]
    together = moved.scorer.score_samples(sounds)
    assert_array_equal(together, [moved.scorer.score_samples([sound])[0] for sound in sounds])
