"""Scores of normal clips that a detector has not seen, on which its threshold is fitted.

Split calibration takes the scores of the validation side. Its promise rests on the number of
validation *recordings*, and with two of them it is one false alarm in three. Cross-calibration
makes every normal recording count: all of them are dealt into folds, the recipe is fitted again
without each, and each clip gets a score from a detector that has not seen its recording. The
detector that is served is then fitted on all of them.

What is promised, and what is not: detectors of folds have seen a little less than the served one,
so that out-of-fold scores are, if anything, a little high, an error on the safe side. For any fixed
threshold the calibration's share of alarms estimates the false-alarm rate. That the threshold
*chosen* on it keeps the rate needs more: that the detectors of the folds hardly differ
(stability). Without it, a new clip would have to be judged by all of them, each against its own
fold (cross-conformal prediction: Vovk 2015), and the rate could still reach twice what was asked
for (CV+: Barber, Candes, Ramdas and Tibshirani 2021, theorem 4). Recordings that are not
exchangeable, as of one patient or one day on both sides of a fold, are beyond any calibration.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from asd.arrays import Scores
from asd.config.recipe import Recipe
from asd.data.manifest import Clip, Dataset
from asd.decision.calibration import Calibration
from asd.detectors import detector_class
from asd.detectors.base import FitContext
from asd.errors import NotEnoughClipsError
from asd.features.store import FeatureStore
from asd.language import Remark, tr
from asd.pipeline.folds import calibration_folds, unit_of
from asd.pipeline.notes import neighbours_remark
from asd.pipeline.out_of_fold import out_of_fold
from asd.pipeline.scorer import Scorer
from asd.text import count, duration

ENOUGH_ALARMS = 10
"""With fewer validation recordings than raise so many false alarms at the rate asked for, the rate
that a threshold achieves depends too much on which recordings they are: over random choices of 39
recordings at 5 % it strayed by 3.5 percentage points, and by 2.4 across all 193."""
MAX_SECONDS = 120.0
"""Processor time, a minute on two cores, beyond which nobody is made to wait unasked
(``threshold.calibration=auto``). Unlike time by the clock it depends little on what else runs."""


@dataclass(frozen=True, eq=False)
class FitReport:
    """How a pipeline was fitted."""

    clips: tuple[Clip, ...]
    """Normal clips of the calibration, in the order of its scores."""
    scores: Scores
    """Their out-of-fold or held-out scores, ``(n_clips,)``."""
    n_trained_on: int
    """Clips that the served detector was fitted on."""
    n_folds: int
    """Folds that gave the scores; 0 where the served detector did."""
    fit_seconds: float
    """Processor time that fitting the served detector took."""
    calibration_seconds: float
    """What the further fits took, by the clock."""

    @property
    def n_recordings(self) -> int:
        """Recordings of the calibration."""
        return len({(clip.machine, clip.recording) for clip in self.clips})

    @property
    def unit_seconds(self) -> float:
        """Mean length of a session or recording of the calibration, in seconds."""
        units = {(clip.machine, unit_of(clip)) for clip in self.clips}
        return sum(clip.duration_s for clip in self.clips) / max(1, len(units))

    def calibration_line(self) -> str:
        """Where the calibration's scores come from, for the report."""
        clips = count(len(self.clips), "held-out normal clip")
        text = tr(
            "{clips} of {recordings}", clips=clips, recordings=count(self.n_recordings, "recording")
        )
        if self.n_folds:
            text += tr(
                ", held out in {folds} ({seconds:.1f} s)",
                folds=count(self.n_folds, "fold"),
                seconds=self.calibration_seconds,
            )
        return text


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A fitted recipe, and scores of normal clips that it has not seen."""

    scorer: Scorer
    calibration: Calibration
    report: FitReport
    remark: Remark
    """What the user should know, one sentence."""


def fit_and_calibrate(
    recipe: Recipe, train: Dataset, valid: Dataset, store: FeatureStore, context: FitContext
) -> Calibrated:
    """Fit a resolved recipe, and score normal clips that it has not seen.

    Parameters
    ----------
    recipe : Recipe
        Its threshold's `calibration` says how: `split`, `cross`, or `auto`, which goes across
        where the validation recordings are too few for the rate asked for (`ENOUGH_ALARMS`) and
        fitting again takes little time (`MAX_SECONDS`). Recipes of several branches need
        out-of-fold scores anyway and go across wherever they can.
    train, valid : Dataset
        Normal clips.
    store : FeatureStore
        Gives the features.
    context : FitContext
        Circumstances of the fit of the served detector.

    Raises
    ------
    NotEnoughClipsError
        There are too few clips, or recordings for ``threshold.calibration=cross``.
    """
    store = store.remembering()
    pool = Dataset(train.root, valid.clips + train.clips)
    obstacle = _obstacle(recipe, train, valid)
    if obstacle and recipe.threshold.calibration == "cross":
        raise NotEnoughClipsError(
            tr(
                "threshold.calibration=cross: {obstacle}; add recordings or use "
                "threshold.calibration=split",
                obstacle=obstacle,
            )
        )
    if len(recipe.branches) > 1:
        if obstacle or recipe.threshold.calibration == "split":
            return _held_out(recipe, train, valid, store, context)
        if any(detector_class(branch.model).stops_early for branch in recipe.branches):
            recipe = Scorer.of_branches(recipe, train, valid, store, context).settled(recipe)
        return _crossed(recipe, pool, store, context)
    fitted = _held_out(recipe, train, valid, store, context)
    if obstacle or not _wants_cross(recipe, valid):
        return fitted
    expected = fitted.report.fit_seconds * (int(calibration_folds(pool.clips).max()) + 1)
    if recipe.threshold.calibration == "cross" or expected <= MAX_SECONDS:
        return _crossed(fitted.scorer.settled(recipe), pool, store, context)
    many, few = len(pool.recordings()), len(valid.recordings())
    return replace(fitted, remark=Remark.of(lambda: _too_long(expected, many, few)))


def calibrate(scorer: Scorer, valid: Dataset, store: FeatureStore) -> Calibrated:
    """Score normal clips that a detector fitted elsewhere has not seen."""
    return _scored(scorer, Dataset(valid.root, ()), valid, store, 0.0)


def _too_long(seconds: float, many: int, few: int) -> str:
    return tr(
        "threshold.calibration=cross would take about {time} of processor time and rest the "
        "threshold on {many} recordings instead of {few}",
        time=duration(seconds),
        many=many,
        few=few,
    )


def _same() -> str:
    return tr(
        "training and validation clips are of the same recordings: what is promised holds for "
        "more of their sound, not for a new recording"
    )


def _held_out(
    recipe: Recipe, train: Dataset, valid: Dataset, store: FeatureStore, context: FitContext
) -> Calibrated:
    """Fit on the train side; calibrate on the validation side."""
    busy = time.process_time()
    scorer = Scorer.of_branches(recipe, train, valid, store, context)
    seconds = time.process_time() - busy
    if len(recipe.branches) > 1:
        scorer = scorer.scaled(recipe, out_of_fold(scorer.settled(recipe), train, store, context))
    return _scored(scorer, train, valid, store, seconds)


def _scored(
    scorer: Scorer, train: Dataset, valid: Dataset, store: FeatureStore, seconds: float
) -> Calibrated:
    scores = scorer.score(valid, store)
    shared = bool(train.recordings() & valid.recordings())
    # Blocks of the same recordings: what the split keeps apart is clips, not recordings.
    calibration = Calibration.of(scores) if shared else calibration_of(valid, scores)
    report = FitReport(valid.clips, scores, len(train.clips), 0, seconds, 0.0)
    return Calibrated(scorer, calibration, report, Remark.of(_same) if shared else Remark())


def _crossed(recipe: Recipe, pool: Dataset, store: FeatureStore, context: FitContext) -> Calibrated:
    """Calibrate on all normal clips; serve a detector that has learned from all of them.

    The recipe is one that `Scorer.settled` gave, if it has networks: nobody is left to tell them
    when to stop. Their epochs were reported when that was found out.
    """
    busy = time.process_time()
    own = context.quiet().below("all")
    scorer = Scorer.of_branches(recipe, pool, pool.take(()), store, own)
    seconds = time.process_time() - busy
    folds = out_of_fold(recipe, pool, store, context)
    scorer = scorer.scaled(recipe, folds)
    scores = scorer.fusion(folds.scores)
    calibration = calibration_of(pool, scores)
    report = FitReport(pool.clips, scores, len(pool.clips), folds.n_folds, seconds, folds.seconds)
    return Calibrated(scorer, calibration, report, neighbours_remark(pool.clips, scores))


def calibration_of(clips: Dataset, scores: Scores) -> Calibration:
    """Scores of clips with what is known of each: recording, session and machine."""
    rows = clips.clips
    return Calibration.of(
        scores,
        [clip.recording for clip in rows],
        [unit_of(clip) for clip in rows],
        [clip.machine for clip in rows],
    )


def _obstacle(recipe: Recipe, train: Dataset, valid: Dataset) -> str:
    """Why out-of-fold scores cannot be had; empty where they can."""
    if train.recordings() & valid.recordings():
        return "the train and validation sides are cut from the same recordings"
    pool = train.clips + valid.clips
    fold_of = calibration_folds(pool)
    largest = int(np.bincount(fold_of).max())
    least = max(detector_class(branch.model).min_clips for branch in recipe.branches)
    if len(pool) - largest < least:
        return f"model={recipe.model} needs {least} clips without any one fold"
    return ""


def _wants_cross(recipe: Recipe, valid: Dataset) -> bool:
    """Only `conformal` promises anything; the other methods are left with the validation side."""
    config = recipe.threshold
    if config.calibration != "auto":
        return config.calibration == "cross"
    units = len({unit_of(clip) for clip in valid.clips})
    alarms = config.false_alarm_rate * (units + 1)
    return config.method == "conformal" and alarms < ENOUGH_ALARMS - 1e-9
