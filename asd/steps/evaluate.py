"""Score the test clips of a data set with a trained model."""

import logging
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import numpy as np
from matplotlib.figure import Figure

from asd.config.steps import EvaluateConfig
from asd.data.manifest import Dataset
from asd.errors import NotEnoughClipsError
from asd.evaluation import plots
from asd.evaluation.bootstrap import auc_interval
from asd.evaluation.metrics import flat_groups, grouped, metrics
from asd.evaluation.table import GroupBy, ScoreTable
from asd.pipeline import Pipeline
from asd.steps.datasets import open_dataset
from asd.steps.explain import explanations
from asd.steps.official import log_official
from asd.steps.robustness import robustness
from asd.tracking.models import ModelRef, load, resolve
from asd.tracking.runs import TrackedRun, data_params, step_run
from asd.tracking.store import cache_root

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """A model, what it was evaluated on, and how it did."""

    model: ModelRef
    pipeline: Pipeline
    dataset: Dataset
    table: ScoreTable
    metrics: dict[str, float]
    groups: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    """Metrics of each condition, domain, machine and pitch, as `grouped` gives them."""


def run(config: EvaluateConfig, dataset: Dataset | None = None) -> Evaluation:
    """Score the test clips and log every metric, plot and score.

    `dataset` is what stands in `data` where that is open already.

    Raises
    ------
    AsdError
        There is no such model or data set, or it has no test clips.
    """
    with step_run("evaluate", config.flat()) as tracked:
        model = resolve(config.model_uri)
        pipeline = load(model)
        dataset = open_dataset(dataset or config.data or pipeline.trained_on.path)
        tracked.rename(f"evaluate {pipeline.detector.name}")
        tracked.log_params(
            {
                "detector": pipeline.detector.name,
                "model": model.uri,
                "train_run": model.run_id,
                **pipeline.detector.config.flat("detector."),
                **pipeline.features.flat("features."),
                **data_params(dataset),
            }
        )
        evaluation = judge(model, pipeline, dataset, tracked, config.max_fpr, config.seed)
        _log(evaluation, config, tracked)
        lines = _summary(evaluation)
        if config.official:
            lines += log_official(config.official, evaluation.table, tracked)
        if config.robustness:
            table = evaluation.table
            lines += robustness(
                pipeline, dataset, table, config.noise, config.max_fpr, config.seed, tracked
            )
        after = f"mlflow run . -e promote -P model_uri={model.uri}"
        tracked.report(*lines, after=after)
    return evaluation


def judge(
    model: ModelRef,
    pipeline: Pipeline,
    dataset: Dataset,
    tracked: TrackedRun,
    max_fpr: float = 0.1,
    seed: int = 0,
) -> Evaluation:
    """Score the test clips of a data set and log the metrics to the run and to the model.

    Raises
    ------
    NotEnoughClipsError
        The data set has no test clips.
    """
    test = dataset.split("test")
    if not test.clips:
        raise NotEnoughClipsError(
            f"{dataset.root}: has no test clips, at least 1 is needed; add recordings or give "
            "another split to preprocess"
        )
    tracked.log_input(test, "testing")
    started = time.perf_counter()
    scores, p_values = pipeline.judge_dataset(test, cache_root())
    seconds = time.perf_counter() - started
    table = ScoreTable(test.clips, scores, p_values, pipeline.threshold.value)
    figures = metrics(table, max_fpr) | {"score_seconds": seconds}
    if "auc" in figures:
        figures["auc_low"], figures["auc_high"] = auc_interval(table, seed)
    groups = {by: grouped(table, by) for by in get_args(GroupBy)}
    for found in groups.values():
        if len(found) > 1:
            figures |= flat_groups(found)
    tracked.log_metrics(figures, model_id=model.model_id, dataset=test)
    return Evaluation(model, pipeline, dataset, table, figures, groups)


