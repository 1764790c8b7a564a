"""A pipeline on the test side of a data set: scores, metrics, and what groups of clips tell."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from asd.data.manifest import Dataset
from asd.errors import NotEnoughClipsError
from asd.evaluation.bootstrap import auc_interval
from asd.evaluation.metrics import (
    MAX_FPR,
    at_promise,
    flat_groups,
    grouped,
    metrics,
    warn_of_absent,
)
from asd.evaluation.recordings import recording_metrics
from asd.evaluation.table import GroupBy, ScoreTable
from asd.features.store import FeatureStore
from asd.language import tr
from asd.pipeline.pipeline import Pipeline


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A pipeline, what it was evaluated on, and how it did."""

    name: str
    """What the model is called, for people."""
    pipeline: Pipeline
    dataset: Dataset
    """All sides; `table` is of its test side."""
    table: ScoreTable
    metrics: Mapping[str, float]
    groups: Mapping[str, Mapping[str, Mapping[str, float]]]
    """Metrics of each condition, domain, machine and pitch, as `grouped` gives them."""
    max_fpr: float
    """The false-positive rate up to which `pauc` counts."""
    seed: int
    """Of the bootstrap intervals."""


def evaluate(
    name: str,
    pipeline: Pipeline,
    dataset: Dataset,
    store: FeatureStore,
    max_fpr: float = MAX_FPR,
    seed: int = 0,
) -> Evaluation:
    """Score the test clips of a data set, just as a server would.

    Parameters
    ----------
    name : str
        What the model is called, for people.
    pipeline : Pipeline
        What is evaluated.
    dataset : Dataset
        Its test side is scored.
    store : FeatureStore
        Gives the features.
    max_fpr : float
        The false-positive rate in (0, 1] up to which `pauc` counts.
    seed : int
        Of the bootstrap intervals.

    Raises
    ------
    NotEnoughClipsError
        The data set has no test clips.
    """
    test = dataset.split("test")
    if not test.clips:
        raise NotEnoughClipsError(
            tr(
                "{data}: has no test clips, at least 1 is needed; add recordings or give "
                "another split to preprocess",
                data=dataset.root,
            )
        )
    started = time.perf_counter()
    judged = pipeline.judge_clips(test, store)
    seconds = time.perf_counter() - started
    table = ScoreTable.of(test.clips, *judged, pipeline.threshold.value)
    warn_of_absent(table)
    figures = metrics(table, max_fpr) | {"score_seconds": seconds}
    if "auc" in figures:
        figures["auc_low"], figures["auc_high"] = auc_interval(table, seed)
    figures |= at_promise(table, 1 / (pipeline.decision.calibration.n_units + 1))
    figures |= recording_metrics(table, pipeline.decision, max_fpr)
    groups = {by: grouped(table, by) for by in get_args(GroupBy)}
    for members in groups.values():
        if len(members) > 1:
            figures |= flat_groups(members)
    return Evaluation(name, pipeline, dataset, table, figures, groups, max_fpr, seed)
