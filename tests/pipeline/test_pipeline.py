"""The pipeline: fitted once, it says the same of clips, recordings and streams, and from disk."""

import json
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_allclose, assert_array_equal

from asd.config.recipe import Branch, Recipe
from asd.config.threshold import ThresholdConfig
from asd.data.manifest import Dataset
from asd.data.sound import Sound, save_sound
from asd.detectors.base import FitContext
from asd.detectors.cnn import Cnn
from asd.errors import ConfigError, DetectorError, NotEnoughClipsError
from asd.features.clipset import ClipSet
from asd.features.store import FeatureStore
from asd.pipeline.branches import make_detector, make_front_end
from asd.pipeline.calibration import FitReport
from asd.pipeline.folds import calibration_folds, splits
from asd.pipeline.pipeline import Pipeline
from tests.pipeline.conftest import RATE, hum, make_side, together

Plant = Callable[..., Dataset]
Fitted = tuple[Pipeline, FitReport]

KNN = Branch(model="knn", detector={"density": 0.0}, features={"n_mels": 32})
PATCH = Branch(model="patch", detector={"bank": 200}, features={"n_mels": 32}, weight=2)
GMM = Branch(model="gmm", features={"n_mels": 24})
CNN = Branch(model="cnn", detector={"epochs": 2, "channels": 2}, features={"n_mels": 16})


def recipe(*branches: Branch, **fields: Any) -> Recipe:
    threshold = ThresholdConfig.parse({"false_alarm_rate": 0.1, **fields})
    return Recipe(label="mine", branches=branches, threshold=threshold, seed=3)


@pytest.fixture(scope="module")
def one(plant: Plant, store: FeatureStore) -> Fitted:
    return Pipeline.fit(recipe(KNN), plant(9, 0), plant(3, 100, "valid"), store)


@pytest.fixture(scope="module")
def several(plant: Plant, store: FeatureStore) -> Fitted:
    return Pipeline.fit(recipe(KNN, PATCH, GMM), plant(9, 0), plant(3, 100, "valid"), store)


@pytest.fixture(scope="module")
def network(plant: Plant, store: FeatureStore) -> Fitted:
    return Pipeline.fit(
        recipe(CNN, calibration="split"), plant(9, 0), plant(3, 100, "valid"), store
    )


@pytest.fixture
def long_recording(tmp_path: Path) -> Path:
    """Twenty seconds, of which three rattle."""
    path = tmp_path / "long.wav"
    soundfile.write(path, hum(500, 20.5, fault=(8, 11)), RATE, "FLOAT")
    return path


def test_every_field_of_the_recipe_is_filled_in(one: Fitted) -> None:
    [branch] = one[0].recipe.branches
    assert branch.detector == {"k": 1, "distance": "euclidean", "density": 0.0, "density_k": 5}
    assert (branch.features["name"], branch.features["sample_rate"]) == ("logmel", RATE)
    assert (branch.features["n_mels"], branch.features["level"]) == (32, "power")
    assert one[0].recipe.seed == 3


def test_faults_score_higher(
    one: Fitted, several: Fitted, plant: Plant, store: FeatureStore
) -> None:
    normal, faulty = plant(3, 200, "test"), plant(3, 300, "test", "anomaly")
    for pipeline, _ in (one, several):
        assert pipeline.score(faulty, store).min() > pipeline.score(normal, store).max()


@pytest.mark.parametrize("which", ["one", "several", "network"])
def test_comes_back_from_disk_bit_for_bit(
    which: str,
    request: pytest.FixtureRequest,
    plant: Plant,
    store: FeatureStore,
    tmp_path: Path,
    long_recording: Path,
) -> None:
    pipeline: Pipeline = request.getfixturevalue(which)[0]
    pipeline.save(tmp_path / "saved")
    suffixes = {path.suffix for path in (tmp_path / "saved").rglob("*") if path.is_file()}
    assert suffixes <= {".json", ".npz", ".safetensors"}
    moved = tmp_path / "moved to 別の場所"
    shutil.move(tmp_path / "saved", moved)
    loaded = Pipeline.load(moved)
    test = together(plant(3, 200, "test"), plant(3, 300, "test", "anomaly"))
    assert_array_equal(loaded.score(test, store), pipeline.score(test, store))
    assert loaded.judge(long_recording) == pipeline.judge(long_recording)
    for again, before in zip(
        loaded.scorer.explain(test, store), pipeline.scorer.explain(test, store), strict=True
    ):
        assert_array_equal(again, before)
    assert loaded.recipe == pipeline.recipe
    assert loaded.sound == pipeline.sound
    assert loaded.trained_on == pipeline.trained_on
    assert loaded.decision.to_dict() == pipeline.decision.to_dict()
    assert_array_equal(loaded.decision.calibration.scores, pipeline.decision.calibration.scores)


