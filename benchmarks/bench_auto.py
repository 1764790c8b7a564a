"""The default on a thousand clips: fitted, calibrated and scored."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from asd.config.recipes import recipe_of
from asd.config.steps import TrainConfig
from asd.data.manifest import Dataset
from asd.features.store import FeatureStore
from asd.pipeline.branches import make_front_end, resolved
from asd.pipeline.pipeline import Pipeline
from benchmarks.bench_training import RATE, data_set, noise
from benchmarks.page import Row
from benchmarks.timing import seconds

CLIPS = 1000
VALID = 5
"""One clip of so many is for validation."""
FIT_S, SCORE_S = 20, 5


def rows() -> Iterator[Row]:
    """Features are in the store before: they are a row of their own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = data_set(folder / "noise", noise(CLIPS))
        store = FeatureStore(folder / "store")
        recipe = resolved(recipe_of(TrainConfig()), RATE)
        front_ends = [make_front_end(branch) for branch in recipe.branches]
        taken = seconds(lambda: [list(store.features(data, one)) for one in front_ends])
        yield f"features of {CLIPS} clips of 10 s", f"{taken:.1f} s"
        fitted: list[Pipeline] = []
        train = Dataset(data.root, data.clips[: -CLIPS // VALID])
        valid = Dataset(data.root, data.clips[-CLIPS // VALID :])
        taken = seconds(lambda: fitted.append(Pipeline.fit(recipe, train, valid, store)[0]))
        yield f"`auto` fitted and calibrated on {CLIPS} clips", f"{taken:.1f} s (aim {FIT_S})"
        taken = seconds(lambda: fitted[0].score(data, store))
        yield f"{CLIPS} clips scored by it", f"{taken:.1f} s (aim {SCORE_S})"
