"""Pipelines as MLflow models: logged without pickle, found by any address, loaded again."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import LifecycleStage, LoggedModel, LoggedModelStatus, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.utils import requirements_utils

import asd
from asd.errors import DetectorError, TrackingError
from asd.language import tr
from asd.pipeline.pipeline import Pipeline
from asd.tracking.contract import SIGNATURE, example
from asd.tracking.digest import DIGEST_TAG, changed, model_digest
from asd.tracking.store import client, experiment_ids, first_line

MODEL_TAG = "asd.model"
DATA_TAG = "asd.data"
_RUN_ID = re.compile(r"^[0-9a-f]{32}$")
_SERVED = Path(__file__).with_name("serving_model.py")
_INFERENCE = (
    "av", "filelock", "joblib", "mlflow", "numpy", "pandas", "prometheus-client",
    "pydantic", "pyyaml", "safetensors", "scikit-learn", "scipy", "soundfile", "soxr",
    "threadpoolctl", "torch", "tqdm",
)  # fmt: skip
_requirements: Any = requirements_utils


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


class _Untried:
    """MLflow's pyfunc, of which the input example is not judged while the model is logged.

    The model would check itself by its digest, which it has only once all of it is there.
    """

    @staticmethod
    def save_model(validate_serving_input: bool, **options: Any) -> None:
        del validate_serving_input
        with _requirements_by_name():
            mlflow.pyfunc.save_model(**options)


@contextmanager
def _requirements_by_name() -> Iterator[None]:
    """Let MLflow compare requirements with what is installed under their names.

    It would look through the files of all that is installed for modules of those names, which
    takes longer than all else that it does with a model.
    """
    known = _requirements._MODULES_TO_PACKAGES
    _requirements._MODULES_TO_PACKAGES = known or {}
    try:
        yield
    finally:
        _requirements._MODULES_TO_PACKAGES = known


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
        info = Model.log(
            artifact_path=None,
            flavor=_Untried,
            flavor_name="pyfunc",
            name=pipeline.name,
            validate_serving_input=False,
            python_model=str(_SERVED),
            artifacts={"pipeline": str(Path(folder) / "pipeline")},
            code_paths=[str(Path(asd.__file__).parent)],
            pip_requirements=[f"{name}=={_release(name)}" for name in _INFERENCE],
            signature=SIGNATURE,
            input_example=example(pipeline.scorer.sample_rate),
            params=params,
            tags={MODEL_TAG: pipeline.name, DATA_TAG: made_for or pipeline.trained_on.name},
        )
    store = client()
    location = store.get_logged_model(info.model_id).artifact_location
    store.set_logged_model_tags(info.model_id, {DIGEST_TAG: model_digest(_fetch(location))})
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
        There is no such model, or it was not logged to its end.
    """
    if not model_uri:
        return _newest()
    try:
        model = client().get_logged_model(_model_id(model_uri))
    except MlflowException as error:
        raise TrackingError(
            tr(
                "model_uri={model_uri}: no such model ({reason}); give a run id of "
                "`train`, models:/<name>@<alias> or models:/<name>/<version>",
                model_uri=model_uri,
                reason=first_line(error),
            )
        ) from error
    if model.status == LoggedModelStatus.PENDING:
        raise TrackingError(
            tr(
                "model_uri={model_uri}: that training was stopped before its model was "
                "whole; train again",
                model_uri=model_uri,
            )
        )
    return _reference(model)


def known(model_uri: str) -> bool:
    """Whether this store has a model that was logged to its end."""
    try:
        resolve(model_uri)
    except TrackingError:
        return False
    return True


def load(model: ModelRef) -> Pipeline:
    """Load the pipeline of a logged model.

    Raises
    ------
    TrackingError
        Its files are gone, are not those that were logged, or are not a pipeline.
    """
    try:
        folder = check_files(model)
        return Pipeline.load(folder / "artifacts" / "pipeline")
    except (OSError, DetectorError) as error:
        raise TrackingError(
            tr("{uri}: its files cannot be loaded ({error})", uri=model.uri, error=error)
        ) from error


def check_files(model: ModelRef) -> Path:
    """The folder of a model, whose files are those that were logged.

    Raises
    ------
    TrackingError
        They are not, or are gone.
    """
    try:
        folder = _fetch(model.location)
    except (MlflowException, OSError) as error:
        raise TrackingError(
            tr("{uri}: its files cannot be loaded ({error})", uri=model.uri, error=error)
        ) from error
    if reason := changed(model.uri, folder, model.digest):
        raise TrackingError(reason)
    return folder


def drop_byte_code(folder: Path) -> None:
    """Remove byte code beside the file that MLflow runs first of a model.

    Python takes it for that file's own, whatever it does, and the digest does not cover it.

    Raises
    ------
    TrackingError
        It cannot be removed.
    """
    cached = folder / "__pycache__"
    try:
        if cached.exists():
            shutil.rmtree(cached)
    except OSError as error:
        raise TrackingError(
            tr(
                "{cached}: byte code beside a model that cannot be removed "
                "({reason}); remove it, as it would run unchecked",
                cached=cached,
                reason=error.strerror,
            )
        ) from error


def training_params(model: ModelRef) -> dict[str, str]:
    """Params of the run that trained a model, as they were logged; none where it is gone."""
    run = run_of(model)
    return {} if run is None else dict(run.data.params)


def run_of(model: ModelRef | LoggedModel) -> Run | None:
    """The run that trained a model; None where it was removed for good (``mlflow gc``)."""
    run_id = model.run_id if isinstance(model, ModelRef) else model.source_run_id
    try:
        return client().get_run(run_id) if run_id else None
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            raise
        return None


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
            tr(
                "model_uri={run_id}: that run has logged no model; give one of `train`",
                run_id=run_id,
            )
        )
    return str(models[-1].model_id)


def _newest() -> ModelRef:
    """The newest model that was logged to its end by a run that nobody has deleted."""
    store = client()
    experiments = experiment_ids()
    token = None
    while True:
        models = store.search_logged_models(
            experiment_ids=experiments,
            order_by=[{"field_name": "creation_timestamp", "ascending": False}],
            page_token=token,
        )
        for model in models:
            if _is_whole(model):
                return _reference(model)
        token = models.token
        if not token:
            raise TrackingError(
                tr(
                    "no trained model yet, or its runs were deleted; make one with `mlflow "
                    "run . -e train -P model=knn`"
                )
            )


def _is_whole(model: LoggedModel) -> bool:
    """Whether a model can be taken for the newest; the digest is the last that is logged of it."""
    if model.status != LoggedModelStatus.READY or not {MODEL_TAG, DIGEST_TAG} <= set(model.tags):
        return False
    run = run_of(model)
    return run is not None and run.info.lifecycle_stage == LifecycleStage.ACTIVE


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


def _release(package: str) -> str:
    """The installed version without a local part such as ``+cpu``, which no index knows."""
    return version(package).partition("+")[0]
