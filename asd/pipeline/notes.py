"""What the scores of a calibration tell about its recordings."""

from collections.abc import Sequence

import numpy as np

from asd.arrays import Scores
from asd.data.manifest import Clip
from asd.language import Remark, tr
from asd.pipeline.folds import natural

LEAST_NEIGHBOURS = 20
"""Recordings from which on it is told whether neighbours are alike."""
LEAST_RECORDINGS = 5
"""Recordings from which on it is told whether one is odd."""


def neighbours_remark(clips: Sequence[Clip], scores: Scores) -> Remark:
    """Say that recordings next to each other sound alike; nothing where they do not.

    Then they are likely to be of one session, which folds have not held out whole. Alike is a
    correlation of the mean scores of neighbours, in the order of names, of more than 0.5 and more
    than four standard errors.

    Parameters
    ----------
    clips : sequence of Clip
        Normal clips.
    scores : ndarray of shape (n_clips,)
        Their out-of-fold scores.
    """
    if any(clip.session for clip in clips):
        return Remark()
    names = [(clip.machine, natural(clip.recording)) for clip in clips]
    order = {name: place for place, name in enumerate(sorted(set(names)))}
    place = np.array([order[name] for name in names])
    means = np.bincount(place, scores) / np.bincount(place)
    if len(means) < LEAST_NEIGHBOURS or np.ptp(means) == 0:
        return Remark()
    alike = float(np.corrcoef(means[:-1], means[1:])[0, 1])
    if not alike > max(0.5, 4 / np.sqrt(len(means))):
        return Remark()
    return Remark.of(
        lambda: tr(
            "recordings next to each other sound alike (correlation {alike:.2f}): if "
            "they are of one session, say so in a column session of labels.csv, or "
            "the promise holds for these sessions alone",
            alike=alike,
        )
    )


def odd_recording_remark(clips: Sequence[Clip], scores: Scores, threshold: float) -> Remark:
    """Name the one recording that the threshold rests on, where it is far from all others.

    Far is when its highest score lies above that of the next recording by more than the
    interquartile range of the recordings' highest scores.

    Parameters
    ----------
    clips : sequence of Clip
        Normal clips.
    scores : ndarray of shape (n_clips,)
        Their scores by detectors that have not seen them.
    threshold : float
        Of a clip, in the units of `scores`.
    """
    highest: dict[tuple[str, str], int] = {}
    for place in np.argsort(scores, kind="stable").tolist():
        highest[(clips[place].machine, clips[place].recording)] = place
    if len(highest) < LEAST_RECORDINGS:
        return Remark()
    order = sorted(highest.values(), key=lambda place: float(scores[place]))
    peaks = scores[order]
    low, high = np.quantile(peaks, [0.25, 0.75])
    if threshold < peaks[-2] or not peaks[-1] - peaks[-2] > high - low:
        return Remark()
    clip = clips[order[-1]]
    return Remark.of(
        lambda: tr(
            "the threshold rests on one recording, {recording}: from {second:g} s on "
            "it scores {score:.4g}, and no other recording above {next_score:.4g}; "
            "listen to it, and if it is not healthy leave it out and train again",
            recording=clip.recording,
            second=clip.start_s,
            score=peaks[-1],
            next_score=peaks[-2],
        )
    )
