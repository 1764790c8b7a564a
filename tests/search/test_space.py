"""The search space: ranges beside fields, narrowed and widened by hand."""

from typing import Any

import optuna
import pytest

from asd.config import LogMelConfig
from asd.config.steps import SweepConfig
from asd.detectors import detector_class, names
from asd.errors import ConfigError
from asd.search.candidates import Candidates
from asd.search.space import Axis, Choices, Range, Space, axes_of


def space_of(rate: int = 16000, **config: Any) -> dict[str, Any]:
    found = Candidates(SweepConfig.parse(config), rate).space
    return {axis.key: axis.dimension for axis in found.axes}


def suggested(space: Space, seed: int = 0, trials: int = 30) -> list[dict[str, Any]]:
    sampler = optuna.samplers.RandomSampler(seed=seed)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=sampler)
    return [space.suggest(study.ask()) for _ in range(trials)]


def test_ranges_stand_beside_the_fields() -> None:
    found = space_of(model="knn")
    assert found["detector.k"] == Range(1, 16, log=True, integer=True)
    assert found["detector.distance"] == Choices(("euclidean", "manhattan"))
    assert found["features.n_fft"] == Choices((512, 1024, 2048, 4096))
    assert "features.scaling" not in found


@pytest.mark.parametrize("name", names())
def test_every_detector_can_be_swept_and_its_defaults_lie_within(name: str) -> None:
    candidates = Candidates(SweepConfig.parse({"model": name}), 16000)
    [defaults] = candidates.defaults()
    own = {key: value for key, value in defaults.items() if not key.startswith("threshold.")}
    searched = {axis.key for axis in candidates.space.axes}
    assert set(candidates.space.inside(own)) == searched
    for values in suggested(candidates.space, trials=5):
        recipe = candidates.recipe(values)
        assert (recipe.label, recipe.model) == (name, name)


def test_a_field_with_a_value_is_not_searched() -> None:
    found = space_of(model="knn", detector={"k": 3}, features={"n_fft": 1024})
    assert {"detector.k", "features.n_fft"}.isdisjoint(found)


@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        ("detector.k", "2,4", Range(2, 4, log=True, integer=True)),
        ("detector.k", "1,2,8", Choices((1, 2, 8))),
        ("detector.k", [3], Choices((3,))),
        ("detector.distance", "manhattan", Choices(("manhattan",))),
        ("features.level", "power,none,rms", Choices(("power", "none", "rms"))),
        ("features.n_fft", "256,512", Choices((256, 512))),
        ("features.f_max", "3000,6000", Choices((3000.0, 6000.0))),
        ("features.power", "1,2", Range(1, 2, integer=True)),
    ],
)
def test_ranges_are_narrowed_and_widened(key: str, given: Any, expected: Any) -> None:
    group, field = key.split(".")
    assert space_of(model="knn", space={group: {field: given}})[key] == expected


def test_frequencies_above_half_the_sample_rate_are_left_out() -> None:
    assert space_of(16000, model="knn")["features.f_max"] == Choices((None, 2000.0, 4000.0))
    assert space_of(6000, model="knn")["features.f_max"] == Choices((None, 2000.0))
    assert "features.f_max" not in space_of(2000, model="knn")


def test_several_detectors_are_a_condition_of_their_fields() -> None:
    candidates = Candidates(SweepConfig.parse({"model": "knn,gmm"}), 16000)
    for values in suggested(candidates.space):
        present = {key.split(".")[1] for key in values if key.startswith("detector.")}
        assert present == {values["detector"]}


def test_the_threshold_is_searched_for_f1_alone() -> None:
    assert not any(key.startswith("threshold.") for key in space_of(model="knn"))
    candidates = Candidates(SweepConfig.parse({"model": "knn", "metric": "f1"}), 16000)
    used = {
        "conformal": "false_alarm_rate",
        "mean_std": "k",
        "quantile": "quantile",
        "gamma": "quantile",
    }
    for values in suggested(candidates.space):
        own = {key for key in values if key.startswith("threshold.")}
        assert own == {"threshold.method", f"threshold.{used[str(values['threshold.method'])]}"}


def test_the_size_of_a_grid_is_the_number_of_its_points() -> None:
    space = Space(
        (
            Axis("a", Choices(("x", "y"))),
            Axis("b", Range(1, 16, log=True, integer=True), ("a", ("x",))),
            Axis("c", Choices((True, False))),
        )
    )
    points = {tuple(sorted(values.items())) for values in suggested(space.grid(), trials=400)}
    assert space.size() == len(points) == 2 * (4 + 1)


def test_a_range_out_of_the_fields_own_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^space\.features\.n_mels='0': .* 2$"):
        axes_of(LogMelConfig, "features.", {}, {"features.n_mels": "0,64"})


def test_known_detectors_have_ranges() -> None:
    for name in ("knn", "gmm", "ocsvm", "cnn", "lstm"):
        assert axes_of(detector_class(name).Config, "detector.", {}, {})
