"""Detectors side by side: what several seeds on several data sets say of each."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.special import stdtrit

from asd.data.manifest import Dataset
from asd.errors import ConfigError, NotEnoughClipsError
from asd.evaluation.answer import best_line, lead
from asd.evaluation.metric_table import METRICS, Metric
from asd.evaluation.metrics import metric_key
from asd.evaluation.table import ScoreTable
from asd.language import Remark, tr
from asd.pipeline.pipeline import Pipeline
from asd.text import markdown_table

_COMPARED = {name: metric for name, metric in METRICS.items() if metric.compared}


def check_comparable(models: Sequence[str], data: Sequence[Dataset]) -> None:
    """Find before any work is done what would end a comparison late.

    Parameters
    ----------
    models : sequence of str
        Labels of what is to be compared.
    data : sequence of Dataset
        On what.

    Raises
    ------
    ConfigError
        A name stands twice.
    NotEnoughClipsError
        A data set lacks normal clips to train on, or test clips of either label.
    """
    for key, names in (("models", list(models)), ("data", [dataset.name for dataset in data])):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(
                tr("{key}: {name} stands twice; give each another name", key=key, name=twice[0])
            )
    for dataset in data:
        there = {(clip.split, clip.label) for clip in dataset.clips}
        for split, label in (("train", "normal"), ("test", "normal"), ("test", "anomaly")):
            if (split, label) not in there:
                raise NotEnoughClipsError(
                    tr(
                        "{data}: has no {split} clip labelled {label}, and comparing takes some; "
                        "give a data set with both, or make one with augment",
                        data=dataset.root,
                        split=split,
                        label=label,
                    )
                )


def labelled(dataset: Dataset) -> Dataset:
    """What detectors are compared on: the clips of which it is known what they are."""
    return dataset.select(lambda clip: clip.label != "unknown")


def megabytes(pipeline: Pipeline) -> float:
    """Size on disk of a saved pipeline."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pipeline.save(folder)
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


