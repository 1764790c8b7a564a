"""What a sweep may try: the ranges that stand beside config fields, narrowed or widened by hand.

Keys are those of the configuration, as ``features.n_mels`` or ``detector.k``.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import optuna
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from asd.config import Config
from asd.config.search import Choose, Search, Value
from asd.errors import ConfigError
from asd.language import tr

Values = Mapping[str, Value]

_LEVELS = 4
"""Values to which a grid cuts a range."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def suggest(self, trial: optuna.Trial, key: str) -> Value:
        """Let the sampler choose."""
        if self.integer:
            return trial.suggest_int(key, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(key, self.low, self.high, log=self.log)

    def holds(self, value: Value) -> bool:
        """Whether `value` is in the range."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    def cut(self) -> "Choices":
        """A few values of the range, evenly spread, for a grid."""
        spread = np.geomspace if self.log else np.linspace
        values = spread(self.low, self.high, _LEVELS).tolist()
        if self.integer:
            return Choices(tuple(sorted({round(value) for value in values})))
        return Choices(tuple(dict.fromkeys(values)))


@dataclass(frozen=True)
class Choices:
    """A few values without an order."""

    values: tuple[Value, ...]

    def suggest(self, trial: optuna.Trial, key: str) -> Value:
        """Let the sampler choose."""
        chosen: Value = trial.suggest_categorical(key, self.values)
        return chosen

    def holds(self, value: Value) -> bool:
        """Whether `value` is among them."""
        return value in self.values

    def cut(self) -> "Choices":
        """The same."""
        return self


Dimension = Range | Choices


@dataclass(frozen=True)
class Axis:
    """One key and what it may be."""

    key: str
    dimension: Dimension
    when: tuple[str, tuple[Value, ...]] | None = None
    """The axis is there only while that earlier key has one of these values."""

    def active(self, values: Values) -> bool:
        """Whether the axis is there, given the values of earlier ones."""
        return self.when is None or values.get(self.when[0]) in self.when[1]


@dataclass(frozen=True)
class Space:
    """All axes, in an order in which conditions come after what they depend on."""

    axes: tuple[Axis, ...]

    def suggest(self, trial: optuna.Trial) -> dict[str, Value]:
        """One point, chosen by the sampler."""
        values: dict[str, Value] = {}
        for axis in self.axes:
            if axis.active(values):
                values[axis.key] = axis.dimension.suggest(trial, axis.key)
        return values

    def inside(self, values: Values) -> dict[str, Value]:
        """The part of `values` that the space can hold."""
        dimensions = {axis.key: axis.dimension for axis in self.axes}
        return {
            key: value
            for key, value in values.items()
            if key in dimensions and dimensions[key].holds(value)
        }

    def grid(self) -> "Space":
        """The same space with each range cut to a few values."""
        return Space(tuple(Axis(axis.key, axis.dimension.cut(), axis.when) for axis in self.axes))

    def size(self) -> int:
        """Number of points of a `grid`."""
        return _count(self.axes, {})


def axes_of(
    kind: type[Config],
    prefix: str,
    given: Mapping[str, Any],
    overrides: MutableMapping[str, Any],
    when: tuple[str, tuple[Value, ...]] | None = None,
) -> list[Axis]:
    """The axes of a config: fields that declare a range, and those that the user gives one.

    Parameters
    ----------
    kind : type of Config
        Its ranges stand beside its fields, see `asd.detectors.base.DetectorConfig`.
    prefix : str
        Put before the names of fields, for example ``"features."``.
    given : mapping
        Fields that have a value already: these are not searched.
    overrides : mutable mapping
        Dotted keys to the user's ranges; those with `prefix` are taken out.
    when : tuple, optional
        Condition of all these axes.

    Raises
    ------
    ConfigError
        A range does not fit its field, or belongs to a field that has a value.
    """
    axes = []
    for name, field in kind.model_fields.items():
        key = prefix + name
        declared = _declared(field)
        if key in overrides:
            if name in given:
                raise ConfigError(
                    tr("space.{key}: {key} has a value already; leave one of them out", key=key)
                )
            axes.append(Axis(key, _override(key, overrides.pop(key), declared, field), when))
        elif declared is not None and name not in given:
            axes.append(Axis(key, declared, when))
    return axes


def _declared(field: FieldInfo) -> Dimension | None:
    for mark in field.metadata:
        if isinstance(mark, Choose):
            return Choices(tuple(mark.values))
        if isinstance(mark, Search):
            return Range(mark.low, mark.high, mark.log, int in _types(field))
    return None


def _override(key: str, raw: Any, declared: Dimension | None, field: FieldInfo) -> Dimension:
    """``low,high`` for a number, unless its declared range is a list; else a list of values."""
    parts = raw.split(",") if isinstance(raw, str) else raw
    words = parts if isinstance(parts, list | tuple) else [parts]
    values = tuple(_value(key, field, word) for word in words)
    types = _types(field)
    numbers = [value for value in values if isinstance(value, int | float)]
    is_range = len(numbers) == len(values) == 2 and bool not in types
    if not is_range or isinstance(declared, Choices):
        return Choices(tuple(dict.fromkeys(values)))
    low, high = numbers
    if low > high:
        raise ConfigError(
            tr("space.{key}={raw}: write the lower number first, as in 1,8", key=key, raw=raw)
        )
    log = isinstance(declared, Range) and declared.log and low > 0
    return Range(low, high, log, int in types)


def _value(key: str, field: FieldInfo, part: Any) -> Value:
    """One end or choice as the field's own type, checked by the field's own rules.

    Rules about several fields wait for the trial that breaks them: another value of the other
    field may go with this one.
    """
    text = part.strip() if isinstance(part, str) else part
    try:
        value: Value = TypeAdapter(field.rebuild_annotation()).validate_python(text)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise ConfigError(
            tr("space.{key}={value!r}: {reason}", key=key, value=text, reason=reason)
        ) from error
    return value


def _types(field: FieldInfo) -> tuple[Any, ...]:
    return get_args(field.annotation) or (field.annotation,)


def _count(axes: Sequence[Axis], values: Values) -> int:
    if not axes:
        return 1
    axis, rest = axes[0], axes[1:]
    if not axis.active(values):
        return _count(rest, values)
    choices = axis.dimension.cut().values
    if not any(later.when and later.when[0] == axis.key for later in rest):
        return len(choices) * _count(rest, values)
    return sum(_count(rest, {**values, axis.key: choice}) for choice in choices)
