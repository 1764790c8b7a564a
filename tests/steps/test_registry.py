"""The way back, moves at the same moment, and which version a model is."""

import shutil
import threading
from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from asd.config.steps import RollbackConfig, TrainConfig
from asd.errors import AsdError, TrackingError
from asd.steps import rollback, train
from asd.tracking import alive, registry, store
from asd.tracking.registry import Holders
from asd.tracking.runs import STEP_TAG
from asd.tracking.tracked import TrackedRun
from tests.steps.promotion import DATA, NAME, Trained, give


def test_rollback_there_and_back(trained: Trained) -> None:
    with pytest.raises(AsdError, match="no champion yet"):
        rollback.run(RollbackConfig())
    give(trained.worse)
    with pytest.raises(AsdError, match="no previous champion"):
        rollback.run(RollbackConfig())
    give(trained.good)
    assert rollback.run(RollbackConfig()) == "1"
    assert registry.holders(NAME) == Holders("1", "2", None)
    champion = registry.champion(NAME)
    assert champion is not None
    assert champion.model_id == trained.worse.model_id
    assert rollback.run(RollbackConfig()) == "2"
    assert registry.holders(NAME) == Holders("2", "1", None)


def test_pages_say_what_holds_after_a_rollback(trained: Trained) -> None:
    store = mlflow.MlflowClient()
    give(trained.worse)
    give(trained.good)
    first, second = (str(store.get_model_version(NAME, version).description) for version in "12")
    for told in (first, second):
        assert "became champion of hum" in told
        assert "is the champion" not in told
    assert second in store.get_registered_model(NAME).description
    rollback.run(RollbackConfig())
    page = store.get_registered_model(NAME).description
    assert page.startswith("Champion: version 1. Serve it: `mlflow models serve -m models:/hum@")
    assert first in page
    assert second not in page


@pytest.mark.parametrize("moves", [0, 1, 2])
def test_a_rollback_that_was_cut_short_is_finished_and_not_undone(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    give(trained.worse)
    give(trained.good)
    point = registry._point
    left = iter(range(moves))

    def until_killed(*alias: str) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        point(*alias)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(registry, "_point", until_killed)
        patch.setattr(TrackedRun, "report", killed)
        with pytest.raises(KeyboardInterrupt):
            rollback.run(RollbackConfig())
    assert rollback.run(RollbackConfig()) == "1"
    assert registry.holders(NAME) == Holders("1", "2", None)
    assert rollback.run(RollbackConfig()) == "2", "a rollback that was finished is over"


def test_a_rollback_whose_process_was_killed_after_its_end_is_not_undone(trained: Trained) -> None:
    give(trained.worse)
    give(trained.good)
    assert rollback.run(RollbackConfig()) == "1"
    newest = store.recent_runs(f"tags.`{STEP_TAG}` = 'rollback'", 1)[0]
    alive.FOLDER.mkdir(parents=True, exist_ok=True)
    (alive.FOLDER / "dead").write_text(f"{newest.info.run_id} {mlflow.get_tracking_uri()}\n")
    assert rollback.run(RollbackConfig()) == "1"
    assert rollback.run(RollbackConfig()) == "2", "a rollback that was finished is over"


def test_one_of_many_moves_at_the_same_moment_wins(trained: Trained) -> None:
    versions = [registry.register(NAME, model, {}) for model in (trained.good, trained.worse)]
    start = threading.Barrier(len(versions))
    won: dict[str, bool] = {}

    def move(version: str) -> None:
        start.wait()
        won[version] = registry.promote(NAME, version, seen=None)

    threads = [threading.Thread(target=move, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [winner] = [version for version in versions if won[version]]
    assert registry.holders(NAME) == Holders(winner, None, None)


def test_a_registry_that_cannot_be_read_is_not_an_empty_one(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise MlflowException("database is gone")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "get_registered_model", broken)
        with pytest.raises(TrackingError, match="database is gone"):
            give(trained.good)


def test_the_same_files_are_the_same_version(trained: Trained) -> None:
    """Of a training that is given again, because what came after it was cut short."""
    version = registry.register(NAME, trained.good, {})
    again = train.run(TrainConfig(model="knn", data=DATA))
    assert again.model_id != trained.good.model_id
    assert registry.version_of(NAME, again) == version
    assert registry.register(NAME, again, {"promotion": "given again"}) == version
    assert mlflow.MlflowClient().get_model_version(NAME, version).tags["promotion"] == "given again"


def test_other_files_are_no_version_yet(trained: Trained) -> None:
    assert registry.version_of(NAME, trained.good) is None
    first = registry.register(NAME, trained.good, {})
    assert registry.version_of(NAME, trained.worse) is None
    assert registry.register(NAME, trained.worse, {}) != first


@pytest.mark.parametrize("lost", ["gone", "changed"])
def test_a_version_whose_files_are_gone_is_not_the_same(trained: Trained, lost: str) -> None:
    first = train.run(TrainConfig(model="knn", data=DATA))
    version = registry.register(NAME, first, {})
    assert registry.version_of(NAME, trained.good) == version
    [folder] = Path("mlruns").rglob(f"{first.model_id}/artifacts")
    if lost == "gone":
        shutil.rmtree(folder)
    else:
        (folder / "artifacts/pipeline/pipeline.json").write_bytes(b"{}")
    assert registry.version_of(NAME, trained.good) is None
    assert registry.register(NAME, trained.good, {}) != version
    with pytest.raises(TrackingError, match=first.model_id):
        registry.version_of(NAME, first)
