"""Front ends, found by the names of their files, and the store that keeps what they give.

Listing them imports none of them; a front end's libraries are loaded when it is first asked for.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from asd.errors import ConfigError, FeatureError

if TYPE_CHECKING:
    from asd.features.base import FrontEnd

DEFAULT = "logmel"
_NO_FRONT_ENDS = {"base", "clipset", "store"}


def names() -> list[str]:
    """The words that may stand after ``features.name=``, in alphabetical order."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in modules if name not in _NO_FRONT_ENDS and name[0] != "_")


@cache
def front_end_class(name: str) -> "type[FrontEnd[Any]]":
    """The front end of that name.

    Raises
    ------
    ConfigError
        There is no such front end; the message lists those there are.
    """
    from asd.features.base import FrontEnd

    if name not in names():
        known = ", ".join(names())
        raise ConfigError(f"features.name={name!r}: unknown front end; known ones are {known}")
    module = importlib.import_module(f"{__name__}.{name}")
    for value in vars(module).values():
        is_front_end = isinstance(value, type) and issubclass(value, FrontEnd)
        if is_front_end and value.__module__ == module.__name__:
            kind: type[FrontEnd[Any]] = value
            return kind
    raise FeatureError(f"{module.__file__}: defines no subclass of FrontEnd")


def front_end(fields: Mapping[str, Any]) -> "FrontEnd[Any]":
    """A front end from its fields, among them ``name``; log-mel where that is not given.

    Raises
    ------
    ConfigError
        The name or a field is not valid.
    """
    own = {key: value for key, value in fields.items() if key != "name"}
    kind = front_end_class(str(fields.get("name", DEFAULT)))
    return kind(kind.Config.parse(own, "features."))
