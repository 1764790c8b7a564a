"""Does the worst machine of a data set keep the promise? Real recordings, dealt anew many times.

``python -m benchmarks.bench_machines [models]``, written to docs/benchmarks.md. The normal
recordings of each machine are dealt at random into those for training and calibration and those
for the test; nothing else changes from deal to deal.
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from tqdm import tqdm

from asd.config.recipes import recipe_of
from asd.config.steps import TrainConfig
from asd.data import manifest
from asd.data.manifest import Clip, Dataset
from asd.features.store import FeatureStore
from asd.pipeline.pipeline import Pipeline
from asd.text import markdown_table
from asd.tracking.store import cache_root
from benchmarks.bench_quality import cut
from benchmarks.page import write_section

SETS = {"motor": ("motor",)}
"""Data sets that are of several machines; a set without machines is one."""
DEALS = 20
RATE = 0.1
TESTED = 0.3
"""Share of the recordings of each machine that are kept for the test."""
PER_MACHINE = ("false", "auto")
COLUMNS = ["set", "model", "per_machine", "machine", "promised", "false alarms", "interval", "kept"]


def normal_clips(names: tuple[str, ...]) -> Dataset:
    """The normal clips of several sets, as one data set of machines."""
    clips = []
    for name in names:
        data = manifest.load(Path(cut(name)))
        for clip in data.select(lambda clip: clip.label == "normal").clips:
            path = data.file(clip).resolve().relative_to("/").as_posix()
            clips.append(clip.model_copy(update={"path": path, "machine": clip.machine or name}))
    return Dataset(Path("/"), tuple(clips))


def dealt(data: Dataset, rng: np.random.Generator) -> list[Clip]:
    """The clips, each recording on another side: train, valid or test."""
    side: dict[tuple[str, str], str] = {}
    for machine in sorted({clip.machine for clip in data.clips}):
        names = sorted({clip.recording for clip in data.clips if clip.machine == machine})
        order = rng.permutation(names)
        n_test = max(1, round(TESTED * len(names)))
        n_valid = max(1, round(0.2 * (len(names) - n_test)))
        for place, name in enumerate(order):
            kept = "test" if place < n_test else "valid" if place < n_test + n_valid else "train"
            side[machine, name] = kept
    return [
        clip.model_copy(update={"split": side[clip.machine, clip.recording]}) for clip in data.clips
    ]


def measure(model: str, names: tuple[str, ...], per_machine: str) -> dict[str, list[list[float]]]:
    """Promised rate, and share of false alarms among clips, of each machine and deal."""
    store, data = FeatureStore(cache_root()), normal_clips(names)
    wish = {"model": model, "per_machine": per_machine, "threshold": {"false_alarm_rate": RATE}}
    recipe = recipe_of(TrainConfig.parse(wish))
    rates: dict[str, list[list[float]]] = defaultdict(list)
    for deal in tqdm(range(DEALS), desc=f"{model}, {per_machine}", disable=None):
        whole = Dataset(data.root, tuple(dealt(data, np.random.default_rng(deal))))
        pipeline, _ = Pipeline.fit(recipe, whole.split("train"), whole.split("valid"), store)
        test = whole.split("test")
        alarms = pipeline.judge_clips(test, store)[2]
        for machine in sorted({clip.machine for clip in test.clips}):
            own = [clip.machine == machine for clip in test.clips]
            rule = pipeline.decision.rule(machine)
            rates[machine].append([rule.rate or 0.0, float(np.mean(alarms[own]))])
    return rates


def table(model: str) -> list[list[str]]:
    """A row a set, way and machine."""
    rows = []
    for title, names in SETS.items():
        for way in PER_MACHINE:
            for machine, deals in measure(model, names, way).items():
                promised, alarms = np.array(deals).T
                half = 1.96 * float(alarms.std(ddof=1)) / np.sqrt(len(alarms))
                low, high = max(0.0, alarms.mean() - half), alarms.mean() + half
                rows.append(
                    [title, model, way, machine, f"{promised.mean():.1%}", f"{alarms.mean():.1%}",
                     f"{low:.1%} to {high:.1%}", "yes" if low <= promised.mean() else "no"]
                )  # fmt: skip
    return rows


def main() -> None:
    """Measure the models named on the command line, or knn, and write the section."""
    models = sys.argv[1:] or ["knn"]
    command = " ".join(["python -m benchmarks.bench_machines", *sys.argv[1:]])
    lines = [
        f"`{command}`. Normal recordings of each machine dealt {DEALS} times, {TESTED:.0%} of",
        f"them for the test; {RATE:.0%} asked for. *Promised*: what the calibration recordings of",
        "the machine, or of all where it has too few, can promise; in the last but one column the",
        "95 % interval of the false alarms over deals.",
        "",
        *markdown_table(COLUMNS, [row for model in models for row in table(model)], "llllrrrl"),
    ]
    write_section("machines", "The worst machine of a set", lines)


if __name__ == "__main__":
    main()
