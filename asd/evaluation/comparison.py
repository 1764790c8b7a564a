"""Detectors side by side: what several seeds on several data sets say of each."""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from scipy import stats

from asd.text import markdown_table

Metric = Literal[
    "auc", "pauc", "recall", "false_alarm_rate", "fit_seconds", "score_seconds", "megabytes"
]


@dataclass(frozen=True)
class Outcome:
    """One detector, fitted once on one data set."""

    model: str
    data: str
    seed: int
    auc: float
    pauc: float
    recall: float
    """Share of the anomalous test clips that raise an alarm."""
    false_alarm_rate: float
    """Share of the normal test clips that raise one."""
    fit_seconds: float
    """Of the served detector, without its calibration."""
    score_seconds: float
    """For all test clips, without the front end."""
    megabytes: float
    """Size on disk."""

    def figures(self) -> dict[str, float]:
        """All that was measured, by name."""
        return {key: value for key, value in asdict(self).items() if isinstance(value, float)}


@dataclass(frozen=True)
class Spread:
    """A mean over seeds and how sure it is."""

    mean: float
    margin: float
    """Half the 95 % interval of the mean after Student; 0 where there is one value, or they are
    all equal."""

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """Mean and margin of at least one value.

        Examples
        --------
        >>> found = Spread.of([0.8, 0.9])
        >>> round(found.mean, 3), round(found.margin, 3)
        (0.85, 0.635)
        """
        n = len(values)
        margin = 0.0
        if n > 1:
            margin = float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
        return cls(float(np.mean(values)), margin)


@dataclass(frozen=True)
class Comparison:
    """All outcomes."""

    outcomes: tuple[Outcome, ...]

    @property
    def data(self) -> list[str]:
        """The data sets, in the order in which they were given."""
        return list(dict.fromkeys(outcome.data for outcome in self.outcomes))

    @property
    def models(self) -> list[str]:
        """The detectors, best first by their mean AUC over data sets."""
        return sorted({outcome.model for outcome in self.outcomes}, key=lambda m: -self.macro(m))

    def spread(self, model: str, data: str, metric: Metric) -> Spread:
        """A figure of one detector on one data set, over seeds."""
        return Spread.of(
            [
                getattr(outcome, metric)
                for outcome in self.outcomes
                if (outcome.model, outcome.data) == (model, data)
            ]
        )

    def macro(self, model: str, metric: Metric = "auc") -> float:
        """Mean of a figure over data sets."""
        return float(np.mean([self.spread(model, data, metric).mean for data in self.data]))

    def markdown(self) -> list[str]:
        """The table: a row a detector and data set, the best detector of each first."""
        columns = ["data", "model", "AUC", "pAUC", "found", "false alarms"]
        columns += ["fit (s)", "score (s)", "size (MB)"]
        rows = []
        for data in self.data:
            ranked = sorted(self.models, key=lambda m: -self.spread(m, data, "auc").mean)
            rows += [self._row(model, data) for model in ranked]
        if len(self.data) > 1:
            rows += [self._means(model) for model in self.models]
        return markdown_table(columns, rows, "ll" + "r" * 7)

    def _means(self, model: str) -> list[str]:
        ranks = [f"{self.macro(model, 'auc'):.3f}", f"{self.macro(model, 'pauc'):.3f}"]
        found, alarms = self.macro(model, "recall"), self.macro(model, "false_alarm_rate")
        return ["all, mean", model, *ranks, f"{found:.1%}", f"{alarms:.1%}", "", "", ""]

    def _row(self, model: str, data: str) -> list[str]:
        ranks = [_with_margin(self.spread(model, data, "auc"))]
        ranks.append(_with_margin(self.spread(model, data, "pauc")))
        fit = self.spread(model, data, "fit_seconds").mean
        score = self.spread(model, data, "score_seconds").mean
        size = self.spread(model, data, "megabytes").mean
        found = self.spread(model, data, "recall").mean
        alarms = self.spread(model, data, "false_alarm_rate").mean
        shares = [f"{found:.1%}", f"{alarms:.1%}"]
        return [data, model, *ranks, *shares, f"{fit:.2f}", f"{score:.2f}", f"{size:.2f}"]


def _with_margin(found: Spread) -> str:
    return f"{found.mean:.3f}" + (f" ± {found.margin:.3f}" if found.margin else "")
