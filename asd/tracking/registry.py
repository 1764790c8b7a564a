"""The registered model: its versions, and the aliases that say which is in service.

``champion`` is served; ``previous`` was champion before it; ``challenger`` is the newest
candidate that did not win. MLflow moves one alias at a time, each move whole or not at all:
whoever asks for the champion gets the old one or the new one, never none.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT

from asd.errors import TrackingError
from asd.tracking.models import ModelRef, resolve, run_of, version_model_id
from asd.tracking.runs import VERSION_TAG
from asd.tracking.store import client, registry_lock

REGISTERED_NAME = "asd-detector"
CHAMPION = "champion"
PREVIOUS = "previous"
CHALLENGER = "challenger"
CHAMPION_URI = f"models:/{REGISTERED_NAME}@{CHAMPION}"


@dataclass(frozen=True)
class Holders:
    """Which version holds each alias, all seen at one moment; None where nothing does."""

    champion: str | None
    previous: str | None
    challenger: str | None


def holders() -> Holders:
    """Look up who holds the aliases now.

    Raises
    ------
    TrackingError
        The registry cannot be read.
    """
    try:
        aliases = client().get_registered_model(REGISTERED_NAME).aliases
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            raise _refused(REGISTERED_NAME, error) from error
        aliases = {}
    named = (aliases.get(alias) for alias in (CHAMPION, PREVIOUS, CHALLENGER))
    return Holders(*(None if version is None else str(version) for version in named))


def model_of(version: str) -> ModelRef:
    """The logged model behind a version.

    Raises
    ------
    TrackingError
        There is no such version, or its model is gone.
    """
    return resolve(f"models:/{REGISTERED_NAME}/{version}")


def champion() -> ModelRef | None:
    """The model in service; None where nothing has been promoted yet."""
    version = holders().champion
    return None if version is None else model_of(version)


def register(model: ModelRef, tags: Mapping[str, str]) -> str:
    """Give a model a version, where it has none yet, and tag it.

    The code that it was trained with is tagged as well: ``code.version``, and ``code.commit``
    where it was a git checkout.

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
        with registry_lock():
            registered = _version_of(model) or mlflow.register_model(model.uri, REGISTERED_NAME)
        for key, value in {**_code_tags(model), **tags}.items():
            client().set_model_version_tag(REGISTERED_NAME, registered.version, key, value)
    except MlflowException as error:
        raise _refused(model.uri, error) from error
    return str(registered.version)


def overtaken(seen: str | None) -> str:
    """What to say to whom `promote` has refused."""
    compared = f"version {seen}" if seen else "no champion"
    return (
        f"another promotion made version {holders().champion} champion while this one was compared "
        f"with {compared}; give promote again"
    )


def promote(version: str, seen: str | None) -> bool:
    """Make a version the champion, and the champion of now the previous one.

    Parameters
    ----------
    version : str
        The winner.
    seen : str or None
        The champion's version that the winner was compared with; None where there was none.

    Returns
    -------
    bool
        False, and nothing is moved, where the champion is no longer the one that was seen.

    Raises
    ------
    TrackingError
        The registry refuses.
    """
    with registry_lock():
        now = holders()
        if now.champion != seen:
            return False
        # In this order, a halt in between leaves the champion where it was.
        if seen is not None:
            _point(PREVIOUS, seen)
        _point(CHAMPION, version)
        if now.challenger == version:
            _point(CHALLENGER, None)
    return True


def challenge(version: str) -> None:
    """Mark a version as the candidate that did not win yet.

    Raises
    ------
    TrackingError
        The registry refuses.
    """
    with registry_lock():
        _point(CHALLENGER, version)


def swap(champion_seen: str, previous_seen: str) -> bool:
    """Let champion and previous change places.

    Returns
    -------
    bool
        False, and nothing is moved, where they are no longer the versions that were seen.

    Raises
    ------
    TrackingError
        The registry refuses.
    """
    with registry_lock():
        now = holders()
        if (now.champion, now.previous) != (champion_seen, previous_seen):
            return False
        # In this order, a halt in between leaves in service what was asked for.
        _point(CHAMPION, previous_seen)
        _point(PREVIOUS, champion_seen)
    return True


def _point(alias: str, version: str | None) -> None:
    try:
        if version is None:
            client().delete_registered_model_alias(REGISTERED_NAME, alias)
        else:
            client().set_registered_model_alias(REGISTERED_NAME, alias, version)
    except MlflowException as error:
        raise _refused(f"{REGISTERED_NAME}@{alias}", error) from error


def _code_tags(model: ModelRef) -> dict[str, str]:
    run = run_of(model)
    tags = {} if run is None else run.data.tags
    named = {"code.version": VERSION_TAG, "code.commit": MLFLOW_GIT_COMMIT}
    return {name: tags[tag] for name, tag in named.items() if tag in tags}


def _version_of(model: ModelRef) -> ModelVersion | None:
    versions = client().search_model_versions(f"name = '{REGISTERED_NAME}'")
    mine = (version for version in versions if version_model_id(version) == model.model_id)
    return next(mine, None)


def _refused(what: str, error: MlflowException) -> TrackingError:
    reason = str(error).splitlines()[0]
    return TrackingError(f"{what}: the registry refuses ({reason}); check MLFLOW_TRACKING_URI")
