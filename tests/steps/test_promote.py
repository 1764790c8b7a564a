"""Promotion on evidence: who becomes champion, who does not, and what is said of it."""

import json
from pathlib import Path

import mlflow
import pytest

from asd.config.steps import PromoteConfig
from asd.data import manifest
from asd.errors import TrackingError
from asd.steps import promote
from asd.tracking import champions, registry
from asd.tracking.models import ModelRef, load
from asd.tracking.registry import Holders
from tests.shortcuts import scores_here
from tests.steps.promotion import DATA, NAME, RATE, Trained, give, newest, report


def test_a_better_model_is_promoted_and_the_former_champion_kept(trained: Trained) -> None:
    assert give(trained.worse), "there is no champion to beat"
    assert registry.holders(NAME) == Holders("1", None, None)
    assert give(trained.good)
    assert registry.holders(NAME) == Holders("2", "1", None)
    run = newest("promote")
    found = run.data.metrics
    assert found["gain"] == pytest.approx(found["auc"] - found["champion_auc"])
    assert 0 < found["gain_low"] <= found["gain"] <= found["gain_high"]
    assert found["reload_difference"] == 0
    assert run.data.tags["asd.promoted"] == "true"
    assert "champion already" not in report(run)
    assert not give(trained.good), "it is the champion already"
    assert registry.holders(NAME) == Holders("2", "1", None)


def test_a_version_carries_what_it_is_and_how_it_did(trained: Trained) -> None:
    give(trained.good)
    tags = mlflow.MlflowClient().get_model_version(NAME, "1").tags
    dataset = manifest.load(Path(DATA))
    pipeline = load(trained.good)
    assert tags["data.digest"] == tags["data.trained_on"] == dataset.digest
    assert (
        float(tags["metric.auc_low"]) <= float(tags["metric.auc"]) <= float(tags["metric.auc_high"])
    )
    promised = pipeline.threshold.promised_rate
    assert promised is not None
    assert float(tags["threshold.promised_rate"]) == pytest.approx(promised, abs=1e-5)
    settings = json.loads(tags["config"])
    assert (settings["detector"], settings["features.sample_rate"]) == ("knn", RATE)
    assert settings["threshold.method"] == "conformal"
    assert len(tags["config.digest"]) == 16
    assert tags["code.version"] == newest("train").data.tags["asd.version"]
    assert tags["promotion"].startswith("promoted: knn on hum, version 1, became champion of hum")
    assert tags["promotion.run_id"] == newest("promote").info.run_id


def test_a_worse_model_is_refused_with_numbers_and_is_challenger(trained: Trained) -> None:
    give(trained.good)
    assert not give(trained.worse)
    assert registry.holders(NAME) == Holders("1", None, "2")
    run = newest("promote")
    found = run.data.metrics
    said = report(run)
    assert "refused by gain" in said
    assert f"auc {found['auc']:.4f} against {found['champion_auc']:.4f}" in said
    assert f"{found['gain']:+.4f} (95 % interval {found['gain_low']:+.4f}" in said
    assert run.data.tags["asd.gate.gain"].startswith("gain: refused")
    assert "asd.gate.reload" not in run.data.tags, "it could not have changed the decision"
    assert (
        "refused by gain" in (mlflow.MlflowClient().get_model_version(NAME, "2").tags["promotion"])
    )


def test_the_largest_rate_of_the_partial_auc_holds_throughout(trained: Trained) -> None:
    """Up to a rate of 1 the partial AUC is the AUC."""
    wish = {"data": DATA, "metric": "pauc", "max_fpr": 1.0}
    give(trained.worse)
    assert promote.run(PromoteConfig.parse({**wish, "model_uri": trained.good.uri}))
    found = newest("promote").data.metrics
    assert found["pauc"] == pytest.approx(found["auc"])
    champion = newest("evaluate").data.metrics
    assert found["champion_pauc"] == pytest.approx(champion["auc"])
    assert found["gain"] == pytest.approx(found["auc"] - champion["auc"])


def test_a_challenger_that_wins_is_challenger_no_more(trained: Trained) -> None:
    give(trained.worse)
    assert not give(trained.good, min_gain=0.99)
    assert registry.holders(NAME) == Holders("1", None, "2")
    assert give(trained.good)
    assert registry.holders(NAME) == Holders("2", "1", None)


def test_a_slow_model_is_refused(trained: Trained) -> None:
    assert not give(trained.good, max_latency_ms=1e-6)
    assert registry.holders(NAME) == Holders(None, None, "1")
    assert "latency: refused" in report(newest("promote"))


def test_a_model_that_scores_otherwise_after_loading_is_refused(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asd.tracking.fresh.fresh_scores", lambda _, files: [0.0] * len(files))
    assert not give(trained.good)
    assert registry.holders(NAME) == Holders(None, None, "1")
    assert "refused by reload" in report(newest("promote"))


def test_a_model_that_cannot_be_loaded_anew_is_refused(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model: ModelRef, files: list[Path]) -> list[float]:
        raise TrackingError("it cannot be loaded in a new process")

    monkeypatch.setattr("asd.tracking.fresh.fresh_scores", broken)
    assert not give(trained.good)
    assert "reload: refused, it cannot be loaded" in report(newest("promote"))


@pytest.mark.parametrize(
    "part", ["artifacts/pipeline/pipeline.json", "code/asd/pipeline/pipeline.py"]
)
def test_a_changed_file_is_refused(trained: Trained, part: str) -> None:
    give(trained.worse)
    before = registry.holders(NAME)
    [path] = Path("mlruns").rglob(f"{trained.good.model_id}/artifacts/{part}")
    original = path.read_bytes()
    path.write_bytes(original + b"\n")
    try:
        with pytest.raises(TrackingError, match="not those that were logged") as caught:
            give(trained.good)
    finally:
        path.write_bytes(original)
    assert "\n" not in str(caught.value)
    assert newest("promote").info.status == "FAILED"
    assert registry.holders(NAME) == before


def test_a_broken_champion_says_what_to_do(trained: Trained) -> None:
    give(trained.worse)
    [path] = Path("mlruns").rglob(f"{trained.worse.model_id}/artifacts/MLmodel")
    original = path.read_bytes()
    path.write_bytes(b"")
    try:
        with pytest.raises(TrackingError, match=r"champion, version 1 of hum, .* -e rollback"):
            give(trained.good)
    finally:
        path.write_bytes(original)


def test_serving_by_alias_does_not_look_like_tampering(trained: Trained) -> None:
    give(trained.good)
    [folder] = Path("mlruns").rglob(f"{trained.good.model_id}/artifacts")
    mlflow.artifacts.download_artifacts(artifact_uri=champions.address(NAME))
    assert (folder / "registered_model_meta").is_file(), "MLflow has added a file of its own"
    assert load(trained.good).name == "knn"


def test_of_two_promotions_at_once_the_later_is_told(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(model: ModelRef, files: list[Path]) -> list[float]:
        monkeypatch.setattr("asd.tracking.fresh.fresh_scores", scores_here)
        assert give(trained.worse)
        return scores_here(model, files)

    monkeypatch.setattr("asd.tracking.fresh.fresh_scores", overtaken)
    assert not give(trained.good)
    assert registry.holders(NAME) == Holders("1", None, "2")
    tags = mlflow.MlflowClient().get_model_version(NAME, "2").tags
    assert "another promotion made version 1 champion" in tags["promotion"]
    assert give(trained.good), "given again, it is compared with the new champion"
