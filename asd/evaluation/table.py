"""Scores of the clips of a test set, beside what the clips are."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from asd.arrays import Scores
from asd.data.manifest import COLUMNS, Clip, Label
from asd.errors import DetectorError
from asd.files import write_csv
from asd.language import tr

GroupBy = Literal["condition", "domain", "machine", "pitch"]

PLAIN = "plain"
"""Name of the group of clips that have no condition, or no machine, of their own."""


def label_word(label: Label) -> str:
    """What a clip is labelled, for people."""
    words = {"normal": tr("normal"), "anomaly": tr("anomaly"), "unknown": tr("unknown")}
    return words[label]


def group_word(by: GroupBy) -> str:
    """What clips of a group share, for people."""
    words = {
        "condition": tr("condition"),
        "domain": tr("domain"),
        "machine": tr("machine"),
        "pitch": tr("pitch"),
    }
    return words[by]


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Clips, their scores and the threshold that judges them.

    Raises
    ------
    DetectorError
        A score is NaN or infinite; the message names the first such clip.
    """

    clips: tuple[Clip, ...]
    scores: NDArray[np.float64]
    """``(n_clips,)``, higher = more anomalous."""
    p_values: NDArray[np.float64] | None
    """``(n_clips,)`` conformal p-values in (0, 1]; None where there was no calibration."""
    threshold: float
    """A clip is judged anomalous when its score is greater; where machines have thresholds of
    their own, the one of all machines."""
    alarms: NDArray[np.bool_] | None = None
    """The decisions, ``(n_clips,)``, where they are not those of `threshold`."""

    @classmethod
    def of(
        cls,
        clips: tuple[Clip, ...],
        scores: Scores,
        p_values: Scores,
        alarms: NDArray[np.bool_],
        threshold: float,
    ) -> Self:
        """The table of clips that are judged already; p-values are NaN without calibration."""
        known = None if np.isnan(p_values).any() else p_values
        return cls(clips, scores, known, threshold, alarms)

    def __post_init__(self) -> None:
        for values in (self.scores, self.p_values, self.alarms):
            if values is not None and values.shape != (len(self.clips),):
                raise ValueError(f"{len(self.clips)} clips, but values of shape {values.shape}")
        bad = np.flatnonzero(~np.isfinite(self.scores))
        if len(bad):
            raise DetectorError(
                tr(
                    "{clip}: its score is NaN or infinite (so are {others} others); train "
                    "the detector again with other parameters",
                    clip=self.clips[bad[0]].path,
                    others=len(bad) - 1,
                )
            )

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def is_anomaly(self) -> NDArray[np.bool_]:
        """The decisions, ``(n_clips,)``."""
        return self.scores > self.threshold if self.alarms is None else self.alarms

    @property
    def normal(self) -> NDArray[np.bool_]:
        """Which clips are known to be normal, ``(n_clips,)``."""
        return np.array([clip.label == "normal" for clip in self.clips], dtype=bool)

    @property
    def anomalous(self) -> NDArray[np.bool_]:
        """Which clips are known to be anomalous, ``(n_clips,)``; `unknown` is neither."""
        return np.array([clip.label == "anomaly" for clip in self.clips], dtype=bool)

    def outcomes(self) -> list[str]:
        """What became of each clip: found, missed, false alarm, quiet; empty without a label."""
        words = {
            ("anomaly", True): "found",
            ("anomaly", False): "missed",
            ("normal", True): "false alarm",
            ("normal", False): "quiet",
        }
        alarms = self.is_anomaly.tolist()
        return [words.get((c.label, a), "") for c, a in zip(self.clips, alarms, strict=True)]

    def select(self, mask: NDArray[np.bool_]) -> Self:
        """The rows at which `mask`, ``(n_clips,)``, is true."""
        chosen = np.flatnonzero(mask)
        p_values = None if self.p_values is None else self.p_values[chosen]
        clips = tuple(self.clips[index] for index in chosen)
        alarms = None if self.alarms is None else self.alarms[chosen]
        return type(self)(clips, self.scores[chosen], p_values, self.threshold, alarms)

    def groups(self, by: GroupBy) -> dict[str, NDArray[np.bool_]]:
        """Masks, ``(n_clips,)``, of the clips that share a condition, domain, machine or pitch.

        Groups come in order of name, those of pitch in order of semitones. They are named by the
        word in the manifest, pitches ``pitch_-3``; the clips without a word are ``plain``.
        """
        key = _KEYS[by]
        keys = [key(clip) for clip in self.clips]
        order: list[str] = sorted(set(keys))
        if by == "pitch":
            order.sort(key=lambda name: float(name.removeprefix("pitch_")))
        names = np.array(keys, dtype=object)
        return {name: np.asarray(names == name, dtype=bool) for name in order}

    def write_csv(self, path: Path) -> None:
        """Write all rows to `path`, whole or not at all.

        The columns are those of the manifest and then `anomaly_score`, `threshold`, `is_anomaly`
        (0 or 1), `p_value` (empty where there is none) and `outcome` (see `outcomes`).
        """
        p_values = [None] * len(self) if self.p_values is None else self.p_values.tolist()
        judged = zip(
            self.scores.tolist(),
            self.is_anomaly.astype(int).tolist(),
            p_values,
            self.outcomes(),
            strict=True,
        )
        columns = [*COLUMNS, "anomaly_score", "threshold", "is_anomaly", "p_value", "outcome"]
        rows = (
            [*clip.model_dump().values(), score, self.threshold, alarm, p, outcome]
            for clip, (score, alarm, p, outcome) in zip(self.clips, judged, strict=True)
        )
        write_csv(path, columns, rows)


_KEYS: dict[GroupBy, Callable[[Clip], str]] = {
    "condition": lambda clip: clip.condition or PLAIN,
    "domain": lambda clip: clip.domain,
    "machine": lambda clip: clip.machine or PLAIN,
    "pitch": lambda clip: f"pitch_{clip.pitch_semitones:g}",
}
