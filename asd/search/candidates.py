"""From a sweep's configuration to what may be tried, and from a point of it to a recipe."""

from collections.abc import Mapping, Sequence
from typing import Any

from asd import detectors
from asd.config import LogMelConfig, ThresholdConfig, flatten
from asd.config.recipe import Recipe
from asd.config.recipes import recipe_names, recipe_of
from asd.config.search import Value
from asd.config.steps import SweepConfig, TrainConfig
from asd.detectors.base import DetectorConfig
from asd.errors import ConfigError
from asd.language import tr
from asd.pipeline.branches import resolved
from asd.search.space import Axis, Choices, Space, axes_of

_THRESHOLD_FIELDS = {
    "false_alarm_rate": ("conformal",),
    "k": ("mean_std",),
    "quantile": ("quantile", "gamma"),
}
"""By which methods a field of the threshold is used."""
_IN_SAMPLES = ("features.n_fft", "features.hop_length")
_IN_HERTZ = ("features.f_min", "features.f_max")


class Candidates:
    """What a sweep may try.

    Parameters
    ----------
    config : SweepConfig
        Fields with a value stay as they are; ``space`` narrows or widens the rest.
    sample_rate : int
        Rate of the clips in Hz; the front end's where the user gives no other.

    Raises
    ------
    ConfigError
        A model, a key or a range is not valid.
    """

    def __init__(self, config: SweepConfig, sample_rate: int) -> None:
        self.models = _models(config.model)
        self._config = config
        self._features = {
            "sample_rate": sample_rate,
            **config.features,
        }
        self._check_given()
        self.space = Space(tuple(self._axes()))

    def recipe(self, values: Mapping[str, Value]) -> Recipe:
        """The recipe at a point of the space, every field filled in."""
        name = str(values.get("detector", self.models[0]))
        given = self._config.threshold.model_dump(exclude_unset=True)
        threshold = ThresholdConfig.parse(given | _below("threshold.", values), "threshold.")
        wish = TrainConfig(
            model=name,
            detector=self._given(name) | _below(self._prefix(name), values),
            features=self._features | _below("features.", values),
            threshold=threshold,
            per_machine=self._config.per_machine,
            seed=self._config.seed,
        )
        return resolved(recipe_of(wish), self._features["sample_rate"])

    def defaults(self) -> list[dict[str, Value]]:
        """The point of each detector's defaults."""
        points = []
        for name in self.models:
            kind = self._kind(name)
            own = {} if kind is None else kind.parse(self._given(name)).flat(self._prefix(name))
            points.append(
                {
                    "detector": name,
                    **own,
                    **LogMelConfig.parse(self._features).flat("features."),
                    **self._config.threshold.flat("threshold."),
                }
            )
        return points

    def default(self) -> Recipe | None:
        """What would be trained without a sweep: the usual detector, or else the first of them.

        None where the ranges that the user gives leave it out.
        """
        usual = TrainConfig().model
        index = self.models.index(usual) if usual in self.models else 0
        values = self.space.inside(self.defaults()[index])
        held = all(axis.key in values for axis in self.space.axes if axis.active(values))
        return self.recipe(values) if held else None

    def _axes(self) -> Sequence[Axis]:
        ranges = flatten(self._config.space)
        valid = [f"{p}{f}" for p, kind in self._kinds().items() for f in kind.model_fields]
        axes = [] if len(self.models) == 1 else [Axis("detector", Choices(self.models))]
        for name in self.models:
            kind = self._kind(name)
            when = ("detector", (name,)) if len(self.models) > 1 else None
            if kind is not None:
                axes += axes_of(kind, self._prefix(name), self._given(name), ranges, when)
        asked = set(ranges)
        for axis in axes_of(LogMelConfig, "features.", self._features, ranges):
            heard = axis if axis.key in asked else self._heard(axis)
            axes += [heard] if heard else []
        axes += self._threshold_axes(ranges)
        if ranges:
            key = min(ranges)
            known = ", ".join(f"space.{key}" for key in valid)
            raise ConfigError(
                tr("space.{key}: unknown key; valid keys are {known}", key=key, known=known)
            )
        return axes

    def _threshold_axes(self, ranges: dict[str, Any]) -> list[Axis]:
        """The threshold moves no ranking of clips: it is searched for `f1` alone."""
        if "f1" not in self._config.metric:
            asked = next((key for key in ranges if key.startswith("threshold.")), None)
            if asked:
                raise ConfigError(
                    tr(
                        "space.{asked}: metric={metric} does not depend on the threshold; "
                        "search it with metric=f1",
                        asked=asked,
                        metric=",".join(self._config.metric),
                    )
                )
            return []
        given = self._config.threshold.model_dump(exclude_unset=True)
        declared = axes_of(ThresholdConfig, "threshold.", given, ranges)
        method = self._config.threshold.method
        searched = any(axis.key == "threshold.method" for axis in declared)
        axes = []
        for axis in declared:
            methods = _THRESHOLD_FIELDS.get(axis.key.removeprefix("threshold."))
            if methods is None:
                axes.append(axis)
            elif searched:
                axes.append(Axis(axis.key, axis.dimension, ("threshold.method", methods)))
            elif method in methods:
                axes.append(axis)
        return axes

    def _heard(self, axis: Axis) -> Axis | None:
        """A declared axis at this sample rate; None where it leaves nothing to choose.

        Windows are scaled to be as long as at the usual rate, and there are no frequencies above
        those that the clips have.
        """
        if axis.key not in (*_IN_SAMPLES, *_IN_HERTZ):
            return axis
        assert isinstance(axis.dimension, Choices)  # nosec B101 # so are all of these keys
        values = axis.dimension.values
        if axis.key in _IN_SAMPLES:
            rate = {"sample_rate": self._features["sample_rate"]}
            factor = LogMelConfig.parse(rate).n_fft / LogMelConfig().n_fft
            scaled = (int(v * factor) for v in values if isinstance(v, int))
            return Axis(axis.key, Choices(tuple(scaled)))
        top = float(self._features.get("f_max") or self._features["sample_rate"] / 2)
        kept = [v for v in values if not isinstance(v, float) or v < top]
        return Axis(axis.key, Choices(tuple(kept))) if len(kept) > 1 else None

    def _kinds(self) -> dict[str, Any]:
        kinds = {self._prefix(name): self._kind(name) for name in self.models}
        own = {prefix: kind for prefix, kind in kinds.items() if kind is not None}
        return {**own, "features.": LogMelConfig, "threshold.": ThresholdConfig}

    def _kind(self, name: str) -> type[DetectorConfig] | None:
        """The config of a detector; None for a recipe of several branches, tried as it is."""
        return None if name in recipe_names() else detectors.detector_class(name).Config

    def _prefix(self, name: str) -> str:
        return "detector." if len(self.models) == 1 else f"detector.{name}."

    def _given(self, name: str) -> dict[str, Any]:
        given = self._config.detector
        return dict(given if len(self.models) == 1 else given.get(name, {}))

    def _check_given(self) -> None:
        unknown = sorted(set(self._config.detector) - set(self.models))
        if len(self.models) > 1 and unknown:
            raise ConfigError(
                tr(
                    "detector.{unknown}: not among model={models}; write detector.<model>.<field>",
                    unknown=unknown[0],
                    models=",".join(self.models),
                )
            )
        for name in self.models:
            kind = self._kind(name)
            if kind is not None:
                kind.parse(self._given(name), self._prefix(name))
        LogMelConfig.parse(self._features, "features.")


def _models(words: Sequence[str]) -> tuple[str, ...]:
    every = sorted([*detectors.names(), *recipe_names()])
    names = every if "all" in words else list(dict.fromkeys(words))
    for name in names:
        if name not in recipe_names():
            detectors.detector_class(name)
    return tuple(names)


def _below(prefix: str, values: Mapping[str, Value]) -> dict[str, Value]:
    return {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}
