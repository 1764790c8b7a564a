"""Scores of normal clips that a detector has not seen, on which its threshold is fitted.

Split calibration takes the scores of the validation side. Its promise rests on the number of
validation *recordings*, and with two of them it is one false alarm in three. Cross-calibration
makes every normal recording count: the train side too is cut into folds, the detector is fitted
again without each, and each clip gets a score from a detector that has not seen its recording.

What is promised, and what is not: the folds are as large as the validation side, so that a clip of
a new normal recording, scored by the served detector, and each clip of the calibration, scored out
of its fold, are alike in distribution where recordings are exchangeable. For any fixed threshold
the calibration's share of alarms is therefore an unbiased estimate of the false-alarm rate. That
the threshold *chosen* on it keeps the rate, as `asd.decision.thresholds.fit_threshold` states it,
needs more: that the detectors of the folds hardly differ (stability). Without it, a new clip would
have to be judged by all of them, each against its own fold (cross-conformal prediction: Vovk 2015),
and the rate could still reach twice what was asked for (CV+: Barber, Candes, Ramdas and Tibshirani
2021, theorem 4). Measured over random choices of ten recordings, the mean rate was at or below the
promise on each of three data sets (docs/decisions.md). Recordings that are not exchangeable, as of
one patient or one day on both sides of a fold, are beyond any calibration.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from asd.config.threshold import ThresholdConfig
from asd.data.manifest import Clip, Dataset
from asd.data.recordings import count
from asd.detectors.base import Detector, Scores
from asd.errors import NotEnoughClipsError
from asd.features.cache import FeatureCache

MAX_FOLDS = 10
"""More cost time and change little."""
ENOUGH_ALARMS = 10
"""With fewer validation recordings than raise so many false alarms at the rate asked for, the rate
that a threshold achieves depends too much on which recordings they are: over random choices of 39
recordings at 5 % it strayed by 3.5 percentage points, and by 2.4 across all 193."""
MAX_SECONDS = 120.0
"""Processor time, a minute on two cores, beyond which nobody is made to wait unasked
(``threshold.calibration=auto``). Unlike time by the clock it depends little on what else runs."""


@dataclass(frozen=True)
class Calibration:
    """Held-out normal clips and their scores."""

    clips: tuple[Clip, ...]
    scores: Scores
    """``(n_clips,)``."""
    recordings: NDArray[np.int64]
    """Number of the recording that each clip is of, ``(n_clips,)``."""
    folds: int
    """Detectors that gave the scores; 1 for the served one alone."""
    seconds: float
    """What the further detectors took."""
    note: str = ""
    """What the user should know about it, one sentence; empty for nothing."""

    @property
    def n_recordings(self) -> int:
        """Number of recordings."""
        return len(np.unique(self.recordings))


def calibrate(
    detector: Detector[Any],
    cache: FeatureCache,
    dataset: Dataset,
    config: ThresholdConfig,
    fit_seconds: float,
) -> Calibration:
    """Score normal clips that `detector` has not been fitted on, or others like it.

    Parameters
    ----------
    detector : Detector
        Fitted on the normal clips of the train side.
    cache : FeatureCache
        Gives the features.
    dataset : Dataset
        Its test side is not looked at.
    config : ThresholdConfig
        `calibration` says how; `auto` goes across where the validation recordings are too few for
        the rate asked for (`ENOUGH_ALARMS`) and fitting again takes little time (`MAX_SECONDS`).
    fit_seconds : float
        Processor time that fitting took.

    Raises
    ------
    NotEnoughClipsError
        ``threshold.calibration=cross`` and the recordings do not suffice.
    """
    train, valid = dataset.split("train", "normal"), dataset.split("valid", "normal")
    if train.recordings() & valid.recordings():
        # Blocks of the same recordings: what the split keeps apart is clips, not recordings.
        _check_cross(config, "the train and validation sides are cut from the same recordings")
        return _split(detector, cache, valid, np.arange(len(valid.clips)), _SAME_RECORDINGS)
    folds = rotations(train, valid, detector.seed)
    if min(len(inside.clips) for inside, _ in folds) < detector.min_clips:
        _check_cross(config, f"model={detector.name} needs {detector.min_clips} clips a fold")
        return _split(detector, cache, valid, _numbers(valid.clips))
    held_out = len(valid.recordings())
    expected = fit_seconds * len(folds)
    few = _too_few(config, held_out)
    if config.calibration == "cross" or (few and expected <= MAX_SECONDS):
        return _cross(detector, cache, valid, folds)
    note = (
        f"threshold.calibration=cross would take about {expected:.0f} s of processor time and rest "
        f"the threshold on {len(train.recordings()) + held_out} recordings instead of {held_out}"
    )
    return _split(detector, cache, valid, _numbers(valid.clips), note if few else "")


_SAME_RECORDINGS = (
    "training and validation clips are of the same recordings: what is promised holds for more of "
    "their sound, not for a new recording"
)


def _too_few(config: ThresholdConfig, recordings: int) -> bool:
    """Only `conformal` promises anything; the other methods are left with the validation side."""
    alarms = config.false_alarm_rate * (recordings + 1)
    undecided = config.calibration == "auto" and config.method == "conformal"
    return undecided and alarms < ENOUGH_ALARMS - 1e-9


def _check_cross(config: ThresholdConfig, reason: str) -> None:
    if config.calibration == "cross":
        raise NotEnoughClipsError(
            f"threshold.calibration=cross: {reason}; add recordings or use "
            "threshold.calibration=split"
        )


def _split(
    detector: Detector[Any],
    cache: FeatureCache,
    valid: Dataset,
    recordings: NDArray[np.int64],
    note: str = "",
) -> Calibration:
    scores = detector.score(cache.features(valid))
    return Calibration(valid.clips, scores, recordings, 1, 0.0, note)


def _cross(
    detector: Detector[Any],
    cache: FeatureCache,
    valid: Dataset,
    folds: Sequence[tuple[Dataset, Dataset]],
) -> Calibration:
    """Treat each part of the train side just as the validation side was treated."""
    started = time.perf_counter()
    clips = valid.clips
    scores = [detector.score(cache.features(valid))]
    for inside, held_out in tqdm(folds, desc="calibration", disable=None, delay=0.5):
        features = cache.features(held_out)
        again = type(detector)(detector.config, detector.seed)
        again.fit(cache.features(inside), features)
        clips += held_out.clips
        scores.append(again.score(features))
    seconds = time.perf_counter() - started
    return Calibration(clips, np.concatenate(scores), _numbers(clips), len(scores), seconds)


def rotations(train: Dataset, valid: Dataset, seed: int) -> list[tuple[Dataset, Dataset]]:
    """What to fit on and what to hold out, for parts of the train side in turn.

    The parts are as large as the validation side, or larger: larger leaves less to fit on, which
    makes out-of-fold scores higher, an error on the safe side. The validation side is fitted on.

    Parameters
    ----------
    train, valid : Dataset
        Normal clips of other recordings each.
    seed : int
        Which recordings stand in a part together.
    """
    total, held_out = len(train.recordings()) + len(valid.recordings()), len(valid.recordings())
    parts = min(max(total // held_out, 2), MAX_FOLDS) - 1
    # The recordings of a machine lie together, so that dealing them out spreads each machine.
    machines = {clip.recording: clip.machine for clip in train.clips}
    shuffled = np.random.default_rng(seed).permutation(sorted(machines)).tolist()
    ordered = sorted(shuffled, key=lambda name: machines[name])
    pool = Dataset(train.root, valid.clips + train.clips)
    folds = []
    for number in range(parts):
        part = frozenset(ordered[number::parts])
        inside = pool.select(lambda clip, part=part: clip.recording not in part)  # type: ignore[misc]
        held = pool.select(lambda clip, part=part: clip.recording in part)  # type: ignore[misc]
        folds.append((inside, held))
    return folds


def _numbers(clips: Iterable[Clip]) -> NDArray[np.int64]:
    _, numbers = np.unique([clip.recording for clip in clips], return_inverse=True)
    return np.asarray(numbers, dtype=np.int64)


def describe(calibration: Calibration) -> str:
    """Where the scores come from, for the report."""
    clips = count(len(calibration.clips), "held-out normal clip")
    text = f"{clips} of {count(calibration.n_recordings, 'recording')}"
    if calibration.folds > 1:
        more = calibration.folds - 1
        text += f", fitting {count(more, 'time')} more ({calibration.seconds:.1f} s)"
    return text
