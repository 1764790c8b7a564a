"""Which registered model is a machine's, and which champion a step takes."""

import re

from mlflow.exceptions import MlflowException

from asd.data.manifest import Dataset
from asd.errors import TrackingError
from asd.language import tr
from asd.tracking.registry import CHAMPION, aliases_of, holders, model_of, refused
from asd.tracking.store import client

LEGACY = "asd-detector"
"""The one registered model of releases in which all machines shared a champion."""
_CHANGED = re.compile(r"-(augmented|pitched|noised)$")


def machine_name(data: str) -> str:
    """The name of a machine that a data set is of, fit for a registered model and for a shell.

    What ``augment`` and ``main`` put behind the name of a data set is taken off: a copy with
    pitched or overlaid clips is of the same machine.

    Parameters
    ----------
    data : str
        Name of the data set.

    Examples
    --------
    >>> machine_name("motor-pitched-noised"), machine_name("pump no. 2: left")
    ('motor', 'pump-no.-2-left')
    """
    while (shorter := _CHANGED.sub("", data)) != data:
        data = shorter
    return re.sub(r"[^\w.]+", "-", data).strip("-.") or "machine"


def address(name: str) -> str:
    """Where the champion of a machine is found, as ``models:/motor@champion``."""
    return f"models:/{name}@{CHAMPION}"


def champions() -> dict[str, str]:
    """All machines that have a champion, with the version it is, in order of name.

    Raises
    ------
    TrackingError
        The registry cannot be read.
    """
    found: dict[str, str] = {}
    token = None
    try:
        while True:
            page = client().search_registered_models(page_token=token)
            for model in page:
                if CHAMPION in model.aliases:
                    found[model.name] = str(model.aliases[CHAMPION])
            token = page.token
            if not token:
                return dict(sorted(found.items()))
    except MlflowException as error:
        raise refused("champions", error) from error


def only_champion() -> str:
    """The machine to take where none is named: the only one that has a champion.

    Raises
    ------
    TrackingError
        No machine has a champion, or several have.
    """
    names = list(champions())
    if not names:
        raise TrackingError(
            tr(
                "no champion yet; make one with `mlflow run . -e promote`, or say which "
                "model with -P model_uri=<run id of train>"
            )
        )
    if len(names) > 1:
        raise TrackingError(
            tr(
                "{n} machines have a champion ({names}); say which with -P name=<machine>",
                n=len(names),
                names=", ".join(names),
            )
        )
    return names[0]


def default_name(data: str) -> str:
    """The registered model of a data set's machine.

    A store of a release in which all machines shared one goes on with that one, for the machine
    that its champion was made for.

    Parameters
    ----------
    data : str
        Name of the data set that a candidate was made for.
    """
    name = machine_name(data)
    if aliases_of(name) is None and (shared := holders(LEGACY).champion) is not None:
        version = client().get_model_version(LEGACY, shared)
        if machine_name(version.tags.get("data.name", "")) == name:
            return LEGACY
    return name


def chosen(model_uri: str, name: str) -> str:
    """The address of the model to use: the one given, or the champion of a machine.

    Parameters
    ----------
    model_uri : str
        Any address of a model; empty for a champion.
    name : str
        The machine whose champion it is; empty for the only one that has a champion.

    Raises
    ------
    TrackingError
        The machine has no champion, or it is not clear which one is meant.
    """
    if model_uri:
        return model_uri
    if not name:
        return address(only_champion())
    if name not in (known := champions()):
        there = ", ".join(known) or "none"
        raise TrackingError(
            tr(
                "name={name}: has no champion; machines that have one: {there}",
                name=name,
                there=there,
            )
        )
    return address(name)


def check_made_for(name: str, version: str, dataset: Dataset, across_data: bool) -> None:
    """Refuse to judge a version by data of another machine, unless `across_data` is on.

    Data sets of one name are taken for the same machine, and so are those of one content.

    Raises
    ------
    TrackingError
        Says how to compare all the same.
    """
    if across_data:
        return
    own, given = model_of(name, version).data, machine_name(dataset.name)
    tags = client().get_model_version(name, version).tags
    if machine_name(own) != given and tags.get("data.trained_on") != dataset.digest:
        raise TrackingError(
            tr(
                "{data}: the champion of {name} was made for {own}, and other data says "
                "nothing of it; for another machine give -P name={given}, for more data "
                "of the same one -P across_data=true",
                data=dataset.root,
                name=name,
                own=own,
                given=given,
            )
        )
