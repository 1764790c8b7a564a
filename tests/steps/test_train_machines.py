"""A detector for each of many machines; what is done is not done again."""

import shutil
from pathlib import Path

import mlflow
import pytest

from asd.cli.early import check
from asd.config.steps import TrainMachinesConfig
from asd.data import manifest
from asd.errors import AsdError, DataError
from asd.steps import train_machines
from asd.tracking.machines import Trained
from asd.tracking.models import load, resolve
from tests.steps.conftest import HUM, all_runs

WISH = {"model": "knn", "features": {"n_fft": 512, "hop_length": 512}}


@pytest.fixture
def data(workspace: Path, cut_once: Path) -> Path:
    """``data/both`` with two machines in it, and ``data/line/lone`` with one."""
    for name, machines in (("both", ("fan", "pump")), ("line/lone", ("",))):
        made = manifest.load(shutil.copytree(cut_once / HUM, workspace / "data" / name))
        clips = [
            clip.model_copy(update={"machine": machines[number % len(machines)]})
            for number, clip in enumerate(made.clips)
        ]
        manifest.save(made.root, clips)
    return Path("data")


def train(data: str, **fields: object) -> list[Trained]:
    return train_machines.run(TrainMachinesConfig.parse({**WISH, "data": data, **fields}))


def runs_of(step: str) -> list[mlflow.entities.Run]:
    return [run for run in all_runs() if run.data.tags["asd.step"] == step]


def test_each_machine_of_each_data_set_has_a_model_and_figures(data: Path) -> None:
    trained = train("data/both,data/line")
    assert [one.name for one in trained] == ["both-fan", "both-pump", "lone"]
    assert all(one.metrics["auc"] > 0.9 for one in trained)
    for one in trained:
        pipeline = load(resolve(one.model_uri))
        part = next(m for m in manifest.load(Path(pipeline.trained_on.path)).by_machine()
                    if m.name == one.name)  # fmt: skip
        assert (pipeline.trained_on.name, pipeline.trained_on.digest) == (one.name, part.digest)
    [parent] = runs_of("train_machines")
    machines = runs_of("train machine")
    assert {run.data.tags["mlflow.parentRunId"] for run in machines} == {parent.info.run_id}
    for step in ("train", "evaluate"):
        above = {run.data.tags["mlflow.parentRunId"] for run in runs_of(step)}
        assert above == {run.info.run_id for run in machines}
    assert {run.info.status for run in all_runs()} == {"FINISHED"}


def test_what_is_done_is_kept_and_the_rest_is_done(data: Path) -> None:
    first = train("data/both")
    second = train("data/both,data/line/lone")
    assert [one.again for one in second] == [True, True, False]
    assert [one.model_uri for one in second[:2]] == [one.model_uri for one in first]
    assert [dict(one.metrics) for one in second[:2]] == [dict(one.metrics) for one in first]
    assert len(runs_of("train")) == 3
    # Other settings, or a model that was deleted, are another matter.
    assert not any(one.again for one in train("data/line/lone", detector={"k": 2}))
    mlflow.MlflowClient().delete_logged_model(first[0].model_uri.removeprefix("models:/"))
    assert [one.again for one in train("data/both")] == [False, True]


def test_a_machine_that_cannot_be_trained_does_not_end_the_others(data: Path) -> None:
    clips = manifest.load(data / "both").clips
    kept = [clip for clip in clips if clip.machine == "pump" or clip.split == "test"]
    manifest.save(data / "both", kept)
    with pytest.raises(DataError, match=r"^1 of 3 machines have no detector: both-fan: .*others"):
        train("data/both,data/line")
    assert len(runs_of("train machine")) == 3
    [failed] = [run for run in runs_of("train machine") if run.info.status == "FAILED"]
    assert failed.data.params["data.name"] == "both-fan"
    with pytest.raises(DataError, match="1 of 3"):
        train("data/both,data/line")
    assert len(runs_of("train machine")) == 4


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"model": "magic"}, "unknown model"),
        ({"data": "nowhere"}, "nowhere: no data set here"),
        ({"data": "data/both,data/both"}, "two machines would be called both-fan"),
        ({"detector": {"kk": 1}}, "kk"),
    ],
)
def test_mistakes_are_found_before_any_work(
    data: Path, words: dict[str, object], expected: str
) -> None:
    with pytest.raises(AsdError, match=expected):
        train(**{"data": "data/both", **words})  # type: ignore[arg-type]
    assert not runs_of("train machine")


def test_a_folder_of_data_sets_passes_the_early_check(data: Path) -> None:
    check(TrainMachinesConfig.parse({"data": "data/line,data/both"}))
    with pytest.raises(DataError, match="no data set here"):
        check(TrainMachinesConfig.parse({"data": "recordings"}))
