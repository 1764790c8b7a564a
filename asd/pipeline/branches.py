"""Branches of a recipe: front ends and detectors made from plain fields."""

from typing import Any

from asd import detectors, features
from asd.config.recipe import Branch, Recipe
from asd.detectors.base import Detector
from asd.features.base import FrontEnd


def resolved(recipe: Recipe, sample_rate: int) -> Recipe:
    """The recipe with every field of every front end and detector filled in.

    Parameters
    ----------
    recipe : Recipe
        What the user wrote.
    sample_rate : int
        Rate of the clips in Hz, for front ends that are told no other.

    Raises
    ------
    ConfigError
        A model, a front end or a field is not valid; the message lists those that are.
    """
    branches = tuple(_resolved(branch, recipe, sample_rate) for branch in recipe.branches)
    return recipe.model_copy(update={"branches": branches})


def make_front_end(branch: Branch) -> FrontEnd[Any]:
    """The front end of a branch."""
    return features.front_end(branch.features)


def make_detector(branch: Branch, seed: int) -> Detector[Any]:
    """The detector of a branch, not fitted."""
    kind = detectors.detector_class(branch.model)
    return kind(kind.Config.parse(branch.detector, "detector."), seed)


def _resolved(branch: Branch, recipe: Recipe, sample_rate: int) -> Branch:
    kind = detectors.detector_class(branch.model)
    several = len(recipe.branches) > 1
    prefix = f"detector.{branch.label}." if several else "detector."
    own = kind.Config.parse(branch.detector, prefix)
    front_end = features.front_end({"sample_rate": sample_rate, **branch.features})
    return branch.model_copy(
        update={
            "detector": own.model_dump(mode="json"),
            "features": {"name": front_end.name, **front_end.config.model_dump(mode="json")},
        }
    )
