"""How well stand-ins for anomalies rank candidates: written to docs/benchmarks.md.

Random candidates are judged as a sweep judges them, by normal validation clips and their stand-ins,
and then, as no sweep may, by the labelled test clips. ``python -m benchmarks.bench_proxy``; any
argument of ``sweep`` may be given, as ``--trials 30``.
"""

import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
from numpy.typing import NDArray
from scipy.stats import spearmanr

from asd.audio import decode as audio
from asd.config.cli import load
from asd.config.steps import SweepConfig
from asd.data import manifest
from asd.data.manifest import Dataset
from asd.evaluation.metrics import auc
from asd.search.candidates import Candidates
from asd.search.pseudo_anomalies import CHANGES
from asd.search.space import Values
from asd.search.validation import Validation
from asd.tracking.store import cache_root
from benchmarks.bench_quality import SETS, _cut
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
    rate = audio.probe(dataset.file(dataset.clips[0])).sample_rate
    candidates = Candidates(config, rate)
    validation = Validation.of(dataset, config.seed, cache_root(), ("auc",))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=config.seed))
    points: list[Values] = [candidates.space.inside(point) for point in candidates.defaults()]
    points += [
        candidates.space.suggest(study.ask()) for _ in range(config.trials - len(candidates.models))
    ]
    found = []
    for number, point in enumerate(points):
        found.append(_judge(candidates, validation, dataset, point))
        logging.info("%d: %s", number, found[-1])
    return found


def _judge(
    candidates: Candidates, validation: Validation, dataset: Dataset, point: Values
) -> Judged:
    candidate = candidates.candidate(point)
    detector, cache, _ = validation.fit(candidate, cache_root(), lambda *_: None)
    normal = detector.score(cache.features(validation.normal))
    changed = detector.score(cache.features(validation.anomalous))
    kinds = np.array([clip.condition for clip in validation.anomalous.clips])
    well, ill = (
        detector.score(cache.features(dataset.split("test", label)))
        for label in ("normal", "anomaly")
    )
    by_kind = {kind: auc(normal, changed[kinds == kind]) for kind in CHANGES}
    return Judged(candidate.name, auc(normal, changed), by_kind, auc(well, ill))


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
        "(Spearman, 95 % bootstrap interval) is that of AUC against stand-ins with AUC on the test",
        "clips. *Chosen* is the candidate with the best proxy, *best* that with the best test AUC,",
        "which nobody can know.",
        "",
        "| set | candidates | rank correlation | test AUC: defaults | mean | chosen | best "
        "| correlation by kind of change |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in SETS:
        found = judge(config, manifest.load(Path(_cut(name))))
        lines += report(name, found, len(config.model))
    write_section("bench-proxy", "Stand-ins for anomalies in sweeps", lines)


if __name__ == "__main__":
    main()
