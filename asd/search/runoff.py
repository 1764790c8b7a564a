"""The winner of a sweep: its best trials against the default, on recordings new to both.

The best of many trials is in part the luckiest, all the more where the validation side, on which
trials are compared, holds a few recordings. Here the best ones are fitted again and again, each
time without some recordings of the train side, and judged on those.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from asd.config.recipe import Recipe
from asd.data.manifest import Dataset
from asd.detectors.base import FitContext
from asd.errors import AsdError
from asd.features.store import FeatureStore
from asd.language import tr
from asd.parallel import in_threads
from asd.pipeline.branches import make_detector
from asd.pipeline.folds import calibration_folds, splits
from asd.pipeline.out_of_fold import unheard
from asd.pipeline.scorer import Scorer
from asd.progress import ProgressBar
from asd.search.pseudo_anomalies import pseudo_anomalies
from asd.search.validation import PSEUDO_ANOMALIES, Validation

FINALISTS = 3
"""Trials that take part, beside the default."""
MOST_FOLDS = 4
"""More would cost time and change little."""
LEAST_FOLDS = 2
"""Fewer leave no standard error."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Runoff:
    """Figures of each candidate on each fold, and what follows from them."""

    incumbent: str
    """Label of what the others have to beat."""
    figures: dict[str, list[float]]
    """Of each candidate by label, a figure a fold; fewer of those that were given up before."""

    @property
    def winner(self) -> str:
        """Label of the winner.

        That with the highest mean figure among those that beat the incumbent by more than one
        standard error of the mean difference over folds, after the one-standard-error rule of
        L. Breiman et al., "Classification and Regression Trees" (1984), section 3.4.3; where
        there is none, the incumbent.
        """
        others = self.figures.keys() - {self.incumbent, *self.given_up}
        better = [name for name in self.figures if name in others and self._beats(name)]
        return max(better, key=self.mean, default=self.incumbent)

    @property
    def given_up(self) -> list[str]:
        """Labels of those that were not judged on all folds."""
        folds = len(self.figures[self.incumbent])
        return [name for name, figures in self.figures.items() if len(figures) < folds]

    def may_win(self, name: str) -> bool:
        """Whether it is worth judging a candidate on a further fold.

        It is not once it has gained nothing on `LEAST_FOLDS` or more. With four folds, such a
        candidate would still win in 1 of 75 run-offs where it is as good as the incumbent.
        """
        if name == self.incumbent:
            return True
        figures = self.figures.get(name)
        return figures is not None and (len(figures) < LEAST_FOLDS or self.gain(name)[0] > 0)

    def mean(self, name: str) -> float:
        """Mean figure over the folds on which a candidate was judged."""
        return float(np.mean(self.figures[name]))

    def gain(self, name: str) -> tuple[float, float]:
        """Mean difference to the incumbent on the same folds, and its standard error."""
        figures = self.figures[name]
        gains = np.subtract(figures, self.figures[self.incumbent][: len(figures)])
        return float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))

    def markdown(self, metric: str) -> list[str]:
        """A table, largest gain first."""
        lines = [f"| candidate | folds | {metric}, mean over folds | gain | standard error |"]
        lines.append("|---|---:|---:|---:|---:|")
        for name in sorted(self.figures, key=self.gain, reverse=True):
            gain, error = self.gain(name)
            compared = "| |" if name == self.incumbent else f"{gain:+.3f} | {error:.3f} |"
            folds = len(self.figures[name])
            lines.append(f"| {name} | {folds} | {self.mean(name):.3f} | {compared}")
        return lines

    def _beats(self, name: str) -> bool:
        gain, error = self.gain(name)
        return gain > error


