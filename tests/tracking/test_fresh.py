"""Whether a model answers in an environment built from its requirements alone."""

import json
import shutil
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from asd.errors import TrackingError
from asd.tracking import fresh
from asd.tracking.fresh import check_environment, environment_gate
from asd.tracking.models import ModelRef

MODEL = ModelRef("m-1", "run", "knn on pump", "/nowhere", "", "pump")
EXAMPLE = '{"dataframe_split": {}}'


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the model is to answer; holds the words that MLflow was given afterwards."""
    told: dict[str, Any] = {"error": None}

    def predict(model_uri: str, input_path: str, output_path: str, **words: Any) -> None:
        if isinstance(told["error"], Exception):
            raise told["error"]
        told["asked"] = (model_uri, Path(input_path).read_text(), words)
        Path(output_path).write_text(json.dumps({"predictions": [{"error": told["error"]}]}))

    monkeypatch.setattr(mlflow.models, "predict", predict)
    monkeypatch.setattr(fresh, "load_serving_example", lambda _: EXAMPLE)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/uv")
    return told


def test_the_example_is_judged_in_an_environment_of_uv(answer: dict[str, Any]) -> None:
    assert str(environment_gate(MODEL)) == "environment: held, answers in an environment of its own"
    assert answer["asked"] == ("models:/m-1", EXAMPLE, {"env_manager": "uv"})


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("audio: too quiet", "cannot judge its example (audio: too quiet)"),
        (MlflowException("no such package\nfurther lines"), "of its own (no such package)"),
        (FileNotFoundError("input_example.json"), "of its own (input_example.json)"),
    ],
)
def test_what_does_not_answer_is_told_in_one_line(
    answer: dict[str, Any], error: object, reason: str
) -> None:
    answer["error"] = error
    with pytest.raises(TrackingError) as found:
        check_environment(MODEL)
    assert reason in str(found.value)
    assert "\n" not in str(found.value)
    assert environment_gate(MODEL).refuses


def test_without_uv_the_remedy_is_told(
    answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(TrackingError, match="pip install uv"):
        check_environment(MODEL)
