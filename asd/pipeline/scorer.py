"""Fitted branches and their fusion: from features to one score a clip."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from asd import detectors
from asd.arrays import Indices, Matrix, Samples, Scores, Spectrogram
from asd.config.recipe import Recipe
from asd.data.manifest import Dataset
from asd.detectors.base import Detector, FitContext
from asd.errors import ConfigError
from asd.features.base import FrontEnd
from asd.features.clipset import ClipSet
from asd.features.store import FeatureStore
from asd.language import tr
from asd.parallel import in_threads
from asd.pipeline.branches import make_detector, make_front_end
from asd.pipeline.equaliser import Equaliser, enough_units, equalisers
from asd.pipeline.folds import calibration_folds, splits
from asd.pipeline.fusion import Fusion
from asd.pipeline.hearing import heard, listeners
from asd.pipeline.out_of_fold import OutOfFold, out_of_fold
from asd.pipeline.tilt import Tilt

SCALE_FOLDS = 4
"""Folds that tell the scale of branches where there is nothing to calibrate."""
_AT_ONCE = 64
"""Clips that a thread scores before it takes the next."""


@dataclass(frozen=True, eq=False)
class Scorer:
    """The fitted branches of a recipe."""

    front_ends: tuple[FrontEnd[Any], ...]
    detectors: tuple[Detector[Any], ...]
    fusion: Fusion
    tilts: tuple[Tilt | None, ...]
    """What of a clip's lean each branch does not hear."""
    equalisers: Mapping[str, Equaliser] = field(default_factory=dict)
    """What another unit sounds otherwise, by `FrontEnd.key`; not of models of earlier releases."""
    own: Mapping[str, "Scorer"] = field(default_factory=dict)
    """Scorers of machines that have one of their own; it judges what is of that machine."""

    @classmethod
    def fit(
        cls,
        recipe: Recipe,
        train: Dataset,
        valid: Dataset,
        store: FeatureStore,
        context: FitContext | None = None,
    ) -> Self:
        """Fit the branches of a resolved recipe, and the scale that they share.

        Parameters
        ----------
        recipe : Recipe
            As `asd.pipeline.branches.resolved` gives it.
        train, valid : Dataset
            Normal clips to learn from, and for early stopping; `valid` may be empty.
        store : FeatureStore
            Gives the features.
        context : FitContext, optional
            Circumstances of the fit.

        Raises
        ------
        NotEnoughClipsError
            A detector needs more clips.
        """
        scorer = cls.of_branches(recipe, train, valid, store, context)
        if len(recipe.branches) == 1:
            return scorer
        settled = scorer.settled(recipe)
        return scorer.scaled(recipe, out_of_fold(settled, train, store, context, SCALE_FOLDS))

    @classmethod
    def of_branches(
        cls,
        recipe: Recipe,
        train: Dataset,
        valid: Dataset,
        store: FeatureStore,
        context: FitContext | None = None,
    ) -> Self:
        """As `fit`; branches have no common scale before `scaled` has given them one."""
        context = context or FitContext()
        front_ends, tilts = listeners(recipe, train, store)
        inside, aside = (
            heard(front_ends, tilts, partial(store.features, side), {}) for side in (train, valid)
        )
        fitted = []
        for branch, learned, kept in zip(recipe.branches, inside, aside, strict=True):
            own = context.below(branch.label if len(recipe.branches) > 1 else "")
            fitted.append(make_detector(branch, recipe.seed).fit(learned, kept, own))
        spectra = equalisers(front_ends, train, store)
        no_scale = Fusion.fit(recipe, np.zeros((len(fitted), 1)))
        return cls.of(recipe, fitted, no_scale, tilts, spectra)

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        fitted: Sequence[Detector[Any]],
        fusion: Fusion,
        tilts: Sequence[Tilt | None] = (),
        equalisers: Mapping[str, Equaliser] | None = None,
    ) -> Self:
        """The scorer of a recipe whose detectors are fitted, in the order of its branches.

        Parameters
        ----------
        recipe : Recipe
            What was fitted, every field filled in.
        fitted : sequence of Detector
            One a branch.
        fusion : Fusion
            How their scores become one.
        tilts : sequence of Tilt or None, optional
            One a branch; all branches hear every lean where not given.
        equalisers : mapping of str to Equaliser, optional
            By `FrontEnd.key`.
        """
        front_ends = tuple(make_front_end(branch) for branch in recipe.branches)
        all_tilts = tuple(tilts) or (None,) * len(fitted)
        return cls(front_ends, tuple(fitted), fusion, all_tilts, equalisers or {})

    def scaled(self, recipe: Recipe, folds: OutOfFold) -> Self:
        """The same, with branches on the scale that out-of-fold scores of the recipe tell."""
        return replace(self, fusion=Fusion.fit(recipe, folds.scores))

    def settled(self, recipe: Recipe) -> Recipe:
        """The recipe whose networks learn for as long as the fitted ones did."""
        branches = tuple(
            branch.model_copy(update={"detector": fitted.settled().model_dump(mode="json")})
            for branch, fitted in zip(recipe.branches, self.detectors, strict=True)
        )
        return recipe.model_copy(update={"branches": branches})

    @property
    def sample_rate(self) -> int:
        """Rate in Hz of the samples that `score_samples` takes.

        Raises
        ------
        ConfigError
            The front ends were told different ones.
        """
        rates = {front_end.sample_rate for front_end in self.front_ends}
        if len(rates) > 1:
            listed = ", ".join(map(str, sorted(rates)))
            raise ConfigError(
                tr(
                    "features.sample_rate: branches have {listed} Hz; give all of them the same",
                    listed=listed,
                )
            )
        return rates.pop()

    def score(self, dataset: Dataset, store: FeatureStore) -> Scores:
        """Anomaly score of each clip of a data set, taken whole, ``(n_clips,)``."""
        scores = np.empty(len(dataset.clips))
        for scorer, places, part in self._by_machine(dataset):
            scores[places] = scorer._score(scorer._features(part, store))
        return scores

    def _score(self, sets: Sequence[ClipSet]) -> Scores:
        """As `score_features`, of many clips: on all cores where detectors leave them free."""
        if not all(detector.in_threads for detector in self.detectors):
            return self.score_features(sets)
        places = np.arange(len(sets[0]))
        parts = [places[first : first + _AT_ONCE] for first in range(0, len(places), _AT_ONCE)]

        def score(part: Indices) -> Scores:
            return self.score_features([clips.take(part) for clips in sets])

        return np.concatenate([np.empty(0), *in_threads(score, parts)])

    def score_features(self, sets: Sequence[ClipSet]) -> Scores:
        """Anomaly score of each clip, ``(n_clips,)``, from the features of each branch."""
        return self.fusion(self._branch_scores(sets))

    def for_unit(self, recipe: Recipe, normal: Dataset, store: FeatureStore) -> tuple[Self, Scores]:
        """The same detectors for another unit of the machine, and scores of its normal clips.

        What the unit sounds otherwise is taken off (`Equaliser`), and the scale of the branches is
        fitted anew. Each clip is scored without its own recording having told what to take off, as
        clips to come will be.

        Parameters
        ----------
        recipe : Recipe
            What was fitted.
        normal : Dataset
            Normal clips of the unit that the detectors have not seen.
        store : FeatureStore
            Gives the features.
        """
        store, tells = store.remembering(), enough_units(normal.clips)
        moved = self._equalised(normal if tells else normal.take(()), store)
        rows = np.empty((len(self.detectors), len(normal.clips)))
        for inside, held_out in splits(calibration_folds(normal.clips)):
            told = moved if not moved.shift_db else self._equalised(normal.take(inside), store)
            rows[:, held_out] = told._branch_scores(told._features(normal.take(held_out), store))
        moved = replace(moved, fusion=Fusion.fit(recipe, rows))
        return moved, moved.fusion(rows)

    def _equalised(self, normal: Dataset, store: FeatureStore) -> Self:
        ends = {end.key: end for end in self.front_ends if end.key in self.equalisers}
        told = {
            key: self.equalisers[key].moved(store.features(normal, end))
            for key, end in ends.items()
        }
        return replace(self, equalisers=told)

    @property
    def shift_db(self) -> float:
        """How far the unit judged lies from the one learned from, in dB; 0 if nothing is taken off.

        Root mean square over rows; of the front end where it is largest.
        """
        return max((each.size_db for each in self.equalisers.values()), default=0.0)

    def score_samples(self, windows: Sequence[Samples], machine: str | None = None) -> Scores:
        """Anomaly score of each piece of sound, ``(n,)``.

        Parameters
        ----------
        windows : sequence of ndarray, each of shape (n_samples_i,)
            At the sample rate of the front ends.
        machine : str, optional
            Machine that they are of.
        """
        scorer = self.of_machine(machine)
        return scorer.score_features(scorer.heard(windows))

    def of_machine(self, machine: str | None) -> "Scorer":
        """The scorer that judges what is of a machine; this one where it has none of its own."""
        return self if machine is None else self.own.get(machine, self)

    def explain_samples(
        self, windows: Sequence[Samples], machine: str | None = None
    ) -> list[Spectrogram]:
        """As `explain`, of pieces of sound; the parameters are those of `score_samples`."""
        scorer = self.of_machine(machine)
        return scorer._explain(scorer.heard(windows))

    def explain(self, dataset: Dataset, store: FeatureStore) -> list[Spectrogram]:
        """Which part of each sound is unusual, one map ``(n_rows, n_frames_i)`` a clip, >= 0.

        Of several branches, those on the first one's front end are joined, weighed by their say
        in the score: their mean over the clip is how many times the usual its score is.
        """
        maps: dict[int, Spectrogram] = {}
        for scorer, places, part in self._by_machine(dataset):
            sets = scorer._features(part, store)
            maps |= dict(zip(places, scorer._explain(sets), strict=True))
        return [maps[place] for place in range(len(dataset.clips))]

    def _explain(self, sets: Sequence[ClipSet]) -> list[Spectrogram]:
        scores = self._branch_scores(sets)
        shared = [
            place
            for place, front_end in enumerate(self.front_ends)
            if front_end.key == self.front_ends[0].key
        ]
        if len(shared) == 1:
            return self.detectors[shared[0]].explain(sets[shared[0]])
        maps = [self.detectors[place].explain(sets[place]) for place in shared]
        weights, sizes = self.fusion.weights(scores), self.fusion.times_usual(scores)
        return [
            _joined(weights[shared, clip], [branch[clip] for branch in maps], float(sizes[clip]))
            for clip in range(len(sets[0]))
        ]

    def save(self, folder: Path) -> None:
        """Write the detectors below `folder`, numbered in the order of the branches."""
        for number, detector in enumerate(self.detectors):
            detector.save(folder / str(number))

    @classmethod
    def load(
        cls,
        folder: Path,
        recipe: Recipe,
        fusion: Fusion,
        tilts: Sequence[Tilt | None],
        equalisers: Mapping[str, Equaliser],
    ) -> Self:
        """Read back what `save` wrote; the other parameters are those of `of`."""
        loaded = [detectors.load(folder / str(n)) for n in range(len(recipe.branches))]
        return cls.of(recipe, loaded, fusion, tilts, equalisers)

    def _by_machine(self, dataset: Dataset) -> Iterator[tuple["Scorer", list[int], Dataset]]:
        """Who judges, the places of the clips that it judges, and these clips."""
        machines = [clip.machine if clip.machine in self.own else None for clip in dataset.clips]
        for machine in sorted(set(machines), key=str):
            places = [place for place, name in enumerate(machines) if name == machine]
            yield self if machine is None else self.own[machine], places, dataset.take(places)

    def _features(self, dataset: Dataset, store: FeatureStore) -> list[ClipSet]:
        """What each branch hears of the clips."""
        return self._heard(partial(store.features, dataset))

    def heard(self, windows: Sequence[Samples]) -> list[ClipSet]:
        """What each branch hears of pieces of sound, as of `score_samples`."""

        def features(front_end: FrontEnd[Any]) -> ClipSet:
            return ClipSet([front_end(piece) for piece in windows])

        return self._heard(features)

    def _heard(self, features: Callable[[FrontEnd[Any]], ClipSet]) -> list[ClipSet]:
        return heard(self.front_ends, self.tilts, features, self.equalisers)

    def _branch_scores(self, sets: Sequence[ClipSet]) -> Matrix:
        pairs = zip(self.detectors, sets, strict=True)
        return np.stack([detector.score(clips) for detector, clips in pairs])


def _joined(weights: Scores, maps: list[Spectrogram], mean: float) -> Spectrogram:
    """One map of a clip, of the given mean; maps of detectors have units of their own."""
    means = np.array([float(part.mean()) or 1.0 for part in maps])
    say = weights / means * (mean / weights.sum())
    return np.asarray(np.tensordot(say, np.stack(maps), axes=1), dtype=np.float32)
