"""What each branch of a recipe hears of a clip: its front end, and the lean that it is deaf to."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asd.config.recipe import Recipe
from asd.data.manifest import Dataset
from asd.features.base import FrontEnd
from asd.features.clipset import ClipSet
from asd.features.store import FeatureStore
from asd.pipeline.branches import make_front_end
from asd.pipeline.equaliser import Equaliser
from asd.pipeline.tilt import Tilt


def listeners(
    recipe: Recipe, normal: Dataset, store: FeatureStore
) -> tuple[list[FrontEnd[Any]], list[Tilt | None]]:
    """Fit to normal clips what each branch hears.

    Parameters
    ----------
    recipe : Recipe
        A resolved recipe.
    normal : Dataset
        The clips whose lean is the usual one.
    store : FeatureStore
        Gives the features.

    Returns
    -------
    front_ends : list of FrontEnd
        One a branch.
    tilts : list of Tilt or None
        What of a clip's lean each branch does not hear.
    """
    front_ends = [make_front_end(branch) for branch in recipe.branches]
    known: dict[tuple[str, float], Tilt | None] = {}
    for branch, front_end in zip(recipe.branches, front_ends, strict=True):
        if (front_end.key, branch.tilt_db) not in known:
            clips = store.features(normal, front_end)
            known[front_end.key, branch.tilt_db] = Tilt.fit(branch, front_end, clips)
    pairs = zip(recipe.branches, front_ends, strict=True)
    return front_ends, [known[front_end.key, branch.tilt_db] for branch, front_end in pairs]


def heard(
    front_ends: Sequence[FrontEnd[Any]],
    tilts: Sequence[Tilt | None],
    features: Callable[[FrontEnd[Any]], ClipSet],
    equalisers: Mapping[str, Equaliser],
) -> list[ClipSet]:
    """What each branch hears; branches with the same front end, or that hear alike, share it.

    Parameters
    ----------
    front_ends, tilts
        As `listeners` gives them.
    features : callable
        Gives the clips as a front end hears them.
    equalisers : mapping of str to Equaliser
        By `FrontEnd.key`: what is taken off the clips first.
    """
    sets: dict[str, ClipSet] = {}
    views: dict[tuple[str, Tilt | None], ClipSet] = {}
    branches = list(zip(front_ends, tilts, strict=True))
    for end, tilt in branches:
        if end.key not in sets:
            clips, equaliser = features(end), equalisers.get(end.key)
            sets[end.key] = equaliser.heard(clips, end) if equaliser else clips
        if (end.key, tilt) not in views:
            clips = sets[end.key]
            views[end.key, tilt] = clips if tilt is None else tilt.heard(clips, end)
    return [views[end.key, tilt] for end, tilt in branches]
