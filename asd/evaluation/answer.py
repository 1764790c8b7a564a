"""The answer to what was asked: which is best, by how much, is it real, what does it miss."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from asd.evaluation.bootstrap import paired_bootstrap
from asd.evaluation.evaluation import Evaluation
from asd.evaluation.metric_table import METRICS, metric_named
from asd.evaluation.table import ScoreTable
from asd.language import tr
from asd.text import count

MOST_CONDITIONS = 5


@dataclass(frozen=True)
class Lead:
    """How far the best of several is ahead of the next one, on the same clips."""

    best: str
    second: str
    metric: str
    difference: float
    low: float
    high: float
    """The 95 % interval of the difference, paired over recordings."""

    @property
    def real(self) -> bool:
        """More than luck: the interval lies above 0."""
        return self.low > 0

    def __str__(self) -> str:
        real = tr("that is more than luck")
        luck = tr("that may be luck, these recordings do not tell the two apart")
        return tr(
            "It is ahead of {second} by {difference:+.3f} {metric}: {real} (95 % interval over "
            "recordings {low:+.3f} to {high:+.3f}).",
            second=self.second,
            difference=self.difference,
            metric=METRICS[self.metric].heading,
            real=real if self.real else luck,
            low=self.low,
            high=self.high,
        )


def ranked(metrics: Mapping[str, Mapping[str, float]], metric: str) -> list[str]:
    """Labels, best first by a metric; where it is undefined last."""
    entry = metric_named(metric)
    return sorted(metrics, key=lambda label: -entry.merit(metrics[label].get(metric)))


def lead(
    tables: Mapping[str, ScoreTable], order: list[str], metric: str, seed: int, max_fpr: float
) -> Lead | None:
    """Compare the first of `order` with the second.

    Parameters
    ----------
    tables : mapping
        Scores of the same clips, by label.
    order : list of str
        Labels, best first.
    metric : str
        What they are compared by; AUC where that has no interval.
    seed : int
        Of the draws.
    max_fpr : float
        The false-positive rate in (0, 1] up to which `pauc` counts.

    Returns
    -------
    Lead or None
        None where there is nothing to compare: one label, or clips of one class only.
    """
    if len(order) < 2:
        return None
    best, second = order[:2]
    table = tables[best]
    if not (table.normal.any() and table.anomalous.any()):
        return None
    used = metric if METRICS[metric].rank else "auc"
    figures = paired_bootstrap(table, tables[second], used, seed, max_fpr=max_fpr)
    return Lead(best, second, used, *figures)


Kept = Literal["model", "champion", "challenger", "nothing"]
"""What is left of a detector that was evaluated: a model, the champion, one that was not promoted,
or only its figures."""


def answer_of(evaluation: Evaluation, ahead: Lead | None = None, kept: Kept = "model") -> list[str]:
    """The whole answer about a detector, as Markdown: how good, what it misses, what to do next.

    Parameters
    ----------
    evaluation : Evaluation
        Of the detector; the best, where there are several.
    ahead : Lead, optional
        How far it is ahead of the next one.
    kept : {"model", "champion", "challenger", "nothing"}
        What is left of it: that says what to do next.
    """
    step, why = advice(evaluation)
    if kept == "champion" and step == "promote":
        why = tr("It is the champion: put it into service, and score new recordings.")
    elif kept == "challenger" and step == "promote":
        why = tr("It was not promoted, the gates say why: the champion there was stays.")
    elif kept == "nothing" and step in ("promote", "threshold"):
        why = tr("Train it: a comparison keeps no model.")
    best = [best_line(ahead, evaluation.dataset.name)] if ahead else []
    return [*best, *findings(evaluation), "", tr("Next: {why}", why=why), ""]


def best_line(ahead: Lead, data: str) -> str:
    """Which detector is best on a data set, by how much, and whether that is real."""
    best = tr("**{best} is best on {data}.**", best=ahead.best, data=data)
    return f"{best} {ahead}"


def findings(evaluation: Evaluation) -> list[str]:
    """How good a detector is, and what it promises, misses, costs, as Markdown."""
    return [headline(evaluation), "", *details(evaluation)]


def headline(evaluation: Evaluation) -> str:
    """How good a detector is, in a sentence."""
    figures = evaluation.metrics
    label, data = evaluation.pipeline.recipe.label, evaluation.dataset.name
    parts = []
    if "recall" in figures:
        parts.append(
            tr(
                "finds {found:.0f} of {n:.0f} anomalous clips ({recall:.0%})",
                found=figures["tp"],
                n=figures["n_anomaly"],
                recall=figures["recall"],
            )
        )
    if "false_alarm_rate" in figures:
        parts.append(
            tr(
                "raises {alarms} in {n:.0f} normal clips ({rate:.1%})",
                alarms=count(int(figures["fp"]), "false alarm"),
                n=figures["n_normal"],
                rate=figures["false_alarm_rate"],
            )
        )
    did = tr(" and ").join(parts) or tr("was scored; no clip has a label")
    text = tr("**{label} on {data}** {did}.", label=label, data=data, did=did)
    if "auc" in figures:
        low, high = figures["auc_low"], figures["auc_high"]
        text += tr(
            " AUC {auc:.3f} ({low:.3f} to {high:.3f}).", auc=figures["auc"], low=low, high=high
        )
    return text


def breaks_its_promise(evaluation: Evaluation) -> bool:
    """Even the lower end of the false-alarm rate's interval is above the rate promised."""
    promised = evaluation.pipeline.threshold.promised_rate
    low = evaluation.metrics.get("false_alarm_rate_low", 0.0)
    return promised is not None and low > promised


