"""Scores of the clips of a test set, beside what the clips are."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from asd.data.manifest import COLUMNS, Clip
from asd.errors import DetectorError
from asd.files import atomic_path

GroupBy = Literal["condition", "domain", "machine", "pitch"]

PLAIN = "plain"
"""Name of the group of clips that have no condition, or no machine, of their own."""


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
    """A clip is judged anomalous when its score is greater."""

    def __post_init__(self) -> None:
        for values in (self.scores, self.p_values):
            if values is not None and values.shape != (len(self.clips),):
                raise ValueError(f"{len(self.clips)} clips, but values of shape {values.shape}")
        bad = np.flatnonzero(~np.isfinite(self.scores))
        if len(bad):
            raise DetectorError(
                f"{self.clips[bad[0]].path}: its score is NaN or infinite (so are {len(bad) - 1} "
                "others); train the detector again with other parameters"
            )

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def is_anomaly(self) -> NDArray[np.bool_]:
        """The decisions, ``(n_clips,)``."""
        return self.scores > self.threshold

    @property
    def normal(self) -> NDArray[np.bool_]:
        """Which clips are known to be normal, ``(n_clips,)``."""
        return np.array([clip.label == "normal" for clip in self.clips], dtype=bool)

    @property
    def anomalous(self) -> NDArray[np.bool_]:
        """Which clips are known to be anomalous, ``(n_clips,)``; `unknown` is neither."""
        return np.array([clip.label == "anomaly" for clip in self.clips], dtype=bool)

    def select(self, mask: NDArray[np.bool_]) -> Self:
        """The rows at which `mask`, ``(n_clips,)``, is true."""
        chosen = np.flatnonzero(mask)
        p_values = None if self.p_values is None else self.p_values[chosen]
        clips = tuple(self.clips[index] for index in chosen)
        return type(self)(clips, self.scores[chosen], p_values, self.threshold)

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
        (0 or 1) and `p_value` (empty where there is none).
        """
        with atomic_path(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*COLUMNS, "anomaly_score", "threshold", "is_anomaly", "p_value"])
            for index, clip in enumerate(self.clips):
                score = float(self.scores[index])
                p_value = "" if self.p_values is None else float(self.p_values[index])
                judged = [score, self.threshold, int(score > self.threshold), p_value]
                writer.writerow([*clip.model_dump().values(), *judged])


_KEYS: dict[GroupBy, Callable[[Clip], str]] = {
    "condition": lambda clip: clip.condition or PLAIN,
    "domain": lambda clip: clip.domain,
    "machine": lambda clip: clip.machine or PLAIN,
    "pitch": lambda clip: f"pitch_{clip.pitch_semitones:g}",
}
