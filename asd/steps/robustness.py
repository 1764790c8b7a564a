"""How a trained model does when the recording changes and the machine does not."""

import csv
import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from asd.data.audio import read_clip
from asd.data.disturb import CHANGES, Change, disturb
from asd.data.manifest import Clip, Dataset
from asd.data.noise import Noise, load_noises
from asd.data.parallel import parallel_map
from asd.detectors.base import Scores
from asd.errors import NotEnoughClipsError
from asd.evaluation import plots
from asd.evaluation.metrics import auc
from asd.evaluation.plots import RobustnessRow
from asd.evaluation.table import ScoreTable
from asd.features.logmel import LogMel
from asd.features.sets import FloatArray
from asd.pipeline import Pipeline, windowed
from asd.tracking.runs import TrackedRun

UNCHANGED = "unchanged"
_CLIPS_AT_ONCE = 64
"""Clips held in memory together."""
_LONG_S = 300.0
"""Sound for which starting more processes pays."""


def robustness(
    pipeline: Pipeline,
    dataset: Dataset,
    table: ScoreTable,
    noise: str,
    max_fpr: float,
    seed: int,
    tracked: TrackedRun,
) -> list[str]:
    """Change all test clips, normal and anomalous alike, score them again, and log what comes out.

    Model and threshold stay as they are. Logs ``robustness.auc.<change>`` and
    ``robustness.false_alarm_rate.<change>``, ``robustness.csv``, ``robustness.md`` and a plot.

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
    max_fpr : float
        The false-positive rate in (0, 1] up to which the partial AUC counts.
    seed : int
        Draws noise and the response of the telephone.
    tracked : TrackedRun
        Where to log.

    Returns
    -------
    list of str
        The table, for the terminal.

    Raises
    ------
    DataError
        The folder of sounds cannot be used, or no test clip is known to be normal.
    """
    if not table.normal.any():
        raise NotEnoughClipsError(
            f"{dataset.root}: robustness=true needs test clips labelled normal, and there are none"
        )
    rate = pipeline.features.sample_rate
    noises = load_noises(Path(noise), rate) if noise else []
    rows = [_row(UNCHANGED, table, max_fpr)]
    for change in tqdm(CHANGES, desc="robustness", disable=None, delay=0.5):
        disturbed = _Disturbed(change, noises, rate, pipeline.window_samples, seed)
        scores = _scores(pipeline, dataset, table.clips, disturbed)
        changed = ScoreTable(table.clips, scores, None, table.threshold)
        rows.append(_row(change.name, changed, max_fpr))
    _log(rows, pipeline.threshold.promised_rate, tracked)
    return _markdown(rows)


@dataclass(frozen=True)
class _Disturbed:
    """Reads a clip and changes it; the same clip always comes out the same."""

    change: Change
    noises: Sequence[Noise]
    sample_rate: int
    window_samples: int
    seed: int

    def __call__(self, front_end: LogMel, root: Path, clip: Clip) -> list[FloatArray]:
        samples = read_clip(root / clip.path, self.sample_rate)
        rng = np.random.default_rng([self.seed, int(clip.sha256[:16], 16)])
        changed = disturb(samples, self.sample_rate, self.change, self.noises, rng, self.seed)
        return windowed(front_end, changed, self.window_samples)


def _scores(
    pipeline: Pipeline, dataset: Dataset, clips: Sequence[Clip], disturbed: _Disturbed
) -> Scores:
    make = functools.partial(disturbed, LogMel(pipeline.features), dataset.root)
    jobs = None if sum(clip.duration_s for clip in clips) > _LONG_S else 1
    found: list[float] = []
    for start in range(0, len(clips), _CLIPS_AT_ONCE):
        some = clips[start : start + _CLIPS_AT_ONCE]
        features = parallel_map(make, some, disturbed.change.name, jobs)
        found += [scores.max() for scores in pipeline.score_windows(features)]
    return np.array(found)


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


_COLUMNS = ("auc", "pauc", "false_alarm_rate", "recall")


def _log(rows: list[RobustnessRow], promised: float | None, tracked: TrackedRun) -> None:
    tracked.log_metrics(
        {
            f"robustness.{column}.{row.name}": value
            for row in rows
            for column in ("auc", "false_alarm_rate")
            if (value := getattr(row, column)) is not None
        }
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["change", *_COLUMNS])
    writer.writerows([row.name, *(getattr(row, column) for column in _COLUMNS)] for row in rows)
    tracked.log_text(text.getvalue(), "robustness.csv")
    tracked.log_text("\n".join(_markdown(rows)) + "\n", "robustness.md")
    tracked.log_figures({"robustness": plots.robustness(rows, promised)})


def _markdown(rows: list[RobustnessRow]) -> list[str]:
    lines = [
        "| change        |   AUC |  pAUC | false alarms |  found |",
        "|---------------|------:|------:|-------------:|-------:|",
    ]
    for row in rows:
        ranks = " | ".join("    -" if v is None else f"{v:.3f}" for v in (row.auc, row.pauc))
        alarms, found = (
            "-" if v is None else f"{v:.1%}" for v in (row.false_alarm_rate, row.recall)
        )
        lines.append(f"| {row.name:<13} | {ranks} | {alarms:>12} | {found:>6} |")
    return lines
