"""Many detectors on many data sets in one table."""

from pathlib import Path

import mlflow
import pytest

from asd import cluster
from asd.config.recipes import read_recipes
from asd.config.steps import CompareConfig, FitConfig, PreprocessConfig
from asd.errors import AsdError
from asd.pipeline.branches import resolved
from asd.steps import compare, preprocess
from asd.tracking.outcomes import STEP
from tests.steps.conftest import all_runs

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def two_sets(recordings: Path) -> str:
    """Two data sets of the same recordings."""
    for seconds in (1, 2):
        wish = {"source": str(recordings), "output": f"data/hum{seconds}", "sample_rate": 8000}
        preprocess.run(PreprocessConfig.parse({**wish, "clip_seconds": seconds}))
    return "data/hum1,data/hum2"


def test_every_detector_meets_every_data_set(two_sets: str, workspace: Path) -> None:
    preset = workspace / "wide.yaml"
    preset.write_text("model: knn\ndetector: {k: 3}\nfeatures: {n_mels: 32}\n", encoding="utf-8")
    wish = {"models": f"knn,{preset}", "data": two_sets, "seeds": 3}
    found = compare.run(CompareConfig.parse(wish))
    assert set(found.models) == {"knn", "wide"}
    assert found.data == ["hum1", "hum2"]
    # Nearest neighbours do not depend on the seed: the third time is spared.
    assert [outcome.seed for outcome in found.outcomes] == [42, 43] * 4
    assert all(outcome.metrics["auc"] > 0.9 and outcome.megabytes > 0 for outcome in found.outcomes)

    [experiment] = mlflow.search_experiments(filter_string="name = 'test'")
    runs = mlflow.MlflowClient().search_runs([experiment.experiment_id])
    [parent] = [run for run in runs if run.data.tags["asd.step"] == "compare"]
    nested = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(nested) == 8
    assert {run.data.params["features.n_mels"] for run in nested} == {"32", "128"}
    assert {"auc", "pauc", "fit_seconds", "score_seconds", "megabytes"} <= set(
        nested[0].data.metrics
    )
    assert parent.data.metrics["auc.wide.hum2"] == found.spread("wide", "hum2", "auc").mean
    table = mlflow.artifacts.load_text(f"{parent.info.artifact_uri}/comparison.md")
    assert table.splitlines() == found.markdown()
    files = mlflow.MlflowClient().list_artifacts(parent.info.run_id, "plots")
    assert [Path(item.path).stem for item in files] == [
        "comparison", "leaderboard_hum1", "leaderboard_hum2",
    ]  # fmt: skip
    answer = parent.data.tags["mlflow.note.content"]
    assert "is best on hum1.** It is ahead of" in answer
    assert "95 % interval over recordings" in answer
    # For each data set the same as `main` says of the best.
    for part in ("- promises: ", "- misses: ", "- takes ", "Next: "):
        assert answer.count(part) == 2, part
    assert "Train it" in answer


def fits() -> list[mlflow.entities.Run]:
    return [run for run in all_runs() if run.data.tags["asd.step"] == STEP]


def test_a_fit_that_is_done_is_kept_and_says_the_same(
    two_sets: str, caplog: pytest.LogCaptureFixture
) -> None:
    wish = CompareConfig.parse({"models": "knn,mahalanobis", "data": two_sets, "seeds": 2})
    first = compare.run(wish)
    caplog.set_level("INFO", "asd")
    again = compare.run(wish)
    assert "kept: 8 fits done before" in caplog.text
    assert all(outcome.again for outcome in again.outcomes)
    assert again.outcomes == first.outcomes
    assert again.answer(42, 0.1) == first.answer(42, 0.1)
    # What was deleted, in part or as a whole, is done again.
    gone, damaged = fits()[:2]
    mlflow.delete_run(gone.info.run_id)
    Path(damaged.info.artifact_uri.removeprefix("file://"), "outcome.json").write_text("{")
    third = compare.run(wish)
    assert sum(not outcome.again for outcome in third.outcomes) == 2
    assert [one.metrics["auc"] for one in third.outcomes] == [
        one.metrics["auc"] for one in first.outcomes
    ]
    # Another part of the ROC curve is another figure.
    other = wish.model_copy(update={"max_fpr": 0.2, "models": ("knn",)})
    assert not any(outcome.again for outcome in compare.run(other).outcomes)


def test_on_a_cluster_each_contender_is_a_task_and_is_fitted_once(
    two_sets: str, spread: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = CompareConfig.parse({"models": "knn,mahalanobis", "data": two_sets, "seeds": 1})
    found = compare.run(wish)
    assert spread.count("contenders") == 5, "one of four is given to another worker"
    assert len(fits()) == 4
    [parent] = {run.data.tags["mlflow.parentRunId"] for run in fits()}
    assert mlflow.get_run(parent).data.tags["asd.step"] == "compare"
    for run in fits():
        mlflow.delete_run(run.info.run_id)
    monkeypatch.setattr(cluster, "is_connected", lambda: False)
    here = compare.run(wish)
    order = [(one.model, one.data, one.seed) for one in here.outcomes]
    assert [(one.model, one.data, one.seed) for one in found.outcomes] == order
    for one, other in zip(found.outcomes, here.outcomes, strict=True):
        assert one.table is not None
        assert other.table is not None
        assert one.table.scores.tolist() == other.table.scores.tolist()


def test_presets_of_the_originals_can_be_compared() -> None:
    names = ("cnn", "gmm", "lstm", "ocsvm")
    words = [str(PROJECT / "configs" / f"original-{name}.yaml") for name in names]
    config = CompareConfig.parse({"models": ",".join(words), "data": "any"})
    shared = FitConfig(features=config.features, seed=config.seed)
    recipes = read_recipes(config.models, shared, {})
    assert [recipe.label for recipe in recipes] == [f"original-{name}" for name in names]
    branches = [branch for recipe in recipes for branch in resolved(recipe, 16000).branches]
    assert {branch.features["scaling"] for branch in branches} == {"clip_max"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"models": "magic"}, "model='magic': unknown model"),
        ({"models": "knn,knn"}, "models: knn stands twice"),
        ({"models": "absent.yaml"}, "config=absent.yaml: cannot be read"),
        ({"data": "data/absent"}, "data/absent: no data set here"),
        ({"data": ""}, "data=.*must hold at least 1"),
    ],
)
def test_mistakes_are_found_before_any_work(
    two_sets: str, fields: dict[str, str], expected: str
) -> None:
    with pytest.raises(AsdError, match=expected):
        compare.run(CompareConfig.parse({"models": "knn", "data": two_sets, **fields}))