def _log(evaluation: Evaluation, config: EvaluateConfig, tracked: TrackedRun) -> None:
    table = evaluation.table
    tracked.log_figures(_figures(evaluation, config.max_fpr))
    for name, figure in explanations(evaluation.pipeline, evaluation.dataset, table):
        tracked.log_figures({name: figure}, "explanations")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table.write_csv(folder / "scores.csv")
        tracked.log_files(folder / "scores.csv")
        if table.is_anomaly.any():
            _copy_anomalies(evaluation, folder / "anomalies")
            tracked.log_files(folder / "anomalies", "anomalies")
    if config.anomalies:
        _copy_anomalies(evaluation, Path(config.anomalies))
        logger.info("clips judged anomalous copied to %s", config.anomalies)


def _copy_anomalies(evaluation: Evaluation, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in np.flatnonzero(evaluation.table.is_anomaly):
        clip = evaluation.table.clips[index]
        shutil.copyfile(evaluation.dataset.file(clip), folder / Path(clip.path).name)


def _figures(evaluation: Evaluation, max_fpr: float) -> dict[str, Figure]:
    table = evaluation.table
    drawn = {
        "score_histogram": plots.score_histogram(table),
        "score_bars": plots.score_bars(table),
    }
    if "auc" in evaluation.metrics:
        drawn["roc_curve"] = plots.roc_curve(table, max_fpr)
    if table.normal.any() or table.anomalous.any():
        drawn["confusion_matrix"] = plots.confusion_matrix(table)
    if len(table.groups("pitch")) > 1:
        drawn["score_bars_by_pitch"] = plots.score_bars(table, "pitch")
    if table.normal.any():
        promised = evaluation.pipeline.threshold.promised_rate
        drawn["false_alarms"] = plots.false_alarm_by_condition(table, promised_rate=promised)
    return drawn


def _summary(evaluation: Evaluation) -> list[str]:
    found = evaluation.metrics
    lines = [
        f"evaluated {evaluation.model.name}, model {evaluation.model.uri}, on the "
        f"{len(evaluation.table)} test clips of {evaluation.dataset.root}"
    ]
    if "auc" in found:
        lines.append(
            f"AUC {found['auc']:.3f} ({found['auc_low']:.3f} to {found['auc_high']:.3f}), "
            f"pAUC {found['pauc']:.3f}, average precision {found['average_precision']:.3f}"
        )
    if "false_alarm_rate" in found:
        promised = evaluation.pipeline.threshold.promised_rate
        lines.append(
            f"false alarms {found['false_alarm_rate']:.1%} ({found['false_alarm_rate_low']:.1%} to "
            f"{found['false_alarm_rate_high']:.1%})"
            + (f", promised {promised:.1%}" if promised is not None else "")
            + f": {found['alarms_per_day']:.0f} a day of listening to a healthy machine"
        )
    counts = [f"{key.upper()} {found[key]:.0f}" for key in ("tp", "fp", "tn", "fn") if key in found]
    if counts:
        lines.append(", ".join(counts))
    groups = evaluation.groups
    return [*lines, *_by_pitch(groups["pitch"]), *_hardest(groups["condition"])]


def _by_pitch(pitches: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What each shift in pitch does to the false-alarm rate."""
    rates = {
        float(name.removeprefix("pitch_")): found["false_alarm_rate"]
        for name, found in pitches.items()
        if "false_alarm_rate" in found
    }
    plain = rates.pop(0.0, None)
    if plain is None:
        return []
    lines = []
    for semitones, rate in rates.items():
        change = "raises" if rate > plain else "lowers" if rate < plain else "leaves"
        end = f"at {rate:.1%}" if rate == plain else f"from {plain:.1%} to {rate:.1%}"
        lines.append(f"a pitch shift of {semitones:+g} {change} false alarms {end}")
    return lines


def _hardest(conditions: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The condition whose anomalies are found least often."""
    recalls = {name: found["recall"] for name, found in conditions.items() if "recall" in found}
    if len(set(recalls.values())) < 2:
        return []
    worst = min(recalls, key=lambda name: recalls[name])
    return [f"hardest to find: {worst}, {recalls[worst]:.1%} of its clips raise an alarm"]