def details(evaluation: Evaluation) -> list[str]:
    """What a detector promises, misses, costs, a Markdown bullet each."""
    return [f"- {line}" for line in (*_promise(evaluation), _misses(evaluation), _time(evaluation))]


def advice(evaluation: Evaluation) -> tuple[str, str]:
    """What to do next.

    Returns
    -------
    step : {"promote", "recalibrate", "threshold", "augment"}
        The entry point that does it.
    why : str
        A sentence.
    """
    figures = evaluation.metrics
    if figures.get("false_alarm_rate", 0.0) >= 1 or breaks_its_promise(evaluation):
        return "recalibrate", tr(
            "It raises more false alarms than promised: these recordings are unlike those of the "
            "training. Fit the threshold on normal recordings like them, or record more of them."
        )
    if "auc" not in figures:
        return "augment", tr(
            "Without normal and anomalous test clips nobody can say how good it is: label some, or "
            "lay other sounds over some with augment -P noise=<folder of sounds>."
        )
    if figures.get("recall", 1.0) < 0.5 and figures["auc"] >= 0.85:
        return "threshold", tr(
            "It ranks well and alarms late: see what another false-alarm rate would find. More "
            "recordings of the machine running well allow a lower threshold for the same promise."
        )
    return "promote", tr("Promote it: it becomes the champion if there is none, or if it beats it.")


def _promise(evaluation: Evaluation) -> list[str]:
    figures, promised = evaluation.metrics, evaluation.pipeline.threshold.promised_rate
    lines = []
    if promised is not None:
        text = tr(
            "promises: at most {rate:.1%} false alarms under the conditions of its training",
            rate=promised,
        )
        if "false_alarm_rate" in figures:
            kept = tr("not contradicted by the test side")
            if breaks_its_promise(evaluation):
                kept = tr("broken by the test side")
            text += tr(
                "; {kept} ({low:.1%} to {high:.1%}, 95 % over recordings)",
                kept=kept,
                low=figures["false_alarm_rate_low"],
                high=figures["false_alarm_rate_high"],
            )
        lines.append(text)
    if "alarms_per_day" in figures:
        lines.append(
            tr(
                "false alarms a day, listening without pause: {alarms:.0f}",
                alarms=figures["alarms_per_day"],
            )
        )
    return lines


def _misses(evaluation: Evaluation) -> str:
    """The conditions of which most is missed, with the counts."""
    table = evaluation.table
    if not table.anomalous.any():
        return tr("misses: unknown, no test clip is labelled anomalous")
    if not (table.anomalous & ~table.is_anomaly).any():
        return tr("misses: none of the test side's anomalies")
    rows = []
    for name, members in table.groups("condition").items():
        mine = members & table.anomalous
        if mine.any() and (missed := int((mine & ~table.is_anomaly).sum())):
            n = int(mine.sum())
            text = tr("{condition} {missed} of {n}", condition=name, missed=missed, n=n)
            rows.append((missed / n, text))
    rows.sort(reverse=True)
    shown = [text for _, text in rows[:MOST_CONDITIONS]]
    more = len(rows) - len(shown)
    listed = ", ".join(shown)
    if more:
        conditions = count(more, "other condition")
        listed += tr(", and some of {conditions}", conditions=conditions)
    return tr("misses: {listed}", listed=listed)


def _time(evaluation: Evaluation) -> str:
    seconds = evaluation.metrics["score_seconds"]
    audio = float(np.sum([clip.duration_s for clip in evaluation.table.clips]))
    return tr(
        "takes {seconds:.1f} s to judge {minutes:.1f} minutes of sound",
        seconds=seconds,
        minutes=audio / 60,
    )
