"""What is to be fitted, in one value: branches, how they are fused, and how a threshold is set.

A recipe is what `train`, `compare`, `sweep` and `main` fit; it is written as YAML, and logged with
each model.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, model_validator

from asd.config.base import Config, flatten
from asd.config.cli import read_yaml
from asd.config.threshold import ThresholdConfig
from asd.language import tr

Fusion = Literal["mean", "logmeanexp"]


def _word(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


PerMachine = Annotated[Literal["false", "true", "auto"], BeforeValidator(_word)]


class Branch(Config):
    """A front end and a detector on what it gives."""

    label: str = Field("", pattern=r"^[\w-]*$")
    """Name in params and plots; the detector's, with a number where it stands twice, if not
    given."""
    model: str = Field(min_length=1)
    """Which detector."""
    detector: dict[str, Any] = Field(default_factory=dict)
    """The detector's own fields."""
    features: dict[str, Any] = Field(default_factory=dict)
    """The front end's own fields; `name` says which, log-mel where not given."""
    tilt_db: float = Field(0.0, ge=0)
    """By how much a clip's spectrum may lean otherwise than the training clips', low notes against
    high, in dB from the lowest row to the highest, without the branch hearing it: as through
    another microphone. 0 hears every lean."""
    weight: float = Field(1.0, gt=0)
    """How much of a say the branch has beside the others."""


class Recipe(Config):
    """One way to listen."""

    label: str = Field(min_length=1)
    """Name of the whole: of a model in the UI, of a row in tables."""
    branches: tuple[Branch, ...] = Field(min_length=1)
    """One or more."""
    fusion: Fusion = "mean"
    """How the standardised logarithms of the branches' scores become one score: their weighted
    mean, or the logarithm of their mean exponential, in which the most alarmed has more of a
    say."""
    threshold: ThresholdConfig = ThresholdConfig()
    """The decision threshold."""
    per_machine: PerMachine = "false"
    """A detector for each machine beside the one over all: `auto` for machines whose recordings can
    promise the false-alarm rate asked for."""
    seed: int = Field(42, ge=0)
    """Seed of everything random."""

    @model_validator(mode="before")
    @classmethod
    def _name_branches(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or not values.get("branches"):
            return values
        branches = [
            b.model_dump() if isinstance(b, Branch) else dict(b) for b in values["branches"]
        ]
        models = [branch.get("model", "") for branch in branches]
        for place, branch in enumerate(branches):
            if not branch.get("label"):
                nth = models[: place + 1].count(models[place])
                branch["label"] = models[place] if nth == 1 else f"{models[place]}-{nth}"
        return {**values, "branches": branches}

    @model_validator(mode="after")
    def _labels_differ(self) -> "Recipe":
        labels = [branch.label for branch in self.branches]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(
                tr("branches: {twice} stands twice; give each another label", twice=twice[0])
            )
        return self

    @property
    def model(self) -> str:
        """The detector of a recipe of one branch; of several, the recipe's label."""
        return self.branches[0].model if len(self.branches) == 1 else self.label

    def flat(self, prefix: str = "") -> dict[str, Any]:
        """The recipe under the names by which params are logged.

        A recipe of one branch has ``detector``, ``detector.<field>`` and ``features.<field>``;
        of several, ``fusion``, and each branch ``<label>.detector`` and so on.
        """
        shared = {**flatten(self.threshold.model_dump(mode="json"), "threshold.")}
        values: dict[str, Any] = {"detector": self.model, **shared, "seed": self.seed}
        if self.per_machine != "false":
            values["per_machine"] = self.per_machine
        if len(self.branches) == 1:
            values |= _flat_branch(self.branches[0], "")
        else:
            values["fusion"] = self.fusion
            for branch in self.branches:
                values |= {f"{branch.label}.detector": branch.model}
                values |= {f"{branch.label}.weight": branch.weight}
                values |= _flat_branch(branch, f"{branch.label}.")
        return {f"{prefix}{key}": value for key, value in values.items()}

    def to_yaml(self) -> str:
        """The recipe as YAML, fit for ``train -P config=``."""
        values = self.model_dump(mode="json")
        return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a recipe that `to_yaml` or a person wrote."""
        return cls.parse(read_yaml(path))


def _flat_branch(branch: Branch, prefix: str) -> dict[str, Any]:
    # Log-mel, the usual front end, goes without saying: params have the names they always had.
    features = {k: v for k, v in branch.features.items() if (k, v) != ("name", "logmel")}
    tilt = {f"{prefix}tilt_db": branch.tilt_db} if branch.tilt_db else {}
    return {
        **flatten(branch.detector, f"{prefix}detector."),
        **flatten(features, f"{prefix}features."),
        **tilt,
    }
