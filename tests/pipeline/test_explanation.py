"""Where in a recording, and at which frequencies, something unusual is said to be."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asd.config.recipe import Branch, Recipe
from asd.data.manifest import Dataset
from asd.features.base import Axes
from asd.features.store import FeatureStore
from asd.pipeline.explanation import explain, located
from asd.pipeline.pipeline import Pipeline
from tests.pipeline.conftest import RATE, hum

AXES = Axes(np.linspace(100, 4000, 40), "Hz", 0.05, "dB")

SPANS = [(5, 6), (0, 8), (7, 8)]


def unusual(rows: slice, frames: slice) -> np.ndarray:
    values = np.random.default_rng(0).uniform(0.5, 1.0, (40, 100)).astype(np.float32)
    values[rows, frames] += 10
    return values


def test_band_and_time_of_what_stands_out_are_told() -> None:
    found = located(unusual(slice(10, 15), slice(20, 40)), AXES, 30.0, 35.0)
    [(low, high)] = found.bands_hz
    [(start, end)] = found.times_s
    assert low == pytest.approx(1050, abs=60)
    assert high == pytest.approx(1550, abs=60)
    assert start == pytest.approx(31.0, abs=0.1)
    assert end == pytest.approx(32.0, abs=0.1)


def test_what_lasts_is_told_as_the_whole_window() -> None:
    found = located(unusual(slice(10, 15), slice(0, 100)), AXES, 0.0, 4.9)
    assert found.times_s == ((0.0, 4.9),)
    assert len(found.bands_hz) == 1


def test_a_map_in_which_nothing_stands_out_is_told_as_a_whole() -> None:
    for flat in (np.zeros((40, 100), np.float32), np.ones((40, 100), np.float32)):
        found = located(flat, AXES, 0.0, 5.0)
        assert found.times_s == ((0.0, 5.0),)
        assert found.bands_hz == ((100.0, 4000.0),)


def test_two_bands_are_two_and_rows_without_a_unit_have_none() -> None:
    values = unusual(slice(5, 8), slice(0, 100)) + unusual(slice(30, 33), slice(0, 100))
    assert len(located(values, AXES, 0.0, 5.0).bands_hz) == 2
    nameless = Axes(np.arange(40.0), "dimension", 0.05, "value")
    assert located(values, nameless, 0.0, 5.0).bands_hz == ()


def test_a_rattle_in_a_long_recording_is_found_where_it_is(
    plant: Callable[..., Dataset], store: FeatureStore, tmp_path: Path
) -> None:
    features, detector = {"n_mels": 64, "sample_rate": RATE}, {"k": 2}
    branch = Branch(label="knn", model="knn", features=features, detector=detector)
    recipe = Recipe(label="knn", branches=(branch,))
    pipeline, _ = Pipeline.fit(recipe, plant(8, 0), plant(2, 50, "valid"), store)
    path = tmp_path / "long.wav"
    soundfile.write(path, hum(99, 8, (5.3, 5.9)), RATE, "FLOAT")
    found = explain(pipeline, path, pipeline.judge(path))
    assert any(low < 1500 < high for low, high in found.bands_hz)
    assert all(500 < low < high < 3000 for low, high in found.bands_hz)
    assert all(5.2 <= start < end <= 6.0 for start, end in found.times_s)
    assert found == explain(pipeline, path.read_bytes(), pipeline.judge(path))
    whole = soundfile.read(path, dtype="float32")[0]
    for (start, end), heard in zip(SPANS, pipeline.parts(path, SPANS), strict=True):
        assert heard == pytest.approx(whole[start * RATE : end * RATE])