def test_a_clip_is_judged_as_it_is_scored(
    several: Fitted, plant: Plant, store: FeatureStore
) -> None:
    pipeline, _ = several
    test = together(plant(2, 200, "test"), plant(2, 300, "test", "anomaly"))
    judged = [pipeline.judge(test.file(clip)) for clip in test.clips]
    scores = pipeline.score(test, store)
    assert all(len(verdict.windows) == 1 for verdict in judged)
    assert_allclose([verdict.anomaly_score for verdict in judged], scores, rtol=1e-6)
    alarms = pipeline.decision.alarms(scores)
    assert [verdict.windows[0].is_anomaly for verdict in judged] == alarms.tolist()


def test_a_long_recording_is_judged_window_by_window(several: Fitted, long_recording: Path) -> None:
    pipeline, _ = several
    verdict = pipeline.judge(long_recording)
    starts = [window.start_s for window in verdict.windows]
    assert starts[:20] == list(range(20))
    assert verdict.duration_s == pytest.approx(20.5)
    alarmed = {window.start_s for window in verdict.windows if window.is_anomaly}
    assert {8, 9, 10} <= alarmed
    assert 8 <= verdict.worst.start_s < 11
    assert verdict.is_anomaly
    assert verdict.threshold == pipeline.threshold.value
    rate = pipeline.decision.rate
    assert rate is not None
    judged = [(w.p_value, w.is_anomaly) for w in verdict.windows]
    for p_value, is_anomaly in [(verdict.p_value, verdict.is_anomaly), *judged]:
        assert p_value is not None
        assert is_anomaly == (p_value <= rate)
    assert [score for _, _, score in pipeline.stream(long_recording)] == [
        window.anomaly_score for window in verdict.windows
    ]


def test_a_long_recording_of_the_healthy_machine_is_no_anomaly(
    several: Fitted, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "long.wav", hum(501, 20), RATE, "FLOAT")
    verdict = several[0].judge(tmp_path / "long.wav")
    assert not verdict.is_anomaly
    assert not verdict.events


def test_a_file_and_its_content_are_judged_alike(several: Fitted, long_recording: Path) -> None:
    pipeline, _ = several
    assert pipeline.judge(long_recording.read_bytes()) == pipeline.judge(long_recording)


def test_a_clip_longer_than_those_of_the_training_is_judged_by_its_windows(
    several: Fitted, store: FeatureStore, plant: Plant, long_recording: Path
) -> None:
    pipeline, _ = several
    [row, *_] = plant(1, 200, "test").clips
    clip = row.model_copy(update={"path": long_recording.name, "duration_s": 20.5})
    scores = pipeline.score(Dataset(long_recording.parent, (clip,)), store)
    assert_allclose(scores, [pipeline.judge(long_recording).anomaly_score])


def test_a_machine_that_was_not_heard_is_warned_of(several: Fitted, long_recording: Path) -> None:
    pipeline, _ = several
    assert pipeline.judge(long_recording).warnings == ()
    [warning] = pipeline.judge(long_recording, machine="fan").warnings
    assert "fan is not among those of the calibration" in warning


def test_the_channel_of_the_data_set_is_that_of_what_is_judged(
    tmp_path: Path, store: FeatureStore
) -> None:
    train = make_side(tmp_path / "data", 6, 0)
    valid = make_side(tmp_path / "data", 2, 100, "valid")
    save_sound(tmp_path / "data", Sound(sample_rate=RATE, clip_seconds=1, channel=1))
    pipeline, _ = Pipeline.fit(recipe(KNN), train, valid, store)
    pipeline.save(tmp_path / "saved")
    healthy, rattling = hum(200, 1), hum(200, 1, fault=(0, 1))
    mono, stereo = tmp_path / "mono.wav", tmp_path / "stereo.wav"
    soundfile.write(stereo, np.stack([rattling, healthy], axis=1), RATE, "FLOAT")
    soundfile.write(mono, healthy, RATE, "FLOAT")
    expected = Pipeline.load(tmp_path / "saved").scorer.score_samples([healthy])
    assert pipeline.judge(stereo).anomaly_score == pytest.approx(expected[0], rel=1e-5)
    # A clip of the data set has one channel already.
    clip = train.clips[0].model_copy(update={"path": "mono.wav"})
    assert pipeline.score(Dataset(tmp_path, (clip,)), store).shape == (1,)


