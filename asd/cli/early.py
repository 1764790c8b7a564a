"""What can be refused at once, before the libraries that do the work are loaded."""

from pathlib import Path
from typing import Any

from asd.config.base import Config
from asd.config.recipes import recipe_names
from asd.config.steps import DEMO, DEMO_DATA, TrainMachinesConfig
from asd.data.manifest import MANIFEST_NAME
from asd.detectors import check_known
from asd.errors import ConfigError, DataError
from asd.language import tr
from asd.remote import is_url

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
    for folder in map(Path, _here(values.get("data"))):
        if not (isinstance(config, TrainMachinesConfig) and _holds_data_sets(folder)):
            _check_dataset(folder)
    for key in ("source", "checkpoint"):
        for path in _here(values.get(key)):
            if path != DEMO and not Path(path).exists():
                raise DataError(
                    tr("{path}: no such file or folder; check {key}", path=path, key=key)
                )


def _here(value: Any) -> list[str]:
    """The folders and files that are on this machine: of others, nothing is known at once."""
    return [word for word in _several(value) if not is_url(word)]


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


def _holds_data_sets(folder: Path) -> bool:
    return any(folder.glob(f"*/{MANIFEST_NAME}"))


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
