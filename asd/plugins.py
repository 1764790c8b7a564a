"""Classes found by name: in a file of their own, or brought by another installed package.

Another package says in its ``pyproject.toml`` what it brings::

    [project.entry-points."asd.detectors"]
    loudness = "mypackage.loudness:Loudness"
"""

import importlib
from importlib import metadata
from typing import Any

from asd.errors import AsdError
from asd.language import tr


def module_class(name: str, base: type[Any], error: type[AsdError]) -> type[Any]:
    """Import a module and give the class that it defines.

    Parameters
    ----------
    name : str
        Of the module, with its package.
    base : type
        What the class has to be derived from.
    error : type
        What is raised.

    Raises
    ------
    AsdError
        The module defines no such class.
    """
    module = importlib.import_module(name)
    for value in vars(module).values():
        is_derived = isinstance(value, type) and issubclass(value, base)
        if is_derived and value.__module__ == module.__name__:
            kind: type[Any] = value
            return kind
    raise error(
        tr("{file}: defines no subclass of {name}", file=module.__file__, name=base.__name__)
    )


def plugin_names(group: str) -> list[str]:
    """Names of the entry points of a group, in alphabetical order; nothing is imported.

    Parameters
    ----------
    group : str
        ``asd.detectors`` or ``asd.features``.
    """
    return sorted({point.name for point in metadata.entry_points(group=group)})


def plugin_class(group: str, name: str, base: type[Any], error: type[AsdError]) -> type[Any]:
    """Import the class that an entry point names.

    Parameters
    ----------
    group, name : str
        The entry point, one of those that `plugin_names` lists.
    base : type
        What the class has to be derived from; its attribute `name` has to be that of the entry
        point, since saved models are read back by it.
    error : type
        What is raised.

    Raises
    ------
    AsdError
        It cannot be imported, or is no such class. Names the entry point and what it stands for.
    """
    [point, *_] = metadata.entry_points(group=group, name=name)
    source = f"{point.value} (entry point {name} of {group})"
    try:
        kind = point.load()
    except (ImportError, AttributeError) as problem:
        raise error(
            tr(
                "{source}: cannot be imported ({problem}); mend or uninstall that package",
                source=source,
                problem=problem,
            )
        ) from problem
    if not (isinstance(kind, type) and issubclass(kind, base)):
        raise error(
            tr(
                "{source}: must be a class derived from {module}.{name}",
                source=source,
                module=base.__module__,
                name=base.__name__,
            )
        )
    own_name = getattr(kind, "name", "")
    if own_name != name:
        raise error(
            tr(
                "{source}: its attribute name is {own_name!r}, it must be {name!r}",
                source=source,
                own_name=own_name,
                name=name,
            )
        )
    return kind