def test_the_calibration_is_out_of_fold_and_the_served_detector_has_seen_all(
    one: Fitted, plant: Plant, store: FeatureStore
) -> None:
    pipeline, report = one
    pool = together(plant(3, 100, "valid"), plant(9, 0))
    assert report.clips == pool.clips
    assert (report.n_folds, report.n_recordings, report.n_trained_on) == (12, 12, 48)
    # The nearest neighbour of a clip that was learned is that clip; of one held out it is not.
    assert_allclose(pipeline.score(pool, store), 0, atol=1e-3)
    assert report.scores.min() > 0.1
    [branch] = pipeline.recipe.branches
    whole = store.features(pool, make_front_end(branch))
    for inside, outside in splits(calibration_folds(pool.clips)):
        detector = make_detector(branch, 3).fit(whole.take(inside), ClipSet([]))
        assert_array_equal(report.scores[outside], detector.score(whole.take(outside)))


def test_out_of_fold_scores_serve_fusion_and_calibration_alike(several: Fitted) -> None:
    pipeline, report = several
    fusion = pipeline.scorer.fusion
    # Each branch's out-of-fold scores have mean 0 on the common scale, hence so has their mean.
    assert report.scores.mean() == pytest.approx(0, abs=1e-6)
    assert_allclose(fusion.shares, [0.25, 0.5, 0.25])
    assert_array_equal(pipeline.decision.calibration.scores, report.scores)


def test_the_validation_side_tells_a_network_when_to_stop_before_it_learns_from_all(
    plant: Plant, store: FeatureStore
) -> None:
    train, valid = plant(5, 0), plant(3, 100, "valid")
    told: list[Mapping[str, float]] = []
    context = FitContext(on_epoch=lambda _, metrics: told.append(metrics))
    mine = recipe(CNN, calibration="cross")
    pipeline, report = Pipeline.fit(mine, train, valid, store, context)
    assert report.n_trained_on == len(train.clips + valid.clips)
    assert report.n_recordings == 8
    losses = [metrics["valid_loss"] for metrics in told]
    [detector] = pipeline.scorer.detectors
    assert isinstance(detector, Cnn)
    assert len(detector.history_) == losses.index(min(losses)) + 1
    said = [found.branches[0].detector["epochs"] for found in (pipeline.recipe, mine)]
    assert said[0] == said[1], "the recipe stays what the user asked for"


def test_split_calibration_is_by_the_validation_side_alone(
    plant: Plant, store: FeatureStore
) -> None:
    train, valid = plant(9, 0), plant(3, 100, "valid")
    pipeline, report = Pipeline.fit(recipe(KNN, calibration="split"), train, valid, store)
    assert (report.n_folds, report.clips) == (0, valid.clips)
    assert_array_equal(report.scores, pipeline.score(valid, store))


@pytest.mark.parametrize("branches", [(KNN,), (KNN, PATCH)], ids=["one branch", "several"])
def test_best_f1_tells_the_labelled_anomalies_of_the_validation_side(
    branches: tuple[Branch, ...], plant: Plant, store: FeatureStore
) -> None:
    valid = together(plant(3, 100, "valid"), plant(3, 400, "valid", "anomaly"))
    pipeline, report = Pipeline.fit(recipe(*branches, method="best_f1"), plant(9, 0), valid, store)
    known = pipeline.score(plant(3, 400, "valid", "anomaly"), store)
    assert report.scores.max() <= pipeline.threshold.value <= known.min()
    assert pipeline.decision.alarms(known).all()
    assert all(clip.label == "normal" for clip in report.clips)


