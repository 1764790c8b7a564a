"""A champion a machine: named, kept apart, and found again."""

from pathlib import Path

import mlflow
import pytest

from asd.config import cli
from asd.config.steps import (
    MainConfig,
    PreprocessConfig,
    PromoteConfig,
    RecalibrateConfig,
    RollbackConfig,
    ScoreConfig,
    TrainConfig,
)
from asd.data.sources import folder_name
from asd.errors import AsdError
from asd.steps import preprocess, promote, recalibrate, rollback, score, train
from asd.steps.prepare import machine_of
from asd.tracking import champions, registry
from asd.tracking.models import ModelRef
from asd.tracking.registry import Holders


@pytest.fixture
def machines(recordings: Path) -> dict[str, ModelRef]:
    """A detector of each of two machines."""
    trained = {}
    for name in ("motor", "burner"):
        wish = {"source": str(recordings), "output": f"data/{name}", "clip_seconds": 1}
        preprocess.run(PreprocessConfig.parse({**wish, "seed": len(name)}))
        trained[name] = train.run(TrainConfig(model="knn", data=f"data/{name}"))
    return trained


def give(model: ModelRef, **fields: object) -> bool:
    return promote.run(PromoteConfig.parse({"model_uri": model.uri, **fields}))


def test_two_machines_have_a_champion_each(
    machines: dict[str, ModelRef],
) -> None:
    assert give(machines["motor"])
    assert give(machines["burner"]), "the motor's champion is no rival of it"
    assert champions.champions() == {"burner": "1", "motor": "1"}
    assert registry.champion("motor") == machines["motor"]
    with pytest.raises(AsdError, match=r"2 machines have a champion \(burner, motor\).*name="):
        score.run(ScoreConfig(source="recordings/normal"))
    verdicts = score.run(ScoreConfig(source="recordings/abnormal", name="motor"))
    assert all(verdict.is_anomaly for verdict in verdicts.values())
    with pytest.raises(AsdError, match=r"name=pump: has no champion; .*burner, motor"):
        score.run(ScoreConfig(source="recordings/normal", name="pump"))


def test_a_champion_is_not_judged_by_another_machines_data(machines: dict[str, ModelRef]) -> None:
    give(machines["motor"], name="pump")
    with pytest.raises(AsdError, match=r"was made for motor.*name=burner.*across_data=true"):
        give(machines["burner"], name="pump")
    assert registry.holders("pump") == Holders("1", None, None)
    give(machines["burner"], name="pump", across_data=True)
    assert registry.holders("pump") != Holders("1", None, None), "compared all the same"


def test_rollback_and_challenger_are_those_of_the_machine(machines: dict[str, ModelRef]) -> None:
    give(machines["burner"])
    first, second = machines["motor"], train.run(TrainConfig(model="gmm", data="data/motor"))
    give(first)
    give(second, min_gain=1)
    assert registry.holders("motor") == Holders("1", None, "2")
    registry.promote("motor", "2", "1")
    assert rollback.run(RollbackConfig(name="motor")) == "1"
    assert registry.holders("motor") == Holders("1", "2", None)
    assert registry.holders("burner") == Holders("1", None, None)
    tags = mlflow.MlflowClient().get_model_version("motor", "2").tags
    assert "is champion" not in tags["promotion"], "it is champion no more"


def test_a_recalibrated_model_is_for_the_other_unit(
    machines: dict[str, ModelRef], recordings: Path
) -> None:
    give(machines["motor"])
    wish = {"source": str(recordings), "output": "data/motor-2", "clip_seconds": 1}
    preprocess.run(PreprocessConfig.parse(wish))
    moved = recalibrate.run(RecalibrateConfig(data="data/motor-2"))
    assert mlflow.get_run(moved.run_id).data.metrics["unit_shift_db"] >= 0
    assert give(moved, data="data/motor-2")
    assert champions.champions() == {"motor": "1", "motor-2": "1"}


def test_a_store_with_one_champion_for_all_machines_goes_on(
    machines: dict[str, ModelRef],
) -> None:
    version = registry.register(champions.LEGACY, machines["motor"], {"data.name": "motor"})
    registry.promote(champions.LEGACY, version, None)
    assert score.run(ScoreConfig(source="recordings/abnormal"))
    again = train.run(TrainConfig(model="gmm", data="data/motor"))
    give(again, min_gain=1)
    assert registry.holders(champions.LEGACY) == Holders("1", None, "2")
    give(machines["burner"])
    assert champions.champions() == {champions.LEGACY: "1", "burner": "1"}


@pytest.mark.parametrize("step", [ScoreConfig, RecalibrateConfig])
def test_a_model_and_a_machine_are_not_both_given(step: type[ScoreConfig]) -> None:
    other = "source" if step is ScoreConfig else "data"
    with pytest.raises(AsdError, match=r"name=motor is not used"):
        cli.load(step, ["--model_uri", "x", "--name", "motor", f"--{other}", "there"])


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("motor-pitched-noised", "motor"),
        ("ガス 設備", "ガス-設備"),
        ("a/b@c'd", "a-b-c-d"),
        ("-", "machine"),
    ],
)
def test_a_machine_is_named_after_its_data(data: str, name: str) -> None:
    assert champions.machine_name(data) == name


def test_sources_of_one_name_get_folders_of_their_own(workspace: Path) -> None:
    names = {}
    for place in ("one", "two"):
        (workspace / place / "motor").mkdir(parents=True)
        names[place] = machine_of(MainConfig(source=f"{place}/motor"))
    assert names["one"] == "motor"
    assert names["two"].startswith("motor-")
    assert machine_of(MainConfig(source="one/motor")) == "motor", "the same source, the same name"
    assert machine_of(MainConfig(source="two/motor", name="fan")) == "fan"
    assert folder_name(workspace, "/elsewhere/motor", "motor") == "motor"