def run_off(
    candidates: Mapping[str, Recipe],
    incumbent: str,
    validation: Validation,
    metric: str,
    max_fpr: float,
    root: Path,
) -> Runoff | None:
    """Judge candidates on parts of the train side, each fitted without that part.

    All go through one part after the other; who gains nothing on the incumbent is given up.

    Parameters
    ----------
    candidates : mapping
        By label; `incumbent` is one of the labels. As `Scorer.settled` gives them: what is held
        out is there to judge, and tells no network when to stop.
    incumbent : str
        Label of the candidate that the others have to beat.
    validation : Validation
        Of a sweep without labelled anomalies; its normal clips are fitted on here.
    metric : {"auc", "pauc"}
        What is compared.
    max_fpr : float
        Of pAUC.
    root : Path
        Folder of the cache.

    Returns
    -------
    Runoff or None
        None where there are too few recordings for it, or the incumbent cannot be fitted.
    """
    train, normal = validation.train, validation.normal
    if train.recordings() & normal.recordings() or len(train.recordings()) < LEAST_FOLDS:
        return None
    # Folds overlap: what is said of a clip holds in all of them.
    stores = {name: FeatureStore(root).remembering() for name in candidates}
    running, folds = dict(candidates), list(_folds(train, normal))
    fits = _Fits(metric, max_fpr, stores, min(len(running), _at_once(candidates.values())))
    runoff = Runoff(incumbent, {name: [] for name in candidates})
    with unheard(), ProgressBar(total=len(folds) * len(running), desc=tr("run-off")) as bar:
        for inside, held in folds:
            seed = candidates[incumbent].seed
            changed = pseudo_anomalies(held, seed, root / PSEUDO_ANOMALIES)
            side = replace(validation, train=inside, normal=held, anomalous=changed)
            for name, outcome in fits.judged(running, side):
                if isinstance(outcome, AsdError):
                    logger.warning("%s takes no part in the run-off: %s", name, outcome)
                    del runoff.figures[name]
                else:
                    runoff.figures[name].append(outcome)
                bar.update()
            if incumbent not in runoff.figures:
                return None
            running = {name: running[name] for name in running if runoff.may_win(name)}
            if not running.keys() - {incumbent}:
                break
    return runoff


def _folds(train: Dataset, normal: Dataset) -> Iterator[tuple[Dataset, Dataset]]:
    """What to fit on, and what to hold out: runs of recordings of the train side in turn.

    The validation side, on which the candidates were chosen, is fitted on and never held out.
    """
    for inside, held_out in splits(calibration_folds(train.clips, MOST_FOLDS)):
        kept = tuple(train.clips[place] for place in inside)
        held = tuple(train.clips[place] for place in held_out)
        yield Dataset(train.root, normal.clips + kept), Dataset(train.root, held)


@dataclass(frozen=True)
class _Fits:
    """How candidates are fitted and judged, several at a time."""

    metric: str
    max_fpr: float
    stores: Mapping[str, FeatureStore]
    at_once: int

    def judged(
        self, candidates: Mapping[str, Recipe], side: Validation
    ) -> Iterator[tuple[str, float | AsdError]]:
        """The figure of each by label, or why it has none."""
        context = FitContext().one_of(self.at_once)

        def judge(name: str) -> tuple[str, float | AsdError]:
            try:
                return name, self._judge(candidates[name], side, self.stores[name], context)
            except AsdError as error:
                return name, error

        return in_threads(judge, list(candidates), self.at_once)

    def _judge(
        self, recipe: Recipe, side: Validation, store: FeatureStore, context: FitContext
    ) -> float:
        scorer = Scorer.fit(recipe, side.train, side.train.take(()), store, context)
        return side.judge(scorer, recipe.threshold, store, self.max_fpr)[self.metric]


def _at_once(candidates: Iterable[Recipe]) -> int:
    """How many candidates threads may fit at the same time."""
    context = FitContext()
    detectors = (
        make_detector(branch, recipe.seed) for recipe in candidates for branch in recipe.branches
    )
    return min(detector.fits_at_once(context) for detector in detectors)
