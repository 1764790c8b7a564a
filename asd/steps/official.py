"""The figures and files by which DCASE Task 2 compares systems."""

import tempfile
from pathlib import Path
from typing import Literal

from asd.evaluation import official
from asd.evaluation.metrics import metric_key
from asd.evaluation.table import ScoreTable
from asd.tracking.runs import TrackedRun

_SCORES = {"dcase2020": official.dcase2020, "dcase2023": official.dcase2023}


def log_official(
    rules: Literal["dcase2020", "dcase2023"], table: ScoreTable, tracked: TrackedRun
) -> list[str]:
    """Log the official scores, and the files of a submission below ``official/``.

    Parameters
    ----------
    rules : {"dcase2020", "dcase2023"}
        The year whose rules hold; those of 2023 hold for later years too.
    table : ScoreTable
        Scored test clips.
    tracked : TrackedRun
        Where to log.

    Returns
    -------
    list of str
        What the user should know.

    Raises
    ------
    DataError
        The clips are not those of a DCASE tree, or were augmented.
    """
    files = official.by_file(table)
    with tempfile.TemporaryDirectory() as name:
        written = official.write_files(files, Path(name))
        tracked.log_files(Path(name), "official")
    lines = [f"{rules}: {len(written)} files of a submission are in the artifacts, in official/"]
    if not (files.normal.any() and files.anomalous.any()):
        return [*lines, "no official score: the test files have no labels"]
    found = _SCORES[rules](files)
    tracked.log_metrics({metric_key(key): value for key, value in found.items()})
    overall = {key: value for key, value in found.items() if key.count(".") == 1}
    return [*lines, ", ".join(f"{key} {value:.4f}" for key, value in overall.items())]
