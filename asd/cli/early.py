"""What can be refused at once, before the libraries that do the work are loaded."""

from pathlib import Path
from typing import Any

from asd.config.base import Config
from asd.config.recipes import recipe_names
from asd.config.steps import DEMO, DEMO_DATA
from asd.data.manifest import MANIFEST_NAME
from asd.detectors import check_known
from asd.errors import ConfigError, DataError
from asd.language import tr

_WORDS = {"all", ""}


def check(config: Config) -> None:
    """Look whether models are known and files there, as far as that takes no time.

    Raises
    ------
    ConfigError
        A model is unknown.
    DataError
        A file or folder is missing, or is no data set.
    """
    values = {name: getattr(config, name) for name in type(config).model_fields}
    for key in ("model", "models"):
        for name in _several(values.get(key)):
            _check_model(name)
    for folder in _several(values.get("data")):
        _check_dataset(Path(folder))
    for key in ("source", "checkpoint"):
        path = values.get(key)
        if path and path != DEMO and not Path(path).exists():
            raise DataError(tr("{path}: no such file or folder; check {key}", path=path, key=key))


def _several(value: Any) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,) if value else ()


def _check_model(name: str) -> None:
    if name in _WORDS or name in recipe_names():
        return
    if name.endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise ConfigError(tr("{name}: no such file; give a YAML file with a recipe", name=name))
        return
    check_known(name)


def _check_dataset(root: Path) -> None:
    if root == Path(DEMO_DATA) and not root.exists():
        return
    if not (root / MANIFEST_NAME).is_file():
        raise DataError(
            tr(
                "{root}: no data set here (no {name}); make one with preprocess",
                root=root,
                name=MANIFEST_NAME,
            )
        )
