"""The default where it has not been: units never heard, and recordings that were made otherwise.

``python -m benchmarks.bench_default [models]``, written to docs/benchmarks.md: on each real set AUC
and partial AUC, and at 5 % promised what is found and what alarms falsely; the same on one motor
or recorder of hearts after training on the other, and after `recalibrate` on its normal
recordings, whole or without taking off what the unit sounds otherwise; likewise the demo's plant
where the gain, the plant itself or the microphone is another; and the change of AUC when test clips
are 5 dB down or went through a microphone that favours low or high notes.
"""

import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, permutations
from pathlib import Path

import numpy as np

from asd.audio.decode import read_clip
from asd.audio.perturbation import Change, perturb
from asd.config.recipes import recipe_of
from asd.config.steps import PreprocessConfig, TrainConfig
from asd.data import manifest, preprocess
from asd.data.demo import RECORDINGS, SHIFTS, DemoSize, make_demo
from asd.data.manifest import MANIFEST_NAME, Dataset
from asd.evaluation.evaluation import evaluate
from asd.evaluation.metrics import auc
from asd.features.store import FeatureStore
from asd.pipeline.pipeline import Pipeline
from asd.text import markdown_table
from asd.tracking.store import cache_root
from benchmarks.bench_quality import CACHE, SETS, cut
from benchmarks.page import write_section

CHANGES = (
    Change("5 dB down", "gain", -5.0),
    Change("bright", "tilt", 6.0),
    Change("dark", "tilt", -6.0),
)
SHIFTED = DemoSize(healthy=40, healthy_s=30.0, sounds=0)
"""Recordings of the demo in which something is otherwise."""
TEN = (0.2, 0.05, 0.75)
"""Ten of those that are healthy to recalibrate on, and the others to test."""
Task = tuple[str, Dataset, Dataset, Dataset, Dataset]
"""Name, train and validation side, data set with the test side, and clips to recalibrate on."""
COLUMNS = ["task", "model", "AUC", "pAUC", "found", "false alarms", "promised"]
COLUMNS += [change.name for change in CHANGES]


def tasks() -> Iterator[Task]:
    """The real sets, and one motor or recorder of hearts after training on the other."""
    whole = {name: manifest.load(Path(cut(name))) for name in SETS}
    for name, data in whole.items():
        yield name, data.split("train"), data.split("valid"), data, Dataset(data.root, ())
    motors = {part.machine: part for part in whole["motor"].by_machine()}
    hearts = {name: whole[name] for name in ("heart", "heart_a")}
    for pair in (motors, hearts):
        for one, other in permutations(pair):
            mine, theirs = pair[one], pair[other]
            sides = mine.split("train"), mine.split("valid")
            yield f"{one} > {other}", *sides, theirs, _spare(theirs)


def shifted() -> Iterator[Task]:
    """The demo, and where something is otherwise in its test recordings."""
    plant = _plant("", DemoSize(sounds=0), PreprocessConfig.model_fields["split"].default)
    sides = plant.split("train"), plant.split("valid")
    yield "demo", *sides, plant, Dataset(plant.root, ())
    for shift in SHIFTS:
        other = _plant(shift, SHIFTED, TEN)
        yield f"demo > {shift}", *sides, other, _spare(other)


def _spare(data: Dataset) -> Dataset:
    return data.select(lambda clip: clip.split != "test" and clip.label == "normal")


def _plant(shift: str, size: DemoSize, split: tuple[float, float, float]) -> Dataset:
    root = CACHE / f"demo{shift and '-'}{shift}-{size.healthy}"
    if not (root / MANIFEST_NAME).is_file():
        source = Path(f"{root}-source")
        make_demo(source, size=size, overwrite=True, shift=shift)
        wish = {"source": "-", "clip_seconds": 10, "sample_rate": 16000, "split": split}
        preprocess.preprocess(source / RECORDINGS, root, PreprocessConfig.parse(wish))
    return manifest.load(root)


def measure(model: str) -> Iterator[list[str]]:
    """A row a task; where the model is recalibrated one more, and one of the threshold alone."""
    store = FeatureStore(cache_root())
    recipe = recipe_of(TrainConfig(model=model))
    for name, train, valid, data, normal in chain(tasks(), shifted()):
        pipeline, _ = Pipeline.fit(recipe, train, valid, store)
        yield _row(name, model, pipeline, data, store)
        if normal.clips:
            deaf = replace(pipeline, scorer=replace(pipeline.scorer, equalisers={}))
            for word, before in (("threshold only", deaf), ("recalibrated", pipeline)):
                moved = before.recalibrated(normal, store)
                yield _row(f"{name}, {word}", model, moved, data, store)


def _row(
    name: str, model: str, pipeline: Pipeline, data: Dataset, store: FeatureStore
) -> list[str]:
    metrics = evaluate(name, pipeline, data, store).metrics
    promised = pipeline.decision.rate or 0.0
    figures = [f"{metrics['auc']:.3f}", f"{metrics['pauc']:.3f}", f"{metrics['recall']:.1%}"]
    figures += [f"{metrics['false_alarm_rate']:.1%}", f"{promised:.1%}"]
    changed = (f"{_auc(pipeline, data, change) - metrics['auc']:+.3f}" for change in CHANGES)
    row = [name, model, *figures, *changed]
    logging.info("%s", row)
    return row


def _auc(pipeline: Pipeline, data: Dataset, change: Change) -> float:
    """AUC on the test clips after a change of the recording."""
    clips, rate = data.split("test").clips, pipeline.scorer.sample_rate
    scores = []
    for clip in clips:
        samples = read_clip(data.file(clip), rate)
        rng = np.random.default_rng(0)
        changed = perturb(samples, rate, change, [], rng, 0)
        scores.append(pipeline.judge_sounds([changed], [clip.machine])[0][0])
    values, truth = np.array(scores), np.array([clip.label == "anomaly" for clip in clips])
    return auc(values[~truth], values[truth])


def main() -> None:
    """Measure the models named on the command line, or the default, and write the section."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    models = sys.argv[1:] or ["auto"]
    rows = [row for model in models for row in measure(model)]
    command = " ".join(["python -m benchmarks.bench_default", *sys.argv[1:]])
    lines = [
        f"`{command}`. Found and false alarms are shares of clips at 5 % asked for; *promised* is",
        "what the calibration recordings can promise. The last columns are changes of AUC when the",
        "test clips alone are changed (a tilt favours the highest notes over the lowest by 6 dB).",
        "*demo > unit* is the demo's plant in another room, with another speed and other levels of",
        "its parts, after training on the first; likewise 8 dB down, and by a brighter microphone.",
        "*Recalibrated* on the training side of the other motor, or ten recordings of the plant;",
        "*threshold only* does not take off what the unit sounds otherwise.",
        "",
        *markdown_table(COLUMNS, rows, "ll" + "r" * (len(COLUMNS) - 2)),
    ]
    write_section("default", "The default, where it has not been", lines)


if __name__ == "__main__":
    main()
