"""The registered models: one a machine, its versions, and which of them is in service.

``champion`` is served; ``previous`` was champion before it; ``challenger`` is the newest
candidate that did not win. MLflow moves one alias at a time, each move whole or not at all:
whoever asks for the champion gets the old one or the new one, never none.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models.model import MLMODEL_FILE_NAME
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT

from asd.errors import TrackingError
from asd.language import tr
from asd.tracking.digest import model_digest
from asd.tracking.models import ModelRef, check_files, resolve, run_of, version_model_id
from asd.tracking.runs import VERSION_TAG
from asd.tracking.store import client, registry_lock

CHAMPION = "champion"
PREVIOUS = "previous"
CHALLENGER = "challenger"
_CONTENT = "asd.content"


@dataclass(frozen=True)
class Holders:
    """Which version holds each alias, all seen at one moment; None where nothing does."""

    champion: str | None
    previous: str | None
    challenger: str | None


def holders(name: str) -> Holders:
    """Look up who holds the aliases of a machine now.

    Raises
    ------
    TrackingError
        The registry cannot be read.
    """
    aliases = aliases_of(name) or {}
    named = (aliases.get(alias) for alias in (CHAMPION, PREVIOUS, CHALLENGER))
    return Holders(*(None if version is None else str(version) for version in named))


def model_of(name: str, version: str) -> ModelRef:
    """The logged model behind a version of a machine.

    Raises
    ------
    TrackingError
        There is no such version, or its model is gone.
    """
    return resolve(f"models:/{name}/{version}")


def champion(name: str) -> ModelRef | None:
    """The model in service for a machine; None where nothing has been promoted yet."""
    version = holders(name).champion
    return None if version is None else model_of(name, version)


def register(name: str, model: ModelRef, tags: Mapping[str, str]) -> str:
    """Give a model a version of a machine, where `version_of` finds none yet, and tag it.

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
            version = version_of(name, model)
            if version is None:
                content = {_CONTENT: _content(model)}
                version = str(mlflow.register_model(model.uri, name, tags=content).version)
        for key, value in {**_code_tags(model), **tags}.items():
            client().set_model_version_tag(name, version, key, value)
    except MlflowException as error:
        raise refused(model.uri, error) from error
    return version


def version_of(name: str, model: ModelRef) -> str | None:
    """The version of a machine that is this model, or has the very same files; None without one.

    A training that is given again, because what came after it was cut short, makes the same files.

    Raises
    ------
    TrackingError
        The files of the model are gone, or are not those that were logged.
    """
    versions = client().search_model_versions(f"name = '{name}'")
    content = _content(model)
    for found in versions:
        if version_model_id(found) == model.model_id:
            return str(found.version)
    same = (found for found in versions if found.tags.get(_CONTENT) == content)
    return next((str(found.version) for found in same if _is_there(found)), None)


def _content(model: ModelRef) -> str:
    """Digest of all files of a model but the one that says when, and by which run, it was made."""
    return model_digest(check_files(model), without=MLMODEL_FILE_NAME)


def _is_there(version: ModelVersion) -> bool:
    try:
        check_files(model_of(version.name, version.version))
    except TrackingError:
        return False
    return True


def overtaken(name: str, seen: str | None) -> str:
    """What to say to whom `promote` has refused."""
    compared = tr("version {version}", version=seen) if seen else tr("no champion")
    return tr(
        "another promotion made version {version} champion while this one was "
        "compared with {compared}; give promote again",
        version=holders(name).champion,
        compared=compared,
    )


def incomparable(name: str, version: str, error: Exception, command: str) -> str:
    """That a champion cannot be compared with, and the command that does without it."""
    return tr(
        "the champion, version {version} of {name}, cannot be compared with: {error}; to do "
        "without it, give `{command}`",
        version=version,
        name=name,
        error=error,
        command=command,
    )


def promote(name: str, version: str, seen: str | None) -> bool:
    """Make a version the champion of a machine, and the champion of now the previous one.

    Parameters
    ----------
    name : str
        The machine.
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
        now = holders(name)
        if now.champion != seen:
            return False
        # In this order, a halt in between leaves the champion where it was.
        if seen is not None:
            _point(name, PREVIOUS, seen)
        _point(name, CHAMPION, version)
        if now.challenger == version:
            _point(name, CHALLENGER, None)
    return True


def challenge(name: str, version: str) -> None:
    """Mark a version as the candidate that did not win yet.

    Raises
    ------
    TrackingError
        The registry refuses.
    """
    with registry_lock():
        _point(name, CHALLENGER, version)


def swap(name: str, seen: Holders, champion: str, previous: str) -> bool:
    """Make a version champion and another one previous.

    Parameters
    ----------
    name : str
        The machine.
    seen : Holders
        Who held the aliases when that was decided.
    champion, previous : str
        The versions.

    Returns
    -------
    bool
        False, and nothing is moved, where others hold champion or previous by now.

    Raises
    ------
    TrackingError
        The registry refuses.
    """
    with registry_lock():
        now = holders(name)
        if (now.champion, now.previous) != (seen.champion, seen.previous):
            return False
        # In this order, a halt in between leaves in service what was asked for.
        _point(name, CHAMPION, champion)
        _point(name, PREVIOUS, previous)
    return True


def _point(name: str, alias: str, version: str | None) -> None:
    try:
        if version is None:
            client().delete_registered_model_alias(name, alias)
        else:
            client().set_registered_model_alias(name, alias, version)
    except MlflowException as error:
        raise refused(f"{name}@{alias}", error) from error


def _code_tags(model: ModelRef) -> dict[str, str]:
    run = run_of(model)
    tags = {} if run is None else run.data.tags
    named = {"code.version": VERSION_TAG, "code.commit": MLFLOW_GIT_COMMIT}
    return {name: tags[tag] for name, tag in named.items() if tag in tags}


def aliases_of(name: str) -> dict[str, str] | None:
    """The aliases of a registered model; None where there is no such model."""
    try:
        return dict(client().get_registered_model(name).aliases)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            raise refused(name, error) from error
        return None


def refused(what: str, error: MlflowException) -> TrackingError:
    """The error of a registry that does not do what it was asked for."""
    reason = str(error).splitlines()[0]
    return TrackingError(
        tr(
            "{what}: the registry refuses ({reason}); check MLFLOW_TRACKING_URI",
            what=what,
            reason=reason,
        )
    )
