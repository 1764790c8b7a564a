"""What an evaluation tells: sentences and plots."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from asd.evaluation import plots
from asd.evaluation.evaluation import Evaluation
from asd.evaluation.metrics import PROMISED
from asd.evaluation.recordings import PREFIX
from asd.evaluation.style import named
from asd.pipeline.calibration import FitReport
from asd.pipeline.pipeline import Pipeline
from asd.text import markdown_table

LEADERBOARD = ("auc", "pauc", "f1", "false_alarm_rate", "score_seconds")
"""Columns of the table of models."""


def summary(evaluation: Evaluation) -> list[str]:
    """How a pipeline did, a sentence or two a line, for the terminal and the report."""
    figures = evaluation.metrics
    lines = [
        f"evaluated {evaluation.name} on the {len(evaluation.table)} test clips of "
        f"{evaluation.dataset.root}"
    ]
    if "auc" in figures:
        lines.append(
            f"AUC {figures['auc']:.3f} ({figures['auc_low']:.3f} to {figures['auc_high']:.3f}), "
            f"pAUC {figures['pauc']:.3f}, average precision {figures['average_precision']:.3f}"
        )
    if "false_alarm_rate" in figures:
        promised = evaluation.pipeline.threshold.promised_rate
        low, high = figures["false_alarm_rate_low"], figures["false_alarm_rate_high"]
        lines.append(
            f"false alarms {figures['false_alarm_rate']:.1%} ({low:.1%} to {high:.1%})"
            + (f", promised {promised:.1%}" if promised is not None else "")
            + f": {figures['alarms_per_day']:.0f} a day of listening to a healthy machine"
        )
    lines += _by_recording(figures)
    keys = ("tp", "fp", "tn", "fn")
    counts = [f"{key.upper()} {figures[key]:.0f}" for key in keys if key in figures]
    if counts:
        lines.append(", ".join(counts))
    groups = evaluation.groups
    return [
        *lines,
        *_at_promise(figures),
        *_by_pitch(groups["pitch"]),
        *_hardest(groups["condition"]),
    ]


def _by_recording(figures: Mapping[str, float]) -> list[str]:
    """The same with whole recordings as what is judged."""
    own = {k.removeprefix(PREFIX): v for k, v in figures.items() if k.startswith(PREFIX)}
    parts = []
    if "auc" in own:
        parts.append(f"AUC {own['auc']:.3f}")
    if "recall" in own:
        parts.append(f"{own['recall']:.1%} of {own['n_anomaly']:.0f} anomalous found")
    if "false_alarm_rate" in own:
        low, high = own["false_alarm_rate_low"], own["false_alarm_rate_high"]
        parts.append(
            f"false alarms {own['false_alarm_rate']:.1%} ({low:.1%} to {high:.1%}) of "
            f"{own['n_normal']:.0f} normal"
        )
    return [f"by recording: {', '.join(parts)}"] if parts else []


def _at_promise(figures: Mapping[str, float]) -> list[str]:
    """What would be found at other promised false-alarm rates."""
    parts = []
    for rate in PROMISED:
        end = f"_at_{rate * 100:g}pct"
        if f"recall{end}" in figures and f"false_alarm_rate{end}" in figures:
            recall, alarms = figures[f"recall{end}"], figures[f"false_alarm_rate{end}"]
            parts.append(f"{rate:.0%} promised: {recall:.1%} found, {alarms:.1%} false alarms")
    return ["; ".join(parts)] if parts else []


def _by_pitch(pitches: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What each shift in pitch does to the false-alarm rate."""
    rates = {
        float(name.removeprefix("pitch_")): figures["false_alarm_rate"]
        for name, figures in pitches.items()
        if "false_alarm_rate" in figures
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
    recalls = {
        name: figures["recall"] for name, figures in conditions.items() if "recall" in figures
    }
    if len(set(recalls.values())) < 2:
        return []
    worst = min(recalls, key=lambda name: recalls[name])
    return [f"hardest to find: {worst}, {recalls[worst]:.1%} of its clips raise an alarm"]


def figures(evaluation: Evaluation) -> dict[str, Figure]:
    """The plots of an evaluation, by the names they are logged under."""
    table = evaluation.table
    drawn = {
        "score_histogram": plots.score_histogram(table),
        "score_bars": plots.score_bars(table),
    }
    if "auc" in evaluation.metrics:
        drawn["roc_curve"] = plots.roc_curve(table, evaluation.max_fpr)
    if table.normal.any() or table.anomalous.any():
        drawn["confusion_matrix"] = plots.confusion_matrix(table)
    if len(table.groups("pitch")) > 1:
        drawn["score_bars_by_pitch"] = plots.score_bars(table, "pitch")
    if table.normal.any():
        promised = evaluation.pipeline.threshold.promised_rate
        drawn["false_alarms"] = plots.false_alarm_by_condition(table, promised_rate=promised)
    of = f"{evaluation.pipeline.recipe.label} on {evaluation.dataset.name}"
    return {name: named(figure, of) for name, figure in drawn.items()}


def threshold_lines(pipeline: Pipeline, report: FitReport) -> list[str]:
    """The threshold, where it comes from and what it promises, a sentence or two a line."""
    threshold = pipeline.threshold
    promise = ""
    if threshold.promised_rate is not None:
        promise = f"; promises at most {threshold.promised_rate:.1%} false alarms"
    lines = [f"threshold {threshold.value:.6g}, as given; it promises nothing"]
    if threshold.method != "fixed":
        source = f"by {threshold.method} from {report.calibration_line()}"
        lines = [f"threshold {threshold.value:.6g} {source}{promise}"]
    if pipeline.decision.note:
        lines.append(pipeline.decision.note)
    if threshold.method == "conformal" and (told := pipeline.promise(report.unit_seconds)):
        lines.append(told.line)
    return lines


def leaderboard(figures: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A table of models, in the order in which they are given.

    Parameters
    ----------
    figures : mapping
        Metrics of each model, by its label.
    """
    rows = (
        [label, *(_cell(metrics.get(column)) for column in LEADERBOARD)]
        for label, metrics in figures.items()
    )
    return markdown_table(["model", *LEADERBOARD], rows)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