@dataclass(frozen=True)
class Outcome:
    """One detector, fitted once on one data set."""

    model: str
    data: str
    seed: int
    metrics: Mapping[str, float]
    """Of the test clips, by name."""
    fit_seconds: float
    """Of the served detector, without its calibration."""
    score_seconds: float
    """For all test clips, without the front end."""
    megabytes: float
    """Size on disk."""
    table: ScoreTable | None = field(default=None, compare=False)
    """The scored clips, for paired comparisons."""
    told: Remark = field(default=Remark(), compare=False)
    """The written answer about it alone (`asd.evaluation.answer.answer_of`), in lines."""
    again: bool = field(default=False, compare=False)
    """It was fitted before."""

    def figures(self) -> dict[str, float]:
        """All that is compared, by name."""
        measured = {name: self.metrics[name] for name in _COMPARED if name in self.metrics}
        costs = ("fit_seconds", "score_seconds", "megabytes")
        return measured | {name: float(getattr(self, name)) for name in costs}


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
        >>> spread = Spread.of([0.8, 0.9])
        >>> round(spread.mean, 3), round(spread.margin, 3)
        (0.85, 0.635)
        """
        n = len(values)
        margin = 0.0
        if n > 1:
            margin = float(stdtrit(n - 1, 0.975) * np.std(values, ddof=1) / np.sqrt(n))
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

    def spread(self, model: str, data: str, metric: str) -> Spread:
        """A figure of one detector on one data set, over seeds; each of them has it."""
        return Spread.of([o.figures()[metric] for o in self._fits(model, data)])

    def _fits(self, model: str, data: str) -> list[Outcome]:
        return [o for o in self.outcomes if (o.model, o.data) == (model, data)]

    def _has(self, model: str, data: str, metric: str) -> bool:
        return all(metric in outcome.figures() for outcome in self._fits(model, data))

    def macro(self, model: str, metric: str = "auc") -> float:
        """Mean of a figure over data sets."""
        return float(np.mean([self.spread(model, data, metric).mean for data in self.data]))

    def answer(self, seed: int, max_fpr: float) -> list[str]:
        """What it comes to, as Markdown: the best of each data set, and all that there is to say.

        Parameters
        ----------
        seed : int
            Of the bootstrap, which looks at the first fit of each.
        max_fpr : float
            The false-positive rate in (0, 1] up to which `pauc` counts.
        """
        lines = []
        for data in self.data:
            order = sorted(self.models, key=lambda m: -self.spread(m, data, "auc").mean)
            firsts = {m: self._first(m, data) for m in order}
            tables = {m: one.table for m, one in firsts.items() if one.table is not None}
            best = order[0]
            found = [self.spread(best, data, key).mean for key in ("auc", "recall")]
            alarms = self.spread(best, data, "false_alarm_rate").mean
            text = tr(
                "**{best} on {data}**: AUC {auc:.3f}, finds {recall:.0%} of the anomalous clips, "
                "{alarms:.1%} false alarms.",
                best=best,
                data=data,
                auc=found[0],
                recall=found[1],
                alarms=alarms,
            )
            ahead = lead(tables, order, "auc", seed, max_fpr) if len(tables) == len(order) else None
            lines += [best_line(ahead, data)] if ahead else []
            lines += [text, *(str(firsts[best].told).split("\n")[1:] or [""])]
        if len(self.data) > 1:
            best = self.models[0]
            lines += [
                tr(
                    "Over all {n} data sets: {best}, {mean:.3f}.",
                    n=len(self.data),
                    best=best,
                    mean=self.macro(best),
                ),
                "",
            ]
        return lines

    def figures(self) -> dict[str, float]:
        """AUC and pAUC of each detector and data set, by the names they are logged under."""
        return {
            f"{metric}.{metric_key(model)}.{metric_key(data)}": self.spread(
                model, data, metric
            ).mean
            for model in self.models
            for data in self.data
            for metric in ("auc", "pauc")
        }

    def first_fits(self, data: str) -> dict[str, Mapping[str, float]]:
        """Metrics of each detector's first fit on a data set, best first."""
        own = [outcome for outcome in self.outcomes if outcome.data == data]
        firsts = {outcome.model: outcome.metrics for outcome in reversed(own)}
        order = sorted(firsts, key=lambda m: -self.spread(m, data, "auc").mean)
        return {model: firsts[model] for model in order}

    def _first(self, model: str, data: str) -> Outcome:
        return self._fits(model, data)[0]

    def markdown(self) -> list[str]:
        """The table: a row a detector and data set, the best detector of each first."""
        columns = [tr("data"), tr("model"), *(metric.heading for metric in _COMPARED.values())]
        columns += [tr("fit (s)"), tr("score (s)"), tr("size (MB)")]
        rows = []
        for data in self.data:
            ranked = sorted(self.models, key=lambda m: -self.spread(m, data, "auc").mean)
            rows += [self._row(model, data) for model in ranked]
        if len(self.data) > 1:
            rows += [self._means(model) for model in self.models]
        return markdown_table(columns, rows, "ll" + "r" * (len(columns) - 2))

    def _means(self, model: str) -> list[str]:
        means = [
            metric.write(
                self.macro(model, name)
                if all(self._has(model, d, name) for d in self.data)
                else None
            )
            for name, metric in _COMPARED.items()
        ]
        return [tr("all, mean"), model, *means, "", "", ""]

    def _row(self, model: str, data: str) -> list[str]:
        cells = [
            _with_margin(self.spread(model, data, name), metric)
            if self._has(model, data, name)
            else metric.write(None)
            for name, metric in _COMPARED.items()
        ]
        costs = ("fit_seconds", "score_seconds", "megabytes")
        spent = [f"{self.spread(model, data, name).mean:.2f}" for name in costs]
        return [data, model, *cells, *spent]


def _with_margin(spread: Spread, metric: Metric) -> str:
    margin = f" ± {metric.write(spread.margin)}" if spread.margin else ""
    return metric.write(spread.mean) + margin
