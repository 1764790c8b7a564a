"""The registered model: its versions and the alias of the one in service."""

from collections.abc import Mapping

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from asd.errors import TrackingError
from asd.tracking.models import ModelRef, resolve, version_model_id
from asd.tracking.store import client

REGISTERED_NAME = "asd-detector"
CHAMPION = "champion"
CHAMPION_URI = f"models:/{REGISTERED_NAME}@{CHAMPION}"


def champion() -> ModelRef | None:
    """The model in service; None where nothing has been promoted yet."""
    try:
        client().get_model_version_by_alias(REGISTERED_NAME, CHAMPION)
    except MlflowException:
        return None
    return resolve(CHAMPION_URI)


def promote(model: ModelRef, tags: Mapping[str, str]) -> str:
    """Register a model, where it is not yet, and make it the champion.

    Returns
    -------
    version : str
        Its version in the registry.

    Raises
    ------
    TrackingError
        The registry refuses.
    """
    try:
        version = _registered_version(model) or mlflow.register_model(
            model.uri, REGISTERED_NAME, tags=dict(tags)
        )
        client().set_registered_model_alias(REGISTERED_NAME, CHAMPION, version.version)
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        raise TrackingError(f"{model.uri}: cannot be registered ({reason})") from error
    return str(version.version)


def _registered_version(model: ModelRef) -> ModelVersion | None:
    found = client().search_model_versions(f"name = '{REGISTERED_NAME}'")
    return next((version for version in found if version_model_id(version) == model.model_id), None)
