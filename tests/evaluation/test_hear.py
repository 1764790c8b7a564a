"""The unusual part of a sound alone, and the normal clip most like it."""

from pathlib import Path

import numpy as np
import pytest
from scipy import signal

from asd.arrays import Samples
from asd.config.recipes import recipe_of
from asd.config.steps import TrainConfig
from asd.data.manifest import Dataset
from asd.evaluation.hear import masked, nearest_file, soft_mask, unusual_part
from asd.features.store import FeatureStore
from asd.pipeline.explain import explain
from asd.pipeline.pipeline import Pipeline
from asd.pipeline.usual import describing
from tests.pipeline.conftest import RATE, hum, make_side

SECONDS = 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Normal clips of the hum."""
    root = tmp_path_factory.mktemp("hum")
    train, valid = make_side(root, 10, 0), make_side(root, 4, 100, "valid")
    return Dataset(root, train.clips + valid.clips)


@pytest.fixture(scope="module")
def pipeline(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Nearest neighbours on the hum."""
    store = FeatureStore(tmp_path_factory.mktemp("store"))
    recipe = recipe_of(TrainConfig(model="knn"))
    return Pipeline.fit(recipe, data.split("train"), data.split("valid"), store)[0]


def foreign(kind: str) -> Samples:
    """A sound that is no hum, of the middle of a clip."""
    time = np.arange(SECONDS * RATE) / RATE
    rng = np.random.default_rng(3)
    sound = {
        "whistle": np.sin(2 * np.pi * 2300 * time),
        "hiss": np.diff(rng.standard_normal(len(time) + 1)),
        "knock": np.exp(-60 * (time % 0.25)) * np.sin(2 * np.pi * 1100 * time),
    }[kind]
    return np.asarray(sound * ((time > 0.5) & (time < 1.5)), np.float32)


def ratio_db(fault: Samples, machine: Samples) -> float:
    """Ratio of the energies of two sounds."""
    energies = [float(np.square(sound, dtype=np.float64).sum()) for sound in (fault, machine)]
    return 10 * float(np.log10(energies[0] / energies[1]))


@pytest.mark.parametrize("kind", ["whistle", "hiss", "knock"])
@pytest.mark.parametrize("snr_db", [0.0, 6.0])
def test_a_sound_laid_over_the_machine_is_raised_above_it(
    pipeline: Pipeline, kind: str, snr_db: float
) -> None:
    machine, fault = hum(60, SECONDS), foreign(kind)
    fault = fault * np.float32(10 ** ((-snr_db - ratio_db(fault, machine)) / 20))
    samples = machine + fault
    mask = soft_mask(pipeline, samples, explain(pipeline, samples))
    assert mask is not None
    axes = describing(RATE).axes()
    apart = [masked(sound, mask, axes, RATE) for sound in (fault, machine)]
    assert ratio_db(*apart) - ratio_db(fault, machine) >= 10


def test_a_mask_that_lets_all_through_changes_nothing() -> None:
    samples, front_end = hum(61, SECONDS), describing(RATE)
    mask = np.ones_like(front_end(samples))
    same = masked(samples, mask, front_end.axes(), RATE)
    np.testing.assert_allclose(same, samples, atol=1e-5)


def test_what_is_missing_cannot_be_heard(pipeline: Pipeline) -> None:
    # A clip of the training of which all above 1 kHz is gone.
    lowpass = signal.butter(8, 1000, fs=RATE, output="sos")
    samples = signal.sosfilt(lowpass, hum(3, 4)[:RATE]).astype(np.float32)
    assert unusual_part(pipeline, samples, explain(pipeline, samples)) is None


def test_the_part_is_as_long_as_the_sound_and_loud(pipeline: Pipeline) -> None:
    samples = hum(63, SECONDS) + np.float32(0.1) * foreign("whistle")
    part = unusual_part(pipeline, samples, explain(pipeline, samples))
    assert part is not None
    assert len(part) == len(samples)
    assert np.abs(part).max() == pytest.approx(0.9)


def test_the_nearest_normal_clip_is_known_by_its_content(
    pipeline: Pipeline, data: Dataset, tmp_path: Path
) -> None:
    told = explain(pipeline, hum(64, 1))
    found = nearest_file(told, data)
    assert found is not None
    assert found.parent == data.root
    elsewhere = Dataset(tmp_path, ())
    assert nearest_file(told, elsewhere) == found
    content = found.read_bytes()
    found.write_bytes(b"another sound")
    try:
        assert nearest_file(told, elsewhere) is None
    finally:
        found.write_bytes(content)
