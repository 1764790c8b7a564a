"""How well pseudo-anomalies rank candidates: written to docs/benchmarks.md.

Random candidates are judged as a sweep judges them, by normal validation clips and the
pseudo-anomalies made of them, and then, as no sweep may, by the labelled test clips. ``python -m
benchmarks.bench_proxy``; any argument of ``sweep`` may be given, as ``--trials 30``.
"""

import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
from numpy.typing import NDArray
from scipy.stats import spearmanr

from asd.config.cli import load
from asd.config.steps import SweepConfig
from asd.data import manifest
from asd.data.manifest import Dataset
from asd.data.sound import sound_of
from asd.detectors.base import FitContext
from asd.evaluation.metrics import auc
from asd.features.store import FeatureStore
from asd.search.candidates import Candidates
from asd.search.pseudo_anomalies import CHANGES
from asd.search.space import Values
from asd.search.validation import Validation
from asd.tracking.store import cache_root
from benchmarks.bench_quality import SETS, cut
from benchmarks.page import write_section

DEFAULTS = {
    "model": "knn,mahalanobis,gmm,ocsvm,cnn",
    "trials": "60",
    "detector.cnn.epochs": "20",
    "detector.cnn.patience": "5",
}
RESAMPLES = 2000


@dataclass(frozen=True)
class Judged:
    """A candidate by what a sweep sees, and by the truth."""

    name: str
    proxy: float
    by_kind: dict[str, float]
    truth: float


def judge(config: SweepConfig, dataset: Dataset) -> list[Judged]:
    """The defaults of each detector, and random candidates up to ``trials``."""
    candidates = Candidates(config, sound_of(dataset).sample_rate)
    validation = Validation.of(dataset, config.seed, cache_root(), ("auc",))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=config.seed))
    points: list[Values] = [candidates.space.inside(point) for point in candidates.defaults()]
    points += [
        candidates.space.suggest(study.ask()) for _ in range(config.trials - len(candidates.models))
    ]
    judged = []
    for number, point in enumerate(points):
        judged.append(_judge(candidates, validation, dataset, point))
        logging.info("%d: %s", number, judged[-1])
    return judged


def _judge(
    candidates: Candidates, validation: Validation, dataset: Dataset, point: Values
) -> Judged:
    recipe, store = candidates.recipe(point), FeatureStore(cache_root())
    scorer, _ = validation.fit(recipe, store, FitContext())
    normal = scorer.score(validation.normal, store)
    changed = scorer.score(validation.anomalous, store)
    kinds = np.array([clip.condition for clip in validation.anomalous.clips])
    well, ill = (
        scorer.score(dataset.split("test", label), store) for label in ("normal", "anomaly")
    )
    by_kind = {kind: auc(normal, changed[kinds == kind]) for kind in CHANGES}
    return Judged(recipe.label, auc(normal, changed), by_kind, auc(well, ill))


def report(name: str, found: list[Judged], defaults: int) -> list[str]:
    """Lines of Markdown about one data set; the first `defaults` candidates are the defaults."""
    proxy, truth = (np.array([getattr(j, key) for j in found]) for key in ("proxy", "truth"))
    rho, low, high = _spearman(proxy, truth)
    chosen = found[int(np.argmax(proxy))]
    kinds = {
        kind: _spearman(np.array([j.by_kind[kind] for j in found]), truth)[0] for kind in CHANGES
    }
    return [
        f"| {name} | {len(found)} | {rho:.2f} ({low:.2f} to {high:.2f}) "
        f"| {truth[:defaults].mean():.3f} | {truth.mean():.3f} "
        f"| {chosen.truth:.3f} ({chosen.name}) | {truth.max():.3f} | "
        + ", ".join(f"{k} {v:.2f}" for k, v in kinds.items())
        + " |"
    ]


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float, float]:
    """Rank correlation and its 95 % bootstrap interval over candidates."""
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(RESAMPLES):
        index = rng.integers(len(one), size=len(one))
        if np.ptp(one[index]) and np.ptp(other[index]):
            draws.append(spearmanr(one[index], other[index]).statistic)
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(spearmanr(one, other).statistic), float(low), float(high)


def main() -> None:
    """Measure on all sets and write the section."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    words = [part for key, value in DEFAULTS.items() for part in (f"--{key}", value)]
    config = load(SweepConfig, [*words, *sys.argv[1:]])
    lines = [
        f"`{' '.join(['python -m benchmarks.bench_proxy', *sys.argv[1:]])}`: the defaults of",
        f"{', '.join(config.model)} and random candidates of `sweep`'s space. The rank correlation",
        "(Spearman, 95 % bootstrap interval) is that of AUC against pseudo-anomalies with AUC on",
        "the test clips. *Chosen* is the candidate with the best proxy, *best* that with the best",
        "test AUC, which nobody can know.",
        "",
        "| set | candidates | rank correlation | test AUC: defaults | mean | chosen | best "
        "| correlation by kind of change |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in SETS:
        found = judge(config, manifest.load(Path(cut(name))))
        lines += report(name, found, len(config.model))
    write_section("bench-proxy", "Pseudo-anomalies in sweeps", lines)


if __name__ == "__main__":
    main()