def test_anomalies_are_not_learned(plant: Plant, store: FeatureStore) -> None:
    train, valid = plant(9, 0), plant(3, 100, "valid")
    mixed = together(train, plant(3, 300, "test", "anomaly"))
    pure, _ = Pipeline.fit(recipe(KNN), train, valid, store)
    other, _ = Pipeline.fit(recipe(KNN), mixed, valid, store)
    test = plant(3, 200, "test")
    assert_array_equal(other.score(test, store), pure.score(test, store))


def test_a_side_without_normal_clips_is_refused(plant: Plant, store: FeatureStore) -> None:
    normal, anomalies = plant(3, 100, "valid"), plant(3, 300, "test", "anomaly")
    with pytest.raises(NotEnoughClipsError, match="no normal train clips"):
        Pipeline.fit(recipe(KNN), anomalies, normal, store)
    with pytest.raises(NotEnoughClipsError, match="no normal valid clips"):
        Pipeline.fit(recipe(KNN), normal, anomalies, store)


@pytest.mark.parametrize(
    ("branches", "message"),
    [
        ((Branch(model="nonsense"),), "model='nonsense': unknown model; known models are.*knn"),
        ((Branch(model="knn", detector={"x": 1}),), r"detector\.x: unknown key"),
        ((KNN, Branch(model="knn", detector={"x": 1})), r"detector\.knn-2\.x: unknown key"),
        ((Branch(model="knn", features={"x": 1}),), r"features\.x: unknown key"),
        ((Branch(model="knn", features={"name": "x"}),), r"features\.name='x': unknown front end"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_before_anything_is_computed(
    branches: tuple[Branch, ...], message: str, plant: Plant, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        Pipeline.fit(
            recipe(*branches), plant(3, 0), plant(3, 100, "valid"), FeatureStore(tmp_path / "none")
        )
    assert not (tmp_path / "none").exists()


@pytest.fixture
def saved(several: Fitted, tmp_path: Path) -> Path:
    several[0].save(tmp_path / "saved")
    return tmp_path / "saved"


def rewrite(path: Path, **values: Any) -> None:
    header = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**header, **values}), encoding="utf-8")


def no_number(path: Path) -> None:
    decision = json.loads(path.read_text(encoding="utf-8"))["decision"]
    rewrite(path, decision={**decision, "threshold": {**decision["threshold"], "value": math.nan}})


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "pipeline.json").unlink(),
        lambda folder: cut(folder / "pipeline.json"),
        lambda folder: (folder / "pipeline.json").write_text("[]"),
        lambda folder: rewrite(folder / "pipeline.json", fusion=None),
        lambda folder: rewrite(folder / "pipeline.json", recipe={"label": "x", "branches": []}),
        lambda folder: rewrite(folder / "pipeline.json", sound={}),
        lambda folder: no_number(folder / "pipeline.json"),
        lambda folder: (folder / "calibration.npz").unlink(),
        lambda folder: cut(folder / "calibration.npz"),
        lambda folder: shutil.rmtree(folder / "branches" / "1"),
        lambda folder: cut(folder / "branches" / "1" / "arrays.npz"),
        lambda folder: shutil.rmtree(folder),
    ],
    ids=[
        "no header",
        "header cut",
        "header of something else",
        "no fusion",
        "no branches",
        "no sound",
        "a threshold that is no number",
        "no calibration",
        "calibration cut",
        "a branch is missing",
        "a branch is cut",
        "nothing",
    ],
)
def test_a_broken_folder_is_refused_in_one_line(
    damage: Callable[[Path], object], saved: Path
) -> None:
    damage(saved)
    with pytest.raises(DetectorError, match=r"not a saved (pipeline|detector)") as caught:
        Pipeline.load(saved)
    assert str(saved) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pipeline_of_a_later_release_is_refused_with_a_remedy(saved: Path) -> None:
    rewrite(saved / "pipeline.json", format=99)
    with pytest.raises(DetectorError, match=r"format 99 by a later release.*update the package"):
        Pipeline.load(saved)


def test_only_the_served_detector_speaks_of_itself(
    plant: Plant, store: FeatureStore, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        Pipeline.fit(recipe(GMM, calibration="cross"), plant(9, 0), plant(3, 100, "valid"), store)
    said = [record.message for record in caplog.records if "principal components" in record.message]
    assert len(said) == 2  # before it is known to pay, and on all clips
    assert len(set(said)) == 2
