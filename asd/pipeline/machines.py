"""One detector over all machines, or one a machine."""

import math

from asd.config.recipe import Recipe
from asd.data.manifest import Dataset
from asd.language import Remark, tr
from asd.pipeline.folds import unit_of

Sides = tuple[Dataset, Dataset]


def with_own_detector(
    recipe: Recipe, train: Dataset, valid: Dataset
) -> tuple[dict[str, Sides], Remark]:
    """Machines that get a detector of their own, with their clips, and a remark for the user.

    Parameters
    ----------
    recipe : Recipe
        With ``per_machine=true`` it is each machine that has training and validation clips, with
        ``auto`` each of these whose recordings can promise the false-alarm rate asked for.
    train, valid : Dataset
        Normal clips of all machines.
    """
    if recipe.per_machine == "false":
        return {}, Remark()
    if len({clip.machine for clip in train.clips + valid.clips}) < 2:
        wish = recipe.per_machine
        return {}, Remark.of(
            lambda: tr("per_machine={per_machine}: there is one machine only", per_machine=wish)
        )
    machines = _sides(train, valid)
    if recipe.per_machine == "true":
        return machines, Remark()
    least = math.ceil(1 / recipe.threshold.false_alarm_rate - 1e-9) - 1
    enough = {name: sides for name, sides in machines.items() if _units(sides) >= least}
    if not enough:
        return {}, Remark.of(
            lambda: tr(
                "per_machine=auto: one detector for all, no machine has {least} recordings",
                least=least,
            )
        )
    names = ", ".join(enough)
    return enough, Remark.of(
        lambda: tr("per_machine=auto: detectors of their own for {enough}", enough=names)
    )


def _sides(train: Dataset, valid: Dataset) -> dict[str, Sides]:
    """The clips of each machine that has some on both sides."""
    names = sorted({c.machine for c in train.clips} & {c.machine for c in valid.clips})
    return {
        name: (
            train.select(lambda clip, name=name: clip.machine == name),  # type: ignore[misc]
            valid.select(lambda clip, name=name: clip.machine == name),  # type: ignore[misc]
        )
        for name in names
    }


def _units(sides: Sides) -> int:
    return len({unit_of(clip) for side in sides for clip in side.clips})
