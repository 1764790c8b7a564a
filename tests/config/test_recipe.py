"""Recipes: what is to be fitted, as YAML, as words and as params."""

import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd.config.cli import load
from asd.config.recipe import Branch, Recipe
from asd.config.recipes import read_recipes, recipe_names, recipe_of
from asd.config.steps import FitConfig, TrainConfig
from asd.errors import ConfigError

words = st.text("abcdefghij-_0123456789", min_size=1, max_size=8)
values = st.one_of(st.booleans(), st.integers(-99, 99), st.text(max_size=5).filter(str.isprintable))
fields = st.dictionaries(words, values, max_size=3)
branches = st.lists(
    st.builds(
        Branch,
        label=words,
        model=words,
        detector=fields,
        features=fields,
        weight=st.floats(0.01, 100),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda branch: branch.label,
)


@given(
    branches=branches,
    fusion=st.sampled_from(["mean", "logmeanexp"]),
    seed=st.integers(0, 2**31),
    label=st.text(min_size=1).filter(str.isprintable),
)
def test_what_is_written_as_yaml_is_what_is_read(
    branches: list[Branch],
    fusion: Any,
    seed: int,
    label: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    recipe = Recipe(label=label, branches=tuple(branches), fusion=fusion, seed=seed)
    path = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    path.write_text(recipe.to_yaml(), encoding="utf-8")
    assert Recipe.read(path) == recipe


def test_a_recipe_of_a_user_is_trained_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "label: mine\n"
        "branches:\n"
        "  - {model: knn, detector: {k: 3}}\n"
        "  - {label: fine, model: patch, features: {n_mels: 64}, weight: 2}\n"
        "fusion: logmeanexp\n",
        encoding="utf-8",
    )
    recipe = recipe_of(load(TrainConfig, ["--config", str(path), "--seed", "7"]))
    assert (recipe.label, recipe.fusion, recipe.seed) == ("mine", "logmeanexp", 7)
    assert recipe.branches == (
        Branch(label="knn", model="knn", detector={"k": 3}),
        Branch(label="fine", model="patch", features={"n_mels": 64}, weight=2),
    )


def test_branches_are_labelled_by_detector_and_numbered_from_the_second_on() -> None:
    recipe = Recipe.parse({"label": "x", "branches": [{"model": m} for m in ("a", "b", "a", "a")]})
    assert [branch.label for branch in recipe.branches] == ["a", "b", "a-2", "a-3"]


@pytest.mark.parametrize(
    ("given_values", "message"),
    [
        ({"label": "x", "branches": []}, "branches"),
        ({"label": "", "branches": [{"model": "knn"}]}, "label"),
        ({"label": "x", "branches": [{"model": ""}]}, r"branches\.model"),
        ({"label": "x", "branches": [{"model": "knn", "weight": 0}]}, r"branches\.weight=0"),
        ({"label": "x", "branches": [{"model": "knn", "label": "a.b"}]}, r"branches\.label='a\.b'"),
        (
            {"label": "x", "branches": [{"model": "a", "label": "y"}, {"model": "y"}]},
            "y stands twice; give each another label",
        ),
        ({"label": "x", "branches": [{"model": "a"}], "fusion": "max"}, "fusion='max'"),
        ({"label": "x", "branches": [{"model": "a"}], "vote": 1}, "vote: unknown key"),
    ],
)
def test_what_is_no_recipe_is_refused_in_one_line(
    given_values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Recipe.parse(given_values)
    assert "\n" not in str(caught.value)


def test_the_name_of_a_model_is_its_detector_or_the_label_of_several() -> None:
    one = Recipe(label="mine", branches=(Branch(model="knn"),))
    two = Recipe(label="mine", branches=(Branch(model="knn"), Branch(model="patch")))
    assert (one.model, two.model) == ("knn", "mine")


def test_params_of_one_branch_have_the_names_they_always_had() -> None:
    branch = Branch(model="knn", detector={"k": 3}, features={"name": "logmel", "n_mels": 64})
    flat = Recipe(label="mine", branches=(branch,), seed=1).flat()
    assert flat["detector"] == "knn"
    assert (flat["detector.k"], flat["features.n_mels"], flat["seed"]) == (3, 64, 1)
    assert flat["threshold.method"] == "conformal"
    assert not {"features.name", "fusion", "label"} & set(flat)


def test_params_of_several_branches_are_named_by_branch() -> None:
    first = Branch(model="knn", detector={"k": 3}, features={"n_mels": 64})
    second = Branch(label="fine", model="patch", features={"name": "other"}, weight=2)
    flat = Recipe(label="mine", branches=(first, second)).flat("a.")
    assert flat["a.detector"] == "mine"
    assert flat["a.fusion"] == "mean"
    assert (flat["a.knn.detector"], flat["a.knn.detector.k"]) == ("knn", 3)
    assert (flat["a.knn.features.n_mels"], flat["a.knn.weight"]) == (64, 1.0)
    assert (flat["a.fine.detector"], flat["a.fine.weight"]) == ("patch", 2.0)
    assert flat["a.fine.features.name"] == "other"


def test_auto_is_a_recipe() -> None:
    assert "auto" in recipe_names()
    recipe = recipe_of(TrainConfig(model="auto"))
    assert (recipe.label, recipe.model) == ("auto", "auto")
    assert len(recipe.branches) > 1


def test_any_other_word_is_a_recipe_of_one_branch() -> None:
    config = TrainConfig(model="knn", detector={"k": "3"}, features={"n_mels": "64"}, seed=5)
    assert recipe_of(config) == Recipe(
        label="knn",
        branches=(Branch(model="knn", detector={"k": "3"}, features={"n_mels": "64"}),),
        seed=5,
    )


def test_the_label_is_the_users_where_there_is_one() -> None:
    assert recipe_of(TrainConfig(model="knn", label="mine")).label == "mine"
    assert recipe_of(TrainConfig(model="knn", label="mine"), "row 1").label == "row 1"
    assert recipe_of(TrainConfig(model="auto"), "row 1").label == "row 1"


def test_fields_of_a_branch_and_of_all_front_ends() -> None:
    config = load(
        TrainConfig, ["--model=auto", "--detector.patch.frames=16", "--features.n_mels=64"]
    )
    usual = recipe_of(TrainConfig(model="auto"))
    recipe = recipe_of(config)
    assert [branch.features for branch in recipe.branches] == [{"n_mels": "64"}] * 4
    changed = {branch.label: branch.detector for branch in recipe.branches}
    before = {branch.label: branch.detector for branch in usual.branches}
    assert changed == {**before, "patch": {**before["patch"], "frames": "16"}}


@pytest.mark.parametrize("detector", [{"k": 3}, {"nonsense": {"k": 3}}, {"knn": 3}])
def test_a_branch_that_does_not_exist_is_told_those_there_are(detector: dict[str, Any]) -> None:
    with pytest.raises(
        ConfigError, match=r"detector\.<branch>\.<field>.*patch, gaussian, knn, mahalanobis"
    ):
        recipe_of(TrainConfig(model="auto", detector=detector))


@pytest.mark.parametrize(
    ("old", "new"), [("normalised", "power"), ("kept", "none")], ids=["normalised", "kept"]
)
@pytest.mark.parametrize("model", ["knn", "auto"])
def test_the_level_of_earlier_releases_is_taken_off_in_the_front_end_with_a_warning(
    old: str, new: str, model: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        recipe = recipe_of(TrainConfig(model=model, detector={"level": old}))
    assert all(branch.features == {"level": new} for branch in recipe.branches)
    assert not any("level" in branch.detector for branch in recipe.branches)
    assert f"detector.level={old} is now features.level={new}" in caplog.text


def test_the_budget_of_earlier_releases_is_left_out_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        recipe = recipe_of(TrainConfig(model="auto", detector={"budget_s": "5"}))
    assert recipe == recipe_of(TrainConfig(model="auto"))
    assert "detector.budget_s is no longer used" in caplog.text


def test_an_explicit_level_wins_over_the_old_one() -> None:
    config = TrainConfig(model="knn", detector={"level": "kept"}, features={"level": "rms"})
    assert recipe_of(config).branches[0].features == {"level": "rms"}


def test_nothing_is_warned_of_where_nothing_is_old(caplog: pytest.LogCaptureFixture) -> None:
    recipe_of(TrainConfig(model="auto", features={"level": "none"}))
    recipe_of(TrainConfig(model="knn", detector={"k": 3}))
    assert not caplog.records


def test_words_are_detectors_recipes_and_files(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "model: gmm\nseed: 3\nthreshold: {k: 1}\nfeatures: {n_mels: 32}\n", encoding="utf-8"
    )
    shared = FitConfig(features={"n_mels": 64}, seed=9)
    auto, knn, mine = read_recipes(
        ["auto", "knn", str(path)], shared, {"knn": {"k": 3}, "auto": {"knn": {"k": 2}}}
    )
    assert [recipe.label for recipe in (auto, knn, mine)] == ["auto", "knn", "mine"]
    assert {recipe.seed for recipe in (auto, knn, mine)} == {9}
    assert all(branch.features == {"n_mels": 64} for branch in (*auto.branches, *knn.branches))
    assert auto.branches[-2].detector == {"density": 0.5, "k": 2}
    assert knn.branches[0].detector == {"k": 3}
    assert mine.branches[0] == Branch(label="gmm", model="gmm", features={"n_mels": 32})
    assert mine.threshold.k == 1


def test_fields_of_a_word_that_is_not_listed_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"detector\.gmm: not among models=auto,knn"):
        read_recipes(["auto", "knn"], FitConfig(), {"gmm": {"k": 3}})
