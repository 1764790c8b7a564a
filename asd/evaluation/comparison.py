"""Detectors side by side: what several seeds on several data sets say of each."""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from scipy import stats

Metric = Literal["auc", "pauc", "fit_seconds", "score_seconds", "megabytes"]


@dataclass(frozen=True)
class Outcome:
    """One detector, fitted once on one data set."""

    model: str
    data: str
    seed: int
    auc: float
    pauc: float
    fit_seconds: float
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
        lines = [
            "| data | model | AUC | pAUC | fit (s) | score (s) | size (MB) |",
            "|---|---|---:|---:|---:|---:|---:|",
        ]
        for data in self.data:
            ranked = sorted(self.models, key=lambda m: -self.spread(m, data, "auc").mean)
            lines += [self._row(model, data) for model in ranked]
        if len(self.data) > 1:
            for model in self.models:
                ranks = (f"{self.macro(model, metric):.3f}" for metric in ("auc", "pauc"))
                lines.append(f"| all, mean | {model} | {' | '.join(ranks)} | | | |")
        return lines

    def _row(self, model: str, data: str) -> str:
        ranks = [_with_margin(self.spread(model, data, "auc"))]
        ranks.append(_with_margin(self.spread(model, data, "pauc")))
        fit = self.spread(model, data, "fit_seconds").mean
        score = self.spread(model, data, "score_seconds").mean
        size = self.spread(model, data, "megabytes").mean
        cells = [data, model, *ranks, f"{fit:.2f}", f"{score:.2f}", f"{size:.2f}"]
        return f"| {' | '.join(cells)} |"


def _with_margin(found: Spread) -> str:
    return f"{found.mean:.3f}" + (f" ± {found.margin:.3f}" if found.margin else "")
