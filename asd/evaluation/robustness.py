"""How a trained model does when the recording changes and the machine does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asd.arrays import Samples, Scores
from asd.audio.decode import read_clip
from asd.audio.noise import Noise, load_noises
from asd.audio.perturbation import CHANGES, Change, perturb
from asd.data.manifest import Clip, Dataset
from asd.errors import NotEnoughClipsError
from asd.evaluation.metrics import MAX_FPR, auc
from asd.evaluation.plots import RobustnessRow
from asd.evaluation.table import ScoreTable
from asd.language import tr
from asd.parallel import parallel_map
from asd.pipeline.pipeline import Pipeline
from asd.progress import ProgressBar
from asd.text import markdown_table

UNCHANGED = "unchanged"
COLUMNS = ("auc", "pauc", "false_alarm_rate", "recall")
"""Fields of a row that are figures."""
_CLIPS_AT_ONCE = 64
"""Clips held in memory together."""
_LONG_S = 300.0
"""Sound for which starting more processes pays."""


def robustness(
    pipeline: Pipeline,
    dataset: Dataset,
    table: ScoreTable,
    noise: str,
    seed: int,
    max_fpr: float = MAX_FPR,
) -> list[RobustnessRow]:
    """Change all test clips, normal and anomalous alike, and score them again.

    Model and threshold stay as they are.

    Parameters
    ----------
    pipeline : Pipeline
        The model.
    dataset : Dataset
        Of whose test side `table` is.
    table : ScoreTable
        The clips' scores as they are.
    noise : str
        Folder of background sounds; empty for pink noise.
    seed : int
        Draws noise and the response of the telephone.
    max_fpr : float
        The false-positive rate in (0, 1] up to which `pauc` counts.

    Returns
    -------
    list of RobustnessRow
        The unchanged clips first.

    Raises
    ------
    DataError
        The folder of sounds cannot be used, or no test clip is known to be normal.
    """
    if not table.normal.any():
        raise NotEnoughClipsError(
            tr(
                "{data}: robustness=true needs test clips labelled normal, and there are none",
                data=dataset.root,
            )
        )
    rate = pipeline.scorer.sample_rate
    noises = load_noises(Path(noise), rate) if noise else []
    rows = [_row(UNCHANGED, table, max_fpr)]
    for change in ProgressBar(CHANGES, desc=tr("robustness")):
        reader = _Perturbed(dataset.root, change, noises, rate, seed)
        judged = _judged(pipeline, table.clips, reader)
        changed = ScoreTable.of(table.clips, *judged, pipeline.threshold.value)
        rows.append(_row(change.name, changed, max_fpr))
    return rows


def markdown(rows: Sequence[RobustnessRow]) -> list[str]:
    """The rows as a table."""
    ranks = [[_text(row.auc, ".3f"), _text(row.pauc, ".3f")] for row in rows]
    shares = [[_text(row.false_alarm_rate, ".1%"), _text(row.recall, ".1%")] for row in rows]
    cells = ([row.name, *r, *s] for row, r, s in zip(rows, ranks, shares, strict=True))
    return markdown_table([tr("change"), "AUC", "pAUC", tr("false alarms"), tr("found")], cells)


@dataclass(frozen=True)
class _Perturbed:
    """Reads a clip and changes it; the same clip always comes out the same."""

    root: Path
    change: Change
    noises: Sequence[Noise]
    sample_rate: int
    seed: int

    def __call__(self, clip: Clip) -> Samples:
        samples = read_clip(self.root / clip.path, self.sample_rate)
        rng = np.random.default_rng([self.seed, int(clip.sha256[:16], 16)])
        return perturb(samples, self.sample_rate, self.change, self.noises, rng, self.seed)


def _judged(
    pipeline: Pipeline, clips: Sequence[Clip], read: _Perturbed
) -> tuple[Scores, Scores, NDArray[np.bool_]]:
    """Scores, p-values and decisions of changed clips, as of `Pipeline.judge_clips`."""
    jobs = None if sum(clip.duration_s for clip in clips) > _LONG_S else 1
    parts = []
    for start in range(0, len(clips), _CLIPS_AT_ONCE):
        some = clips[start : start + _CLIPS_AT_ONCE]
        samples = parallel_map(read, some, read.change.name, jobs)
        parts.append(pipeline.judge_sounds(samples, [clip.machine for clip in some]))
    scores, p_values, alarms = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return scores, p_values, alarms


def _row(name: str, table: ScoreTable, max_fpr: float) -> RobustnessRow:
    """What is defined of AUC, partial AUC, false alarms and anomalies found."""
    normal, anomalous = table.normal, table.anomalous
    both = normal.any() and anomalous.any()
    scores = (table.scores[normal], table.scores[anomalous])
    return RobustnessRow(
        name,
        auc=auc(*scores) if both else None,
        pauc=auc(*scores, max_fpr) if both else None,
        false_alarm_rate=float(table.is_anomaly[normal].mean()) if normal.any() else None,
        recall=float(table.is_anomaly[anomalous].mean()) if anomalous.any() else None,
    )


def _text(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
