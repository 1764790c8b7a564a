"""Pipelines as MLflow models: logged without pickle, found by any address, loaded again."""

import hashlib
import re
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import Array, Object, Property

import asd
from asd.errors import DetectorError, TrackingError
from asd.files import file_digest
from asd.pipeline.pipeline import Pipeline
from asd.tracking.store import client

MODEL_TAG = "asd.model"
DATA_TAG = "asd.data"
DIGEST_TAG = "asd.model_digest"
_RUN_ID = re.compile(r"^[0-9a-f]{32}$")
_SERVED = Path(__file__).with_name("serving_model.py")
_ADDED_BY_LOADING = {"registered_model_meta", "__pycache__"}
_INFERENCE = (
    "av", "filelock", "joblib", "librosa", "mlflow", "numpy", "pandas", "pydantic", "pyyaml",
    "safetensors", "scikit-learn", "scipy", "soundfile", "threadpoolctl", "torch", "tqdm",
)  # fmt: skip

_EVENT = ("start_s", "end_s", "peak_s", "peak_score", "p_value", "expected_by_chance")
_OUTPUTS = Schema(
    [
        ColSpec("double", "anomaly_score", required=False),
        ColSpec("double", "threshold", required=False),
        ColSpec("boolean", "is_anomaly", required=False),
        ColSpec("double", "p_value", required=False),
        ColSpec("double", "duration_s", required=False),
        ColSpec("long", "n_windows", required=False),
        ColSpec(Array(Object([Property(name, DataType.double) for name in _EVENT])), "events"),
        ColSpec(Array(DataType.string), "warnings"),
        ColSpec("string", "error", required=False),
    ]
)
_INPUTS = Schema(
    [
        ColSpec("string", "audio"),
        ColSpec("string", "machine", required=False),
    ]
)


@dataclass(frozen=True)
class ModelRef:
    """A logged model, however it was addressed."""

    model_id: str
    run_id: str
    name: str
    """The detector's name and the data it was fitted on, for people."""
    location: str
    digest: str
    """Of its files as they were logged; empty where none was recorded."""
    data: str
    """Name of the data set that it was made for: what it learned from, or was recalibrated on."""

    @property
    def uri(self) -> str:
        """Address that stays the same whatever is promoted later."""
        return f"models:/{self.model_id}"


def log_pipeline(pipeline: Pipeline, params: dict[str, Any], made_for: str = "") -> ModelRef:
    """Log a pipeline to the active run as a pyfunc model made from code.

    The digest of all its files, the code included, is kept in the model's tags: `load` refuses
    files that have been changed since.

    Parameters
    ----------
    pipeline : Pipeline
        What to log.
    params : dict
        Shown with the model in the UI.
    made_for : str
        Name of the data set whose machine it is for; that of the training where not given.
    """
    with tempfile.TemporaryDirectory() as folder:
        pipeline.save(Path(folder) / "pipeline")
        info = mlflow.pyfunc.log_model(
            name=pipeline.name,
            python_model=str(_SERVED),
            artifacts={"pipeline": str(Path(folder) / "pipeline")},
            code_paths=[str(Path(asd.__file__).parent)],
            pip_requirements=[f"{name}=={_release(name)}" for name in _INFERENCE],
            signature=ModelSignature(inputs=_INPUTS, outputs=_OUTPUTS),
            params=params,
            tags={MODEL_TAG: pipeline.name, DATA_TAG: made_for or pipeline.trained_on.name},
        )
    store = client()
    location = store.get_logged_model(info.model_id).artifact_location
    store.set_logged_model_tags(info.model_id, {DIGEST_TAG: _digest(_fetch(location))})
    return _reference(store.get_logged_model(info.model_id))


