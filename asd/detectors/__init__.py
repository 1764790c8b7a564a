"""Detectors, found by the names of their files, or by the entry points of other packages.

An installed package brings a detector by an entry point of the group ``asd.detectors``; names of
detectors that are files here are taken first. Listing them imports none of them; a
detector's libraries are loaded when it is first asked for.
"""

import json
import pkgutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asd.config.recipes import recipe_names
from asd.errors import ConfigError, DetectorError
from asd.language import tr
from asd.plugins import module_class, plugin_class, plugin_names

if TYPE_CHECKING:
    from asd.detectors.base import Detector

GROUP = "asd.detectors"
"""Entry points of this group are detectors of other packages."""


def names() -> list[str]:
    """The words that may stand after ``model=``, in alphabetical order."""
    return sorted({*_own_names(), *plugin_names(GROUP)})


@cache
def detector_class(name: str) -> "type[Detector[Any]]":
    """The detector of that name.

    Raises
    ------
    ConfigError
        There is no such detector; the message lists those there are.
    DetectorError
        The file, or the entry point, does not give a detector of that name.
    """
    from asd.detectors.base import Detector

    check_known(name)
    if name not in _own_names():
        return plugin_class(GROUP, name, Detector, DetectorError)
    return module_class(f"{__name__}.{name}", Detector, DetectorError)


def check_known(name: str) -> None:
    """Refuse a detector that there is not, without loading any.

    Raises
    ------
    ConfigError
        The message lists those there are.
    """
    if name not in names():
        known = ", ".join(sorted([*names(), *recipe_names()]))
        raise ConfigError(
            tr("model={name!r}: unknown model; known models are {known}", name=name, known=known)
        )


def _own_names() -> list[str]:
    modules = (module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    return [name for name in modules if name != "base" and not name.startswith("_")]


def load(folder: Path) -> "Detector[Any]":
    """Read a saved detector of any kind from `folder`.

    Raises
    ------
    DetectorError
        The folder does not hold a saved detector.
    """
    try:
        name = json.loads((folder / "detector.json").read_text(encoding="utf-8"))["name"]
    except (OSError, ValueError, KeyError) as error:
        raise DetectorError(
            tr("{folder}: not a saved detector ({error})", folder=folder, error=error)
        ) from error
    return detector_class(name).load(folder)
