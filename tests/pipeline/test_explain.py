"""Why a sound is judged as it is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asd.audio.synthesis.sources import SAMPLE_RATE
from asd.config.recipes import recipe_of
from asd.config.steps import TrainConfig
from asd.data.demo.faults import FAULTS
from asd.data.demo.plant import Room, record, start
from asd.data.demo.truth import with_and_without
from asd.data.manifest import Clip, Dataset
from asd.features.store import FeatureStore
from asd.files import file_digest
from asd.pipeline.explain import explain, explain_recording
from asd.pipeline.pipeline import Pipeline
from benchmarks.bench_explain import agrees, share, truth
from tests.pipeline.conftest import RATE, hum


@pytest.fixture(scope="module")
def fitted(plant: Callable[..., Dataset], store: FeatureStore) -> Pipeline:
    """Nearest neighbours on the hum."""
    recipe = recipe_of(TrainConfig(model="knn"))
    return Pipeline.fit(recipe, plant(8, 0), plant(4, 100, "valid"), store)[0]


def test_the_band_and_time_of_a_rattle(fitted: Pipeline) -> None:
    told = explain(fitted, hum(50, 1, (0.4, 0.8)), language="en")
    assert any(low <= 1500 <= high for low, high in told.bands_hz)
    assert share(told.times_s, [(0.35, 0.85)]) > 0.7
    assert "above the usual" in told.sentence
    assert told.unusual.shape[0] == len(told.axes.rows)


def test_loudness_alone_is_not_unusual(fitted: Pipeline) -> None:
    quiet = explain(fitted, hum(51, 1) * np.float32(0.2), language="en")
    assert quiet.finding == explain(fitted, hum(51, 1), language="en").finding


def test_what_is_usual_is_saved_with_the_pipeline(fitted: Pipeline, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    rattle = hum(50, 1, (0.4, 0.8))
    before, after = explain(fitted, rattle), explain(Pipeline.load(tmp_path), rattle)
    assert after.sentence == before.sentence
    assert after.nearest == before.nearest
    assert after.nearest is not None
    assert Path(after.nearest.root, after.nearest.path).is_file()


def test_a_model_of_an_earlier_release_explains_by_its_map(
    fitted: Pipeline, tmp_path: Path
) -> None:
    fitted.save(tmp_path)
    (tmp_path / "usual.npz").unlink()
    old = Pipeline.load(tmp_path)
    told = explain(old, hum(50, 1, (0.4, 0.8)), language="en")
    assert told.nearest is None
    assert told.finding is not None
    assert told.finding.level_db is None


def test_new_clips_of_another_unit_are_what_is_usual_then(
    fitted: Pipeline, plant: Callable[..., Dataset], store: FeatureStore
) -> None:
    moved = fitted.recalibrated(plant(4, 100, "valid"), store)
    nearest = explain(moved, hum(50, 1)).nearest
    assert nearest is not None
    assert nearest.sha256 in {clip.sha256 for clip in plant(4, 100, "valid").clips}


def test_the_worst_window_of_a_recording(fitted: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    samples = hum(99, 8, (5.3, 5.9))
    soundfile.write(path, samples, RATE, "FLOAT")
    told = explain_recording(fitted, path, fitted.judge(path), language="en")
    assert any(low < 1500 < high for low, high in told.bands_hz)
    assert all(5.2 <= start < end <= 6.0 for start, end in told.times_s)
    assert "5.3" in told.sentence
    again = explain_recording(fitted, path.read_bytes(), fitted.judge(path), language="en")
    assert again.sentence == told.sentence


def test_parts_of_a_recording_are_what_the_detectors_heard(
    fitted: Pipeline, tmp_path: Path
) -> None:
    path = tmp_path / "long.wav"
    samples = hum(99, 8)
    soundfile.write(path, samples, RATE, "FLOAT")
    spans = [(5, 6), (0, 8), (7, 8)]
    for (first, last), heard in zip(spans, fitted.parts(path, spans), strict=True):
        np.testing.assert_allclose(heard, samples[first * RATE : last * RATE], atol=1e-6)


def test_sentences_agree_with_the_truth_of_the_demo(tmp_path: Path, store: FeatureStore) -> None:
    room, seconds = Room.draw(np.random.default_rng(0)), 10.0
    clips = []
    for number in range(24):
        rng = np.random.default_rng([7, number])
        path = tmp_path / f"{number}.wav"
        sound = 0.5 * record(start(seconds, rng), room, rng)
        soundfile.write(path, sound, SAMPLE_RATE, "FLOAT")
        side = "train" if number < 18 else "valid"
        clip = Clip(
            path=path.name, recording=path.stem, start_s=0, duration_s=seconds, split=side,
            label="normal", sha256=file_digest(path),
        )  # fmt: skip
        clips.append(clip)
    data = Dataset(tmp_path, tuple(clips))
    recipe = recipe_of(TrainConfig(model="knn"))
    pipeline, _ = Pipeline.fit(recipe, data.split("train"), data.split("valid"), store)

    def share_of(severity: str, takes: int) -> float:
        right = []
        for number, fault in enumerate([*FAULTS] * takes):
            rng = np.random.default_rng([8, number])
            faulty, healthy = with_and_without(fault, severity, seconds, room, rng)
            told = explain(pipeline, faulty, language="en")
            right.append(agrees(told, truth(faulty, healthy, SAMPLE_RATE)))
        return float(np.mean(right))

    assert share_of("strong", 1) >= 0.9
    assert share_of("medium", 2) >= 0.7
