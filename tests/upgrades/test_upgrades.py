"""What each release has left on a disk is opened, used and gone on with by this one."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from asd.config.steps import EvaluateConfig, RollbackConfig, ScoreConfig, SweepConfig
from asd.data.opening import open_dataset
from asd.errors import TrackingError
from asd.steps import evaluate, rollback, score, sweep
from tests.upgrades.make import DATA, KEPT, SWEEP, TRIALS, restore

ARCHIVES = sorted(KEPT.glob("*.tar.xz"))
_TIMED = ("seconds", "latency", "_ms", "per_s")

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.removesuffix(".tar.xz"))
def left(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> MlflowClient:
    """Give the store of a release, in a folder with all that it has left."""
    restore(request.param, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "ASD_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    return MlflowClient()


def evaluations(store: MlflowClient) -> list[dict[str, float]]:
    runs = store.search_runs(
        ["0"], "tags.`asd.step` = 'evaluate'", order_by=["attributes.start_time DESC"]
    )
    return [
        {k: v for k, v in run.data.metrics.items() if not any(t in k for t in _TIMED)}
        for run in runs
        if run.info.status == "FINISHED" and "mlflow.parentRunId" not in run.data.tags
    ]


def test_there_is_something_of_a_release() -> None:
    assert ARCHIVES
    assert sum(path.stat().st_size for path in ARCHIVES) < 500_000 * len(ARCHIVES)


def test_its_champion_says_of_its_data_what_it_said(left: MlflowClient) -> None:
    assert len(open_dataset(DATA).clips) == 28
    [version] = [model.aliases["champion"] for model in left.search_registered_models()]
    evaluate.run(EvaluateConfig(model_uri="models:/hum@champion", data=DATA))
    now, then, *_ = evaluations(left)
    assert then["auc"] > 0.9
    assert {key: now[key] for key in then} == pytest.approx(then, rel=1e-6)
    verdicts = score.run(ScoreConfig(source=f"{DATA}/test"))
    assert len(verdicts) == len(open_dataset(DATA).split("test").clips)
    with pytest.raises(TrackingError, match="no previous champion"):
        rollback.run(RollbackConfig())
    assert str(version) == "1"


def test_its_study_goes_on(left: MlflowClient, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep.run(SweepConfig.parse({**SWEEP, "trials": TRIALS})) is None, "it was over"
    assert sweep.run(SweepConfig.parse({**SWEEP, "trials": TRIALS + 1})) is not None
    trials = left.search_runs(["0"], "tags.`asd.step` = 'trial'")
    assert len(trials) == TRIALS + 1
