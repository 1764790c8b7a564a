"""Networks as steps train them: resumed after a kill, and taken over from old checkpoints."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from asd.config.steps import EvaluateConfig, ImportConfig, TrainConfig
from asd.detectors.cnn import Cnn, ConvAutoencoder
from asd.detectors.lstm import LstmAutoencoder
from asd.detectors.nets import checkpoint
from asd.errors import DetectorError
from asd.pipeline.pipeline import Pipeline
from asd.steps import evaluate, import_checkpoint, train
from asd.tracking.models import load
from asd.tracking.tracked import TrackedRun


def network_of(pipeline: Pipeline) -> torch.nn.Module:
    [detector] = pipeline.scorer.detectors
    assert isinstance(detector, Cnn)
    return detector.network_


def weights(config: TrainConfig) -> dict[str, Any]:
    return dict(network_of(load(train.run(config))).state_dict())


def test_a_training_that_was_killed_goes_on_to_the_same_weights(
    data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"model": "cnn", "data": data, "detector": {"epochs": 4, "batch_size": 8}}
    config = TrainConfig.parse(settings)
    whole = weights(config)
    log_metrics = TrackedRun.log_metrics
    epochs: list[int] = []

    def killed(self: TrackedRun, metrics: Mapping[str, float], step: int | None = None) -> None:
        if step == 3:
            raise SystemExit
        log_metrics(self, metrics, step=step)

    with monkeypatch.context() as patch:
        patch.setattr(TrackedRun, "log_metrics", killed)
        with pytest.raises(SystemExit):
            train.run(config)
    assert list(train.CHECKPOINTS.iterdir()), "the state of the training is kept"

    def counted(
        self: TrackedRun, metrics: Mapping[str, float], step: int | None = None, **where: Any
    ) -> None:
        epochs.extend([step] if step else [])
        log_metrics(self, metrics, step=step, **where)

    monkeypatch.setattr(TrackedRun, "log_metrics", counted)
    resumed = weights(config)
    assert epochs == [1, 2, 3, 4], "the curve is whole"
    assert not list(train.CHECKPOINTS.iterdir())
    for key, value in whole.items():
        assert torch.equal(value, resumed[key])


def test_a_training_that_was_killed_while_it_learned_from_all_goes_on_there(
    data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"model": "cnn", "data": data, "detector": {"epochs": 4, "batch_size": 8}}
    config = TrainConfig.parse(settings)
    whole = weights(config)
    write = checkpoint.write
    written: list[str] = []

    def counted(folder: Path, *state: Any) -> None:
        if written.count("all") == 2:
            raise SystemExit
        write(folder, *state)
        written.append(folder.name)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write", counted)
        with pytest.raises(SystemExit):
            train.run(config)
        assert len(written) == 4 + 2
        written.clear()
        resumed = weights(config)
    assert written == ["all"] * 2, "nothing is done again"
    for key, value in whole.items():
        assert torch.equal(value, resumed[key])


@pytest.mark.parametrize("network", [ConvAutoencoder(), LstmAutoencoder()])
def test_an_original_checkpoint_is_evaluated_like_any_model(
    network: torch.nn.Module, data: str
) -> None:
    torch.save(network.state_dict(), "best.pth")
    model = import_checkpoint.run(ImportConfig(checkpoint="best.pth", data=data))
    found = evaluate.run(EvaluateConfig(model_uri=model.uri)).evaluation
    assert found.pipeline.recipe.branches[0].features["scaling"] == "clip_max"
    assert np.isfinite(found.table.scores).all()
    assert "auc" in found.metrics


def test_a_pickle_is_refused(data: str) -> None:
    Path("gmm_model.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(DetectorError, match=r"gmm_model\.pkl: pickled models are not imported"):
        import_checkpoint.run(ImportConfig(checkpoint="gmm_model.pkl", data=data))
