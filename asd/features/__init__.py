"""Front ends, and the store that keeps what they give.

Front ends are found by the names of their files, or by the entry points of other packages (group
``asd.features``); names of files here are taken first. Listing them imports none of them; a front
end's libraries are loaded when it is first asked for.
"""

import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from asd.errors import ConfigError, FeatureError
from asd.language import tr
from asd.plugins import module_class, plugin_class, plugin_names

if TYPE_CHECKING:
    from asd.features.base import FrontEnd

DEFAULT = "logmel"
GROUP = "asd.features"
"""Entry points of this group are front ends of other packages."""
_NO_FRONT_ENDS = {"base", "clipset", "store"}


def names() -> list[str]:
    """The words that may stand after ``features.name=``, in alphabetical order."""
    return sorted({*_own_names(), *plugin_names(GROUP)})


@cache
def front_end_class(name: str) -> "type[FrontEnd[Any]]":
    """The front end of that name.

    Raises
    ------
    ConfigError
        There is no such front end; the message lists those there are.
    FeatureError
        The file, or the entry point, does not give a front end of that name.
    """
    from asd.features.base import FrontEnd

    if name not in names():
        known = ", ".join(names())
        raise ConfigError(
            tr(
                "features.name={name!r}: unknown front end; known ones are {known}",
                name=name,
                known=known,
            )
        )
    if name not in _own_names():
        return plugin_class(GROUP, name, FrontEnd, FeatureError)
    return module_class(f"{__name__}.{name}", FrontEnd, FeatureError)


def _own_names() -> list[str]:
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return [name for name in modules if name not in _NO_FRONT_ENDS and name[0] != "_"]


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
