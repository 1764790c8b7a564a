"""Recipes as users name them: a detector, a recipe by name, or a YAML file of either."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asd.config.cli import read_yaml
from asd.config.recipe import Branch, Recipe
from asd.config.steps import FitConfig, TrainConfig
from asd.errors import ConfigError
from asd.language import tr

_FOLDER = Path(__file__).parents[1] / "recipes"
_SUFFIXES = (".yaml", ".yml")
_LEVELS = {"normalised": "power", "kept": "none"}
"""What `detector.level` of earlier releases is called as `features.level`."""

logger = logging.getLogger(__name__)


def recipe_names() -> list[str]:
    """The recipes that may stand after ``model=``, in alphabetical order."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def recipe_of(config: TrainConfig, label: str = "") -> Recipe:
    """What a training is told, as a recipe.

    Parameters
    ----------
    config : TrainConfig
        Its `branches` where it has some; else the recipe, or the detector, named by `model`.
        Of a recipe of several branches, ``detector.<label>.<field>`` changes one branch, and
        ``features.<field>`` all of them.
    label : str
        Name of the recipe; the model's where not given.

    Raises
    ------
    ConfigError
        A branch that does not exist is given fields.
    """
    fields, features = _retired(config.detector, config.features)
    shared = {name: getattr(config, name) for name in ("threshold", "per_machine", "seed")}
    if config.branches:
        base: Mapping[str, Any] = {
            "label": config.label or label or "recipe",
            "branches": config.branches,
            "fusion": config.fusion,
        }
    elif config.model in recipe_names():
        base = read_yaml(_FOLDER / f"{config.model}.yaml")
    else:
        branch = Branch(model=config.model, detector=fields, features=features)
        name = label or config.label or config.model
        return Recipe(label=name, branches=(branch,), **shared)
    given = {key: base[key] for key in ("label", "branches", "fusion") if key in base}
    recipe = Recipe.parse({**given, **shared})
    branches = _changed(recipe, fields, features)
    return recipe.model_copy(update={"branches": branches, "label": label or recipe.label})


def read_recipes(
    words: Sequence[str], shared: FitConfig, fields: Mapping[str, Mapping[str, Any]]
) -> list[Recipe]:
    """The recipe of each word of a list such as ``models=auto,knn,configs/original-cnn.yaml``.

    Parameters
    ----------
    words : sequence of str
        Names of detectors or recipes, or YAML files as for ``train -P config=``.
    shared : FitConfig
        Front end, threshold and seed of those given by name. A file has its own; only the seed
        is shared with it.
    fields : mapping
        The detectors' own fields, by name.

    Raises
    ------
    ConfigError
        A file cannot be read, or fields are given for a detector that is not listed by name.
    """
    unknown = sorted(set(fields) - set(words))
    if unknown:
        raise ConfigError(
            tr(
                "detector.{unknown}: not among models={words}; write detector.<model>.<field>",
                unknown=unknown[0],
                words=",".join(words),
            )
        )
    return [_read(word, shared, fields.get(word, {})) for word in words]


def _read(word: str, shared: FitConfig, fields: Mapping[str, Any]) -> Recipe:
    if word.endswith(_SUFFIXES):
        values = {**read_yaml(Path(word)), "seed": shared.seed}
        return recipe_of(TrainConfig.parse(values), Path(word).stem)
    common = {name: getattr(shared, name) for name in FitConfig.model_fields}
    return recipe_of(TrainConfig(model=word, detector=dict(fields), **common))


def _changed(
    recipe: Recipe, fields: Mapping[str, Any], features: Mapping[str, Any]
) -> tuple[Branch, ...]:
    """The branches with the fields that the user gives them."""
    labels = [branch.label for branch in recipe.branches]
    for label, own in fields.items():
        if label not in labels or not isinstance(own, Mapping):
            raise ConfigError(
                tr(
                    "detector.{label}: {label2} has several branches; write "
                    "detector.<branch>.<field>, where <branch> is one of {labels}",
                    label=label,
                    label2=recipe.label,
                    labels=", ".join(labels),
                )
            )
    return tuple(
        branch.model_copy(
            update={
                "detector": {**branch.detector, **fields.get(branch.label, {})},
                "features": {**branch.features, **features},
            }
        )
        for branch in recipe.branches
    )


def _retired(
    detector: Mapping[str, Any], features: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields of earlier releases under their present names, with a warning each."""
    fields, chosen = dict(detector), dict(features)
    level = fields.get("level")
    if level in _LEVELS:
        del fields["level"]
        if level == "normalised" and chosen.get("level") == "none":
            del chosen["level"]  # the front end's own default, written out, as in best.yaml
        chosen.setdefault("level", _LEVELS[level])
        logger.warning(
            "detector.level=%s is now features.level=%s, for every detector; please write it so",
            level,
            _LEVELS[level],
        )
    if fields.pop("budget_s", None) is not None:
        logger.warning(tr("detector.budget_s is no longer used: fitting auto takes bounded time"))
    return fields, chosen
