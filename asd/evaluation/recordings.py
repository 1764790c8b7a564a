"""A test set recording by recording, beside clip by clip."""

import numpy as np

from asd.data.manifest import Clip
from asd.decision.decision import Decision
from asd.evaluation.metrics import MAX_FPR, metrics
from asd.evaluation.table import ScoreTable

PREFIX = "by_recording."
_LOGGED = (
    "auc", "pauc", "recall", "false_alarm_rate", "false_alarm_rate_low",
    "false_alarm_rate_high", "n_normal", "n_anomaly",
)  # fmt: skip


def by_recording(table: ScoreTable, decision: Decision) -> ScoreTable:
    """One row a recording, judged by all its clips together.

    Clips of one recording that were changed in different ways (pitch, a sound laid over) or have
    different labels are judged apart.

    Parameters
    ----------
    table : ScoreTable
        Clips.
    decision : Decision
        What judges recordings.

    Returns
    -------
    ScoreTable
        Each row holds the first clip of its recording, with the recording's length.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, clip in enumerate(table.clips):
        groups.setdefault(_key(clip), []).append(place)
    clips, scores, p_values, alarms = [], [], [], []
    for places in groups.values():
        ordered = sorted(places, key=lambda place: table.clips[place].start_s)
        first = table.clips[ordered[0]]
        whole = decision.recording(table.scores[ordered], first.machine)
        seconds = sum(table.clips[place].duration_s for place in ordered)
        clips.append(first.model_copy(update={"duration_s": seconds}))
        scores.append(whole.statistic)
        p_values.append(np.nan if whole.p_value is None else whole.p_value)
        alarms.append(whole.is_anomaly)
    return ScoreTable.of(
        tuple(clips), np.array(scores), np.array(p_values), np.array(alarms), table.threshold
    )


def recording_metrics(
    table: ScoreTable, decision: Decision, max_fpr: float = MAX_FPR
) -> dict[str, float]:
    """Metrics of recordings, as ``by_recording.auc``; none where each has a single clip.

    Parameters
    ----------
    table : ScoreTable
        Clips.
    decision : Decision
        What judges recordings.
    max_fpr : float
        The false-positive rate in (0, 1] up to which `pauc` counts.
    """
    whole = by_recording(table, decision)
    if len(whole) == len(table):
        return {}
    figures = metrics(whole, max_fpr)
    return {f"{PREFIX}{name}": figures[name] for name in _LOGGED if name in figures}


def _key(clip: Clip) -> tuple[object, ...]:
    changed = (clip.condition, clip.pitch_semitones, clip.noise, clip.noise_gain_db)
    return (clip.machine, clip.recording, clip.label, *changed)
