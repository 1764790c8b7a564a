"""The winner of a sweep: its best trials against the default, on recordings new to both.

The best of many trials is in part the luckiest, all the more where the validation side, on which
trials are compared, holds a few recordings. Here the best ones are fitted again and again, each
time without some recordings of the train side, and judged on those.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from asd.config.recipe import Recipe
from asd.data.manifest import Dataset
from asd.detectors.base import FitContext
from asd.errors import AsdError
from asd.features.store import FeatureStore
from asd.language import tr
from asd.pipeline.folds import calibration_folds, splits
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
    figures: Mapping[str, Sequence[float]]
    """Of each candidate by label, a figure a fold; of those that could be fitted on all folds."""

    @property
    def winner(self) -> str:
        """Label of the winner.

        That with the highest mean figure among those that beat the incumbent by more than one
        standard error of the mean difference over folds, after the one-standard-error rule of
        L. Breiman et al., "Classification and Regression Trees" (1984), section 3.4.3; where
        there is none, the incumbent.
        """
        better = [name for name in self.figures if name != self.incumbent and self._beats(name)]
        return max(better, key=self.mean, default=self.incumbent)

    def mean(self, name: str) -> float:
        """Mean figure over folds."""
        return float(np.mean(self.figures[name]))

    def gain(self, name: str) -> tuple[float, float]:
        """Mean difference to the incumbent, and its standard error over folds."""
        gains = np.subtract(self.figures[name], self.figures[self.incumbent])
        return float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))

    def markdown(self, metric: str) -> list[str]:
        """A table, best mean first."""
        lines = [f"| candidate | {metric}, mean over folds | gain | standard error |"]
        lines.append("|---|---:|---:|---:|")
        for name in sorted(self.figures, key=self.mean, reverse=True):
            gain, error = self.gain(name)
            compared = "| |" if name == self.incumbent else f"{gain:+.3f} | {error:.3f} |"
            lines.append(f"| {name} | {self.mean(name):.3f} | {compared}")
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

    Parameters
    ----------
    candidates : mapping
        By label; `incumbent` is one of the labels.
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
    seed = candidates[incumbent].seed
    sides = []
    for inside, held in _folds(train, normal):
        changed = pseudo_anomalies(held, seed, root / PSEUDO_ANOMALIES)
        sides.append(replace(validation, train=inside, normal=held, anomalous=changed))
    figures: dict[str, list[float]] = {}
    with ProgressBar(total=len(candidates) * len(sides), desc=tr("run-off")) as bar:
        for name, candidate in candidates.items():
            try:
                figures[name] = []
                for side in sides:
                    figures[name].append(_judge(candidate, side, metric, max_fpr, root))
                    bar.update()
            except AsdError as error:
                logger.warning("%s takes no part in the run-off: %s", name, error)
                del figures[name]
    return Runoff(incumbent, figures) if incumbent in figures else None


def _folds(train: Dataset, normal: Dataset) -> Iterator[tuple[Dataset, Dataset]]:
    """What to fit on, and what to hold out: runs of recordings of the train side in turn.

    The validation side, on which the candidates were chosen, is fitted on and never held out.
    """
    for inside, held_out in splits(calibration_folds(train.clips, MOST_FOLDS)):
        kept = tuple(train.clips[place] for place in inside)
        held = tuple(train.clips[place] for place in held_out)
        yield Dataset(train.root, normal.clips + kept), Dataset(train.root, held)


def _judge(recipe: Recipe, side: Validation, metric: str, max_fpr: float, root: Path) -> float:
    store = FeatureStore(root)
    scorer, _ = side.fit(recipe, store, FitContext())
    return side.judge(scorer, recipe.threshold, store, max_fpr)[metric]
