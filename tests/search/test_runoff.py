"""Who wins a sweep: the best trial, or the default where that is not clearly beaten."""

from pathlib import Path
from threading import Barrier

import pytest

from asd.config.recipe import Branch, Recipe
from asd.data.manifest import Clip, Dataset
from asd.detectors.base import FitContext
from asd.detectors.nets.workers import device
from asd.errors import NotEnoughClipsError
from asd.features.store import FeatureStore
from asd.pipeline.scorer import Scorer
from asd.search import runoff as module
from asd.search.runoff import Runoff, run_off
from asd.search.validation import Validation
from asd.threads import usual_threads


def clip(name: str, split: str) -> Clip:
    fields = {"path": name, "recording": name, "split": split, "sha256": "0" * 64}
    return Clip.model_validate({**fields, "start_s": 0, "duration_s": 1, "label": "normal"})


@pytest.mark.parametrize(
    ("figures", "winner"),
    [
        ({"usual": [0.80, 0.82, 0.78, 0.80]}, "usual"),
        ({"usual": [0.80, 0.82, 0.78, 0.80], "a": [0.85, 0.86, 0.84, 0.85]}, "a"),
        ({"usual": [0.80, 0.82, 0.78, 0.80], "a": [0.95, 0.75, 0.78, 0.80]}, "usual"),
        ({"usual": [0.80, 0.82, 0.78, 0.80], "a": [0.79, 0.81, 0.77, 0.79]}, "usual"),
        ({"usual": [0.8, 0.8], "a": [0.85, 0.84], "b": [0.86, 0.88], "c": [1.0, 0.75]}, "b"),
        ({"usual": [0.8, 0.8], "a": [0.8, 0.8]}, "usual"),
    ],
)
def test_the_default_is_given_up_for_a_clear_gain_only(
    figures: dict[str, list[float]], winner: str
) -> None:
    assert Runoff("usual", figures).winner == winner


def test_the_table_says_by_how_much() -> None:
    runoff = Runoff("usual", {"usual": [0.8, 0.8], "trial 3 knn": [0.8, 0.9]})
    assert runoff.gain("trial 3 knn") == pytest.approx((0.05, 0.05))
    assert runoff.markdown("auc") == [
        "| candidate | folds | auc, mean over folds | gain | standard error |",
        "|---|---:|---:|---:|---:|",
        "| trial 3 knn | 2 | 0.850 | +0.050 | 0.050 |",
        "| usual | 2 | 0.800 | | |",
    ]


def test_a_gain_is_measured_on_the_folds_that_both_were_judged_on() -> None:
    runoff = Runoff("usual", {"usual": [0.8, 0.7, 0.1, 0.1], "a": [0.7, 0.7]})
    assert runoff.gain("a") == pytest.approx((-0.05, 0.05))
    assert runoff.given_up == ["a"]
    assert runoff.winner == "usual", "its mean is that of easier folds"


class Judged:
    """Takes the place of fits: figures of candidates by fold, and who was judged in which order."""

    def __init__(self, **figures: list[float]) -> None:
        self.figures, self.asked = figures, list[str]()

    def __call__(self, recipe: Recipe, *_: object) -> float:
        self.asked.append(recipe.model)
        figure = self.figures[recipe.model][self.asked.count(recipe.model) - 1]
        if figure < 0:
            raise NotEnoughClipsError("too few clips")
        return figure


@pytest.mark.parametrize(
    ("figures", "asked", "winner"),
    [
        ({"knn": [0.8] * 4, "gmm": [0.7, 0.7]}, "knn gmm knn gmm", "knn"),
        ({"knn": [0.8] * 4, "gmm": [0.7, 0.95, 0.9, 0.9]}, "knn gmm " * 4, "gmm"),
        ({"knn": [0.8] * 4, "gmm": [0.7, 0.85], "patch": [0.9] * 4},
         "knn gmm patch " * 2 + "knn patch " * 2, "patch"),
        ({"knn": [0.8] * 4, "gmm": [0.9, -1], "patch": [0.7, 0.9]},
         "knn gmm patch " * 2, "knn"),
        ({"knn": [0.8, -1], "gmm": [0.9, 0.9]}, "knn gmm knn gmm", None),
    ],
)  # fmt: skip
def test_who_gains_nothing_is_judged_no_further(
    figures: dict[str, list[float]],
    asked: str,
    winner: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged = Judged(**figures)
    monkeypatch.setattr(module._Fits, "_judge", lambda _, *given: judged(*given))
    monkeypatch.setattr(module, "pseudo_anomalies", lambda held, *_: held)
    train = Dataset(tmp_path, tuple(clip(f"{n}.wav", "train") for n in range(8)))
    valid = Dataset(tmp_path, (clip("8.wav", "valid"),))
    sides = Validation(train, valid, valid, "proxy")
    candidates = {name: Recipe(label=name, branches=(Branch(model=name),)) for name in figures}
    runoff = run_off(candidates, "knn", sides, "auc", 0.1, tmp_path)
    assert judged.asked == asked.split()
    assert (runoff and runoff.winner) == winner


def test_what_is_held_out_tells_no_network_when_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []

    def fit(recipe: Recipe, train: Dataset, valid: Dataset, *_: object) -> Scorer:
        seen.append((len(train.clips), len(valid.clips)))
        raise NotEnoughClipsError(recipe.label)

    monkeypatch.setattr(Scorer, "fit", fit)
    monkeypatch.setattr(module, "pseudo_anomalies", lambda held, *_: held)
    train = Dataset(tmp_path, tuple(clip(f"{n}.wav", "train") for n in range(8)))
    valid = Dataset(tmp_path, (clip("8.wav", "valid"),))
    candidates = {name: Recipe(label=name, branches=(Branch(model="cnn"),)) for name in "ab"}
    sides = Validation(train, valid, valid, "proxy")
    assert run_off(candidates, "a", sides, "auc", 0.1, tmp_path) is None
    assert seen == [(7, 0)] * 2


def test_candidates_are_fitted_side_by_side_each_with_its_share_of_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = Barrier(2, timeout=60)
    shares: list[int | None] = []

    def judge(_: object, recipe: Recipe, *given: object) -> float:
        context = given[-1]
        assert isinstance(context, FitContext)
        assert not context.progress
        shares.append(context.jobs)
        together.wait()
        return float(recipe.label == "cnn")

    monkeypatch.setattr(module._Fits, "_judge", judge)
    recipes = {name: Recipe(label=name, branches=(Branch(model=name),)) for name in ("cnn", "lstm")}
    stores = dict.fromkeys(recipes, FeatureStore(tmp_path))
    empty = Dataset(tmp_path, ())
    side = Validation(empty, empty, empty, "proxy")
    judged = module._Fits("auc", 0.1, stores, at_once=2).judged(recipes, side)
    assert list(judged) == [("cnn", 1.0), ("lstm", 0.0)]
    assert shares == [max(1, usual_threads() // 2)] * 2


@pytest.mark.parametrize(("models", "at_once"), [("cnn,lstm", True), ("cnn,gmm", False)])
def test_all_candidates_have_to_leave_each_other_the_interpreter(
    models: str, at_once: bool
) -> None:
    names = models.split(",")
    recipes = [Recipe(label=name, branches=(Branch(model=name),)) for name in names]
    on_processor = device().type == "cpu"
    assert module._at_once(recipes) == (usual_threads() if at_once and on_processor else 1)
