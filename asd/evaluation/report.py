"""What an evaluation tells: sentences and plots."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from asd.evaluation import plots
from asd.evaluation.evaluation import Evaluation
from asd.evaluation.metric_table import METRICS
from asd.evaluation.metrics import PROMISED
from asd.evaluation.recordings import PREFIX
from asd.evaluation.style import named
from asd.language import tr
from asd.pipeline.calibration import FitReport
from asd.pipeline.pipeline import Pipeline
from asd.text import markdown_table

LEADERBOARD = ("auc", "pauc", "f1", "false_alarm_rate", "score_seconds")
"""Columns of the table of models."""


def summary(evaluation: Evaluation) -> list[str]:
    """How a pipeline did, a sentence or two a line, for the terminal and the report."""
    figures = evaluation.metrics
    lines = [
        tr(
            "evaluated {name} on the {n} test clips of {data}",
            name=evaluation.name,
            n=len(evaluation.table),
            data=evaluation.dataset.root,
        )
    ]
    if "auc" in figures:
        lines.append(
            tr(
                "AUC {auc:.3f} ({low:.3f} to {high:.3f}), pAUC {pauc:.3f}, average precision "
                "{precision:.3f}",
                auc=figures["auc"],
                low=figures["auc_low"],
                high=figures["auc_high"],
                pauc=figures["pauc"],
                precision=figures["average_precision"],
            )
        )
    if "false_alarm_rate" in figures:
        promised = evaluation.pipeline.threshold.promised_rate
        lines.append(
            tr(
                "false alarms {rate:.1%} ({low:.1%} to {high:.1%}){promised}: {alarms:.0f} a day "
                "of listening to a healthy machine",
                rate=figures["false_alarm_rate"],
                low=figures["false_alarm_rate_low"],
                high=figures["false_alarm_rate_high"],
                promised="" if promised is None else tr(", promised {rate:.1%}", rate=promised),
                alarms=figures["alarms_per_day"],
            )
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
        recall, n = own["recall"], own["n_anomaly"]
        parts.append(tr("{recall:.1%} of {n:.0f} anomalous found", recall=recall, n=n))
    if "false_alarm_rate" in own:
        parts.append(
            tr(
                "false alarms {rate:.1%} ({low:.1%} to {high:.1%}) of {n:.0f} normal",
                rate=own["false_alarm_rate"],
                low=own["false_alarm_rate_low"],
                high=own["false_alarm_rate_high"],
                n=own["n_normal"],
            )
        )
    return [tr("by recording: {figures}", figures=", ".join(parts))] if parts else []


def _at_promise(figures: Mapping[str, float]) -> list[str]:
    """What would be found at other promised false-alarm rates."""
    parts = []
    for rate in PROMISED:
        end = f"_at_{rate * 100:g}pct"
        if f"recall{end}" in figures and f"false_alarm_rate{end}" in figures:
            recall, alarms = figures[f"recall{end}"], figures[f"false_alarm_rate{end}"]
            parts.append(
                tr(
                    "{rate:.0%} promised: {recall:.1%} found, {alarms:.1%} false alarms",
                    rate=rate,
                    recall=recall,
                    alarms=alarms,
                )
            )
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
        told = {"semitones": semitones, "before": plain, "rate": rate}
        if rate > plain:
            line = tr(
                "a pitch shift of {semitones:+g} raises false alarms from {before:.1%} to "
                "{rate:.1%}",
                **told,
            )
        elif rate < plain:
            line = tr(
                "a pitch shift of {semitones:+g} lowers false alarms from {before:.1%} to "
                "{rate:.1%}",
                **told,
            )
        else:
            line = tr("a pitch shift of {semitones:+g} leaves false alarms at {rate:.1%}", **told)
        lines.append(line)
    return lines


def _hardest(conditions: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The condition whose anomalies are found least often."""
    recalls = {
        name: figures["recall"] for name, figures in conditions.items() if "recall" in figures
    }
    if len(set(recalls.values())) < 2:
        return []
    worst = min(recalls, key=lambda name: recalls[name])
    return [
        tr(
            "hardest to find: {condition}, {recall:.1%} of its clips raise an alarm",
            condition=worst,
            recall=recalls[worst],
        )
    ]


def subject(label: str, data: str) -> str:
    """What a figure is of: a detector and a data set."""
    return tr("{label} on {data}", label=label, data=data)


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
    of = subject(evaluation.pipeline.recipe.label, evaluation.dataset.name)
    return {name: named(figure, of) for name, figure in drawn.items()}


def threshold_lines(pipeline: Pipeline, report: FitReport) -> list[str]:
    """The threshold, where it comes from and what it promises, a sentence or two a line."""
    threshold = pipeline.threshold
    lines = [tr("threshold {value:.6g}, as given; it promises nothing", value=threshold.value)]
    if threshold.method != "fixed":
        line = tr(
            "threshold {value:.6g} by {method} from {source}",
            value=threshold.value,
            method=threshold.method,
            source=report.calibration_line(),
        )
        if threshold.promised_rate is not None:
            rate = threshold.promised_rate
            line += tr("; promises at most {rate:.1%} false alarms", rate=rate)
        lines = [line]
    lines += threshold_warnings(pipeline)
    if threshold.method == "conformal" and (told := pipeline.promise(report.unit_seconds)):
        lines.append(told.line)
    return lines


def threshold_warnings(pipeline: Pipeline) -> list[str]:
    """What limits the promise of a threshold, as a line; none where nothing does."""
    note = pipeline.decision.note
    return [tr("warning: {warning}", warning=note)] if note else []


def leaderboard(figures: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A table of models, in the order in which they are given.

    Parameters
    ----------
    figures : mapping
        Metrics of each model, by its label.
    """
    columns = [METRICS[name] for name in LEADERBOARD if name in METRICS]
    heads = [tr("model"), *(metric.heading for metric in columns), tr("score (s)")]
    rows = (
        [
            label,
            *(metric.write(metrics.get(metric.name)) for metric in columns),
            f"{metrics['score_seconds']:.2f}" if "score_seconds" in metrics else "-",
        ]
        for label, metrics in figures.items()
    )
    return markdown_table(heads, rows, "l" + "r" * (len(heads) - 1))
