"""The answer to what was asked: which is best, by how much, is it real, what does it miss."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from asd.evaluation.bootstrap import paired_bootstrap
from asd.evaluation.evaluation import Evaluation
from asd.evaluation.metric_table import METRICS, metric_named
from asd.evaluation.table import ScoreTable
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
        by = f"{self.difference:+.3f} (95 % interval over recordings {self.low:+.3f} to "
        by += f"{self.high:+.3f})"
        if self.real:
            return f"It leads {self.second} by {by}: more than luck."
        return (
            f"It leads {self.second} by {by}: that may be luck, these recordings do not tell "
            "the two apart."
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


def answer_of(
    evaluation: Evaluation, ahead: Lead | None = None, promoted: bool = False
) -> list[str]:
    """The whole answer about a detector, as Markdown: how good, what it misses, what to do next.

    Parameters
    ----------
    evaluation : Evaluation
        Of the detector; the best, where there are several.
    ahead : Lead, optional
        How far it is ahead of the next one.
    promoted : bool
        It is the champion already.
    """
    step, why = advice(evaluation)
    if promoted and step == "promote":
        why = "It is the champion: put it into service, and score new recordings."
    first = [headline(evaluation), *([str(ahead)] if ahead else [])]
    return [*first, "", *details(evaluation), "", f"Next: {why}", ""]


def headline(evaluation: Evaluation) -> str:
    """How good a detector is, in a sentence."""
    figures = evaluation.metrics
    label, data = evaluation.pipeline.recipe.label, evaluation.dataset.name
    parts = []
    if "recall" in figures:
        n, found = figures["n_anomaly"], figures["tp"]
        parts.append(f"finds {found:.0f} of {n:.0f} anomalous clips ({figures['recall']:.0%})")
    if "false_alarm_rate" in figures:
        n, alarms = figures["n_normal"], count(int(figures["fp"]), "false alarm")
        rate = figures["false_alarm_rate"]
        parts.append(f"raises {alarms} in {n:.0f} normal clips ({rate:.1%})")
    text = f"**{label} on {data}** " + (" and ".join(parts) or "was scored; no clip has a label")
    if "auc" in figures:
        low, high = figures["auc_low"], figures["auc_high"]
        text += f". AUC {figures['auc']:.3f} ({low:.3f} to {high:.3f})"
    return text + "."


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
        return "recalibrate", (
            "It raises more false alarms than promised: these recordings are unlike those of the "
            "training. Fit the threshold on normal recordings like them, or record more of them."
        )
    if "auc" not in figures:
        return "augment", (
            "Without normal and anomalous test clips nobody can say how good it is: label some, or "
            "lay other sounds over some with augment -P noise=<folder of sounds>."
        )
    if figures.get("recall", 1.0) < 0.5 and figures["auc"] >= 0.85:
        return "threshold", (
            "It ranks well and alarms late: see what another false-alarm rate would find. More "
            "recordings of the machine running well allow a lower threshold for the same promise."
        )
    return "promote", "Promote it: it becomes the champion if there is none, or if it beats it."


def _promise(evaluation: Evaluation) -> list[str]:
    figures, promised = evaluation.metrics, evaluation.pipeline.threshold.promised_rate
    lines = []
    if promised is not None:
        text = f"promises: at most {promised:.1%} false alarms under the conditions of its training"
        if "false_alarm_rate" in figures:
            low, high = figures["false_alarm_rate_low"], figures["false_alarm_rate_high"]
            kept = "broken" if breaks_its_promise(evaluation) else "not contradicted"
            text += f"; {kept} by the test side ({low:.1%} to {high:.1%}, 95 % over recordings)"
        lines.append(text)
    if "alarms_per_day" in figures:
        lines.append(
            f"false alarms a day, listening without pause: {figures['alarms_per_day']:.0f}"
        )
    return lines


def _misses(evaluation: Evaluation) -> str:
    """The conditions of which most is missed, with the counts."""
    table = evaluation.table
    if not table.anomalous.any():
        return "misses: unknown, no test clip is labelled anomalous"
    if not (table.anomalous & ~table.is_anomaly).any():
        return "misses: none of the test side's anomalies"
    rows = []
    for name, members in table.groups("condition").items():
        mine = members & table.anomalous
        if mine.any() and (missed := int((mine & ~table.is_anomaly).sum())):
            rows.append((missed / int(mine.sum()), f"{name} {missed} of {int(mine.sum())}"))
    rows.sort(reverse=True)
    shown = [text for _, text in rows[:MOST_CONDITIONS]]
    more = len(rows) - len(shown)
    end = f", and some of {count(more, 'other condition')}" if more else ""
    return f"misses: {', '.join(shown)}{end}"


def _time(evaluation: Evaluation) -> str:
    seconds = evaluation.metrics["score_seconds"]
    audio = float(np.sum([clip.duration_s for clip in evaluation.table.clips]))
    return f"takes {seconds:.1f} s to judge {audio / 60:.1f} minutes of sound"
