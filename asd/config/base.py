"""The base of all typed configuration, and one-line errors for what does not fit."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from asd.config.words import what_is_wrong
from asd.errors import ConfigError
from asd.language import tr


class Documented:
    """Marks a field of free keys: which config says what they are, where none else is named.

    Parameters
    ----------
    config : type of Config
        Its keys stand in ``--help``.
    """

    def __init__(self, config: "type[Config]") -> None:
        self.config = config


class Config(BaseModel):
    """A frozen set of named values; unknown keys and values out of range are errors.

    So are infinity and NaN: no score is greater than a threshold that is no number.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    @classmethod
    def parse(cls, values: Mapping[str, Any], prefix: str = "") -> Self:
        """Build the config from plain values.

        Parameters
        ----------
        values : mapping
            Field names to values; nested configs are nested mappings.
        prefix : str
            Put before each key in error messages, for example ``"detector."``.

        Raises
        ------
        ConfigError
            Names each wrong key, what was given and what is valid.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(_one_line(cls, error, prefix)) from error

    @classmethod
    def keys(cls, prefix: str = "") -> list[str]:
        """Every dotted key that the config understands, in order of declaration.

        Those that are not logged come last.
        """
        keys: list[str] = []
        for name, field in sorted(cls.model_fields.items(), key=lambda item: bool(item[1].exclude)):
            documented = [mark for mark in field.metadata if isinstance(mark, Documented)]
            kind = documented[0].config if documented else field.annotation
            if isinstance(kind, type) and issubclass(kind, Config):
                keys += kind.keys(f"{prefix}{name}.")
            else:
                keys.append(f"{prefix}{name}")
        return keys

    def flat(self, prefix: str = "") -> dict[str, Any]:
        """The config as dotted keys and plain values, as they are logged to MLflow."""
        return flatten(self.model_dump(mode="json"), prefix)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one mapping with dotted keys.

    Examples
    --------
    >>> flatten({"a": {"b": 1}, "c": 2})
    {'a.b': 1, 'c': 2}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _one_line(config: type[Config], error: ValidationError, prefix: str) -> str:
    return "; ".join(_describe(config, problem, prefix) for problem in error.errors())


def _describe(config: type[Config], problem: Any, prefix: str) -> str:
    message = what_is_wrong(problem)
    given = problem.get("input")
    key = prefix + ".".join(_field_names(problem["loc"]))
    if problem["type"] == "extra_forbidden":
        valid = ", ".join(config.keys(prefix))
        if not valid:
            return tr("{key}: unknown key; there are none", key=key)
        return tr("{key}: unknown key; valid keys are {valid}", key=key, valid=valid)
    if problem["type"] == "missing" and isinstance(problem["loc"][-1], str):
        return tr("{key}: a value is required; give it as -P {key}=...", key=key)
    if not key or isinstance(given, Mapping):
        return str(message)
    return f"{key}={given!r}: {message}"


def _field_names(location: tuple[str | int, ...]) -> Iterator[str]:
    """The part of pydantic's location that a user wrote: no list index, no union member."""
    return (part for part in map(str, location) if part.isidentifier())
