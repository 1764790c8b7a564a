"""Are verdicts on windows, recordings and events as good as their word? Simulated scores tell.

Run as ``python -m benchmarks.bench_verdict`` (some minutes); ``--write`` puts the tables into
docs/benchmarks.md instead of printing them.
"""

import argparse
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from asd.decision.recording import Statistic, mean, recording_sample, top_mean
from benchmarks.hierarchical import Study, World, alarm_rates, random_study
from benchmarks.page import write_section

Values = NDArray[np.float64]

LENGTHS = (1, 6, 60, 360)
RATES = (0.01, 0.05, 0.1)
DATA_SETS = 400
NEW = 10
"""New normal recordings of each data set and length."""
STRENGTHS = (1, 2, 3, 4)
"""What a fault adds to the scores, in standard deviations of normal windows."""
MINUTES_10 = 60
"""Windows of 10 s in ten minutes."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    parser.add_argument("--data-sets", type=int, default=DATA_SETS)
    options = parser.parse_args(arguments)
    lines = [
        *false_alarm_table(options.data_sets),
        "",
        *power_table(options.data_sets // 10),
        "",
        *statistic_table(options.data_sets // 4),
    ]
    if options.write:
        write_section("verdict", "Verdicts that keep their word", lines)
    else:
        print("\n".join(lines))


def false_alarm_table(data_sets: int) -> list[str]:
    """False alarms over random data sets, by length and stated rate."""
    lines = [
        "`python -m benchmarks.bench_verdict --write`. "
        f"False alarms over {data_sets} simulated data sets of 5 to 200 calibration recordings of "
        "1 to 60 windows, spread of windows within recordings 0.1 to 10 times that between them, "
        f"normal, skewed, lognormal and unequal; {NEW} new normal recordings each. What is "
        "promised is above what is stated where recordings are too few. In brackets the 95 % "
        "interval over data sets.",
        "",
        "| windows | stated | promised | recordings | events | any window above the threshold |",
        "|---|---|---|---|---|---|",
    ]
    for m in LENGTHS:
        rng = np.random.default_rng(m)
        rates: dict[float, list[tuple[float, ...]]] = {rate: [] for rate in RATES}
        for _ in tqdm(range(data_sets), desc=f"{m} windows", disable=None):
            study = random_study(rng)
            calibration = study.calibration(rng)
            new = study.world.draw(rng, NEW, m)
            for rate in RATES:
                decision = study.decide(calibration, rate)
                loose = np.mean([decision.alarms(scores).any() for scores in new])
                assert decision.rate is not None
                rates[rate].append((decision.rate, *alarm_rates(decision, new), float(loose)))
        for rate in RATES:
            promised, *measured = np.asarray(rates[rate]).T
            cells = " | ".join(_with_interval(values) for values in measured)
            lines.append(f"| {m} | {rate:.0%} | {promised.mean():.1%} | {cells} |")
    return lines


def power_table(data_sets: int) -> list[str]:
    """Share of faults told, by strength."""
    lines = [
        "A fault in the last fifth of ten minutes (60 windows of 10 s) that raises scores by 1, 2, "
        "3 and 4 standard deviations: share of recordings told at 5 %, 60 calibration recordings. "
        "The last column is the rule of any window above the threshold, with the threshold raised "
        "until 5 % of 4000 further normal recordings alarm, which nobody has.",
        "",
        "| calibration recordings of | within / between | verdict | events | "
        "any window, equal alarms |",
        "|---|---|---|---|---|",
    ]
    for n in (2, 6, 60):
        for ratio in (0.3, 1.0, 3.0):
            study = Study(World("normal", ratio), 60, n)
            told = np.mean([_power(study, seed) for seed in range(data_sets)], axis=0)
            cells = " | ".join(" / ".join(f"{share:.2f}" for share in rule) for rule in told.T)
            lines.append(f"| {n} windows | {ratio:g} | {cells} |")
    return lines


def _power(study: Study, seed: int) -> Values:
    """Share told, ``(n_strengths, 3)``."""
    rng = np.random.default_rng(seed)
    decision = study.decide(study.calibration(rng), 0.05)
    level = np.quantile(study.world.draw(rng, 4000, MINUTES_10).max(axis=1), 0.95)
    told = []
    for strength in STRENGTHS:
        faulty = study.world.draw(rng, NEW, MINUTES_10)
        faulty[:, -MINUTES_10 // 5 :] += strength
        equal = float((faulty.max(axis=1) > level).mean())
        told.append((*alarm_rates(decision, faulty), equal))
    return np.asarray(told)


def statistic_table(data_sets: int) -> list[str]:
    """How the statistic of a recording was chosen."""
    lines = [
        "How a recording's statistic was chosen: false alarms where 5 % is stated, and share told "
        "of a fault that adds 3 standard deviations in the last fifth; ten minutes, 60 calibration "
        "recordings of normal scores.",
        "",
        "| statistic | " + " | ".join(f"{n} windows, {r:g}" for n, r in _SETTINGS) + " |",
        "|---|" + "---|" * len(_SETTINGS),
    ]
    for name, statistic in _STATISTICS.items():
        cells = []
        for n, ratio in _SETTINGS:
            study = Study(World("normal", ratio), 60, n)
            told = [_compare(study, statistic, seed) for seed in range(data_sets)]
            false, true = np.mean(told, axis=0)
            cells.append(f"{false:.1%}, {true:.2f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


_SETTINGS = [(n, ratio) for n in (6, 60) for ratio in (0.3, 1.0, 3.0)]


def _compare(study: Study, make: Callable[[Values], Statistic], seed: int) -> tuple[float, float]:
    """False alarms, and share of faults told."""
    rng = np.random.default_rng(seed)
    calibration = study.calibration(rng)
    statistic = make(calibration.scores)
    normal = study.world.draw(rng, NEW, MINUTES_10)
    faulty = normal.copy()
    faulty[:, -MINUTES_10 // 5 :] += 3.0
    sample = recording_sample(calibration, MINUTES_10, statistic)
    false, true = (sample.p_values(statistic(scores)) <= 0.05 for scores in (normal, faulty))
    return float(false.mean()), float(true.mean())


def _quantile(q: float) -> Callable[[Values], Statistic]:
    return lambda _: lambda scores: np.asarray(np.quantile(scores, q, axis=-1))


def _share(calibration: Values) -> Statistic:
    """Share of windows above the threshold of windows; the mean breaks ties."""
    level = np.quantile(calibration, 0.95)
    return lambda scores: np.asarray((scores > level).mean(-1) + 1e-6 * scores.mean(-1))


_STATISTICS: dict[str, Callable[[Values], Statistic]] = {
    "mean": lambda _: mean,
    "75 % quantile": _quantile(0.75),
    "90 % quantile": _quantile(0.9),
    "share of alarming windows": _share,
    "mean of the highest fifth": lambda _: top_mean,
}


def _with_interval(rates: Values) -> str:
    half = 1.96 * float(rates.std(ddof=1)) / np.sqrt(len(rates))
    return f"{rates.mean():.1%} ({max(rates.mean() - half, 0):.1%} to {rates.mean() + half:.1%})"


if __name__ == "__main__":
    main()