def resolve(model_uri: str) -> ModelRef:
    """Find a logged model by its address.

    Parameters
    ----------
    model_uri : str
        Run id, ``runs:/<run id>/<detector>``, ``models:/<name>/<version>``,
        ``models:/<name>@<alias>`` or ``models:/<model id>``; empty for the newest trained one.

    Raises
    ------
    TrackingError
        There is no such model.
    """
    if not model_uri:
        return _newest()
    try:
        return _reference(client().get_logged_model(_model_id(model_uri)))
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        raise TrackingError(
            f"model_uri={model_uri}: no such model ({reason}); give a run id of `train`, "
            "models:/<name>@<alias> or models:/<name>/<version>"
        ) from error


def load(model: ModelRef) -> Pipeline:
    """Load the pipeline of a logged model.

    Raises
    ------
    TrackingError
        Its files are gone, are not those that were logged, or are not a pipeline.
    """
    try:
        folder = _fetch(model.location)
        digest = _digest(folder)
        if digest != model.digest:
            raise TrackingError(
                f"{model.uri}: its files are not those that were logged (digest {digest[:16]}, "
                f"recorded {model.digest[:16] or 'none'}); restore {model.location} or train again"
            )
        return Pipeline.load(folder / "artifacts" / "pipeline")
    except (MlflowException, OSError, DetectorError) as error:
        raise TrackingError(f"{model.uri}: its files cannot be loaded ({error})") from error


def training_params(model: ModelRef) -> dict[str, str]:
    """Params of the run that trained a model, as they were logged."""
    return dict(client().get_run(model.run_id).data.params)


def version_model_id(version: ModelVersion) -> str:
    """Id of the logged model behind a registered version.

    The SQL store keeps it in the version's source only, as ``models:/<id>``.
    """
    return str(version.source).removeprefix("models:/")


def _model_id(model_uri: str) -> str:
    store = client()
    if _RUN_ID.match(model_uri):
        return _model_of_run(model_uri)
    if model_uri.startswith("runs:/"):
        return _model_of_run(model_uri.removeprefix("runs:/").partition("/")[0])
    address = model_uri.removeprefix("models:/")
    if "@" in address:
        name, _, alias = address.partition("@")
        return version_model_id(store.get_model_version_by_alias(name, alias))
    if "/" in address:
        name, _, number = address.partition("/")
        return version_model_id(store.get_model_version(name, number))
    return address


def _model_of_run(run_id: str) -> str:
    outputs = client().get_run(run_id).outputs
    models = outputs.model_outputs if outputs else []
    if not models:
        raise TrackingError(
            f"model_uri={run_id}: that run has logged no model; give one of `train`"
        )
    return str(models[-1].model_id)


def _newest() -> ModelRef:
    store = client()
    models = store.search_logged_models(
        experiment_ids=[experiment.experiment_id for experiment in store.search_experiments()],
        order_by=[{"field_name": "creation_timestamp", "ascending": False}],
    )
    for model in models:
        if MODEL_TAG in model.tags:
            return _reference(model)
    raise TrackingError("no trained model yet; make one with `mlflow run . -e train -P model=knn`")


def _reference(model: LoggedModel) -> ModelRef:
    data = model.tags.get(DATA_TAG, "unknown data")
    return ModelRef(
        model.model_id,
        model.source_run_id or "",
        f"{model.tags.get(MODEL_TAG, model.name)} on {data}",
        model.artifact_location,
        model.tags.get(DIGEST_TAG, ""),
        data,
    )


def _fetch(location: str) -> Path:
    return Path(mlflow.artifacts.download_artifacts(artifact_uri=location))


def _digest(folder: Path) -> str:
    """Digest over the names and bytes of all files, but for those that loading a model adds."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        parts = path.relative_to(folder).parts
        if not _ADDED_BY_LOADING & set(parts):
            total.update(f"{'/'.join(parts)}\x1f{file_digest(path)}\x1e".encode())
    return total.hexdigest()


def _release(package: str) -> str:
    """The installed version without a local part such as ``+cpu``, which no index knows."""
    return version(package).partition("+")[0]
